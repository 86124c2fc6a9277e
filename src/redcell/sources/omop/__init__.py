"""OMOP CDM 5.4: tables of CSV or Parquet files or of a DuckDB database, translated into FHIR."""
