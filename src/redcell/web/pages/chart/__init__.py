"""The chart of one person: counts, what was given, causes, options, and how each of it is known."""
