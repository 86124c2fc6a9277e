"""Invented people with metastatic breast cancer, made by the red-cell model; no one is real."""

from redcell.population.synthesize.generate import Person, people

__all__ = ["Person", "people"]
