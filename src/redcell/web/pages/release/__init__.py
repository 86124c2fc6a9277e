"""Release of a plan to the patient: chosen, written and signed by a named person."""
