"""Capacity: red-cell units and chair hours ahead, and what is known of chairs and stock."""
