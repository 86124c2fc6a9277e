"""What is kept: append-only facts, assessments, events and audit, on SQLite or PostgreSQL."""
