"""A symptom report that staff take down, for example by phone."""
