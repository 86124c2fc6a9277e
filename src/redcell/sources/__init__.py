"""Readers: what hospitals send, turned into facts. Nothing is guessed; what is refused is kept."""
