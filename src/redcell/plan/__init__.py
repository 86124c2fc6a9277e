"""What to do: options for professionals to accept, change or refuse (S1, S4 to S8)."""
