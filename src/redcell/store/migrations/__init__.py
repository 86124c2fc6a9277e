"""The released steps of the schema."""
