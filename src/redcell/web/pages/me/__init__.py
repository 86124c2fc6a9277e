"""S7, S8 The patient's own pages: own data, what the team released, fixed texts and call rules."""
