"""What is so: blood counts, symptoms, red flags and causes (S1, S2, S3)."""
