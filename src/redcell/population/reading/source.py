"""What a source of many patients is, and how large."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from redcell.errors import RedcellError
from redcell.sources.omop.files import is_omop

Form = Literal["fhir", "omop"]


def refuse_tables(source: Path) -> None:
    """Say so when the folder is an OMOP CDM, which is another reader's.

    Raises:
        RedcellError: there is a PERSON table in it.
    """
    if is_omop(source):
        raise RedcellError(
            f"{source}: this is an OMOP CDM (it has a PERSON table). Read it with: --from omop. "
            "Expected a folder of FHIR Bulk Data NDJSON."
        )


def size_of(source: Path) -> int:
    """Bytes of all files of a source."""
    files = source.rglob("*") if source.is_dir() else [source]
    return sum(p.stat().st_size for p in files if p.is_file())


def no_patient(source: Path) -> str:
    """The message for a source without patients."""
    return (
        f"{source}: no Patient resource was found. Expected a folder of FHIR Bulk Data NDJSON: "
        "one resource on each line, gzipped or not."
    )
