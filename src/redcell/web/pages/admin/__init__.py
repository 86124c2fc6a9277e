"""Administration: health, feeds, users, rules, models, the audit, backups, the safety log."""
