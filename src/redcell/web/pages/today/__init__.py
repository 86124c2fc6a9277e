"""Today: the care team's worklist, one line per person, in the order of need."""
