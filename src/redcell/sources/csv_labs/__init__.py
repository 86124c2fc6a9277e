"""Reads tables of laboratory results (CSV, TSV), one value in a row or one analyte in a column."""

from redcell.sources.csv_labs.read import read_tables

__all__ = ["read_tables"]
