"""Many patients at once: a folder of records in, a table with one row per patient out."""
