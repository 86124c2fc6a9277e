"""Which files of a folder are tables of an OMOP CDM."""

from __future__ import annotations

from pathlib import Path

from redcell.sources.omop.columns import COLUMNS, VOCABULARY

FORMS = (".csv", ".csv.gz", ".tsv", ".txt", ".parquet")
DATABASES = (".duckdb", ".db", ".ddb")
MAGIC = b"DUCK"
MAGIC_AT = 8


def is_omop(source: Path) -> bool:
    """Is it an OMOP CDM: a folder with a PERSON table, or a DuckDB database?"""
    if source.is_dir():
        return any(_table(path) == "person" for path in source.iterdir() if _has_rows(path))
    if source.suffix.lower() not in DATABASES or not source.is_file():
        return False
    with source.open("rb") as file:
        return file.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC


def _has_rows(path: Path) -> bool:
    return path.is_dir() or _suffix(path) != ""


def tables_of(folder: Path) -> dict[str, list[Path]]:
    """Files by table: `person.csv`, `PERSON.parquet`, `person_1.csv`, `person/part-0.parquet`."""
    found: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        if not _suffix(path):
            continue
        name = _table(path) or (_table(path.parent) if path.parent != folder else "")
        if name:
            found.setdefault(name, []).append(path)
    return found


def _suffix(path: Path) -> str:
    return next((s for s in FORMS if path.name.lower().endswith(s)), "")


def _table(path: Path) -> str:
    """The table that a file or folder is named after; empty for any other."""
    stem = path.name.lower().removesuffix(_suffix(path))
    for name in (stem, stem.rstrip("0123456789").rstrip("-_.")):
        if name in COLUMNS or name in VOCABULARY:
            return name
    return ""
