"""Reads one patient's record from a file, a folder or standard input, whatever its format."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.record.record import Record, SetAside
from redcell.sources.fhir.read import RawResource, decode, read_patient_record, split
from redcell.sources.omop.files import is_omop
from redcell.sources.strict_json import RefusedJsonError, text_of
from redcell.sources.terms import terms

MAX_BYTES = 1 << 30
MAX_RATIO = 100
CHUNK = 1 << 20
MLLP_WITHIN = 1 << 12
GLANCE = 1 << 10
GZIP = b"\x1f\x8b"
JSON_SUFFIXES = (".json", ".ndjson", ".jsonl")
SUFFIXES = (*JSON_SUFFIXES, ".hl7", ".csv", ".tsv", ".txt", ".gz")


def read(
    source: str | Path, *, patient: str | None = None, base: Knowledge | None = None
) -> Record:
    """One patient's record.

    Args:
        source: a FHIR R4 Bundle or resource (JSON), NDJSON, HL7 v2 messages, a CSV of laboratory
            results, any of them gzipped, a folder of them, an OMOP CDM (a folder of its tables or
            a DuckDB database), `-` for standard input, or `demo::name` for a bundled patient.
        patient: the id of the patient when the source holds several.
        base: the knowledge base whose code tables are used.

    Raises:
        UnreadableSourceError: nothing in the source could be read as a patient's record.
        SeveralPatientsError: the source holds several patients and none was chosen.
    """
    known = base or knowledge()
    if is_omop(Path(source)):
        from redcell.sources.omop.read import read_cdm

        return read_cdm(Path(source), terms(known), patient)
    files = list(_files(source))
    if files and all(_is_hl7(name, data) for name, data in files):
        from redcell.sources.hl7v2 import read_messages

        return read_messages(files, terms(known), patient)
    if files and all(_is_csv(name, data) for name, data in files):
        from redcell.sources.csv_labs import read_tables

        return read_tables(files, terms(known), patient)
    return _read_fhir(files, known, patient)


def _read_fhir(files: list[tuple[str, bytes]], known: Knowledge, patient: str | None) -> Record:
    aside: list[SetAside] = []
    counts: dict[str, int] = {}
    needle = patient.rpartition("/")[2].encode() if patient else b""
    raws = _gather(files, aside, needle)
    if needle and (not raws or _refer_to_unowned(raws)):
        aside.clear()
        raws = _gather(files, aside, b"")
    located = decode(raws, aside, counts)
    if not located:
        detail = f" First problem: {aside[0].text}" if aside else ""
        name = files[0][0] if files else "The source"
        raise UnreadableSourceError(f"{name}: no FHIR R4 resource that redcell reads.{detail}")
    return read_patient_record(
        located, terms(known), aside, counts, patient, (name for name, _ in files)
    )


UNOWNED = (b"BodyStructure/", b"BiologicallyDerivedProduct/", b"Medication/")
"""How a resource refers to one that names no patient."""


def _refer_to_unowned(raws: list[RawResource]) -> bool:
    together = b"\n".join(raw.data for raw in raws)
    return any(sign in together for sign in UNOWNED)


def _gather(
    files: list[tuple[str, bytes]], aside: list[SetAside], needle: bytes
) -> list[RawResource]:
    """The resources of every file; of NDJSON only the lines that may name the patient."""
    raws: list[RawResource] = []
    for name, data in files:
        raws += _raw_resources(name, data, aside, needle, alone=len(files) == 1)
    return raws


def _raw_resources(
    name: str, data: bytes, aside: list[SetAside], needle: bytes, *, alone: bool
) -> Iterator[RawResource]:
    """Resources of one file: NDJSON line by line, else one JSON document."""
    try:
        text = text_of(data)
    except RefusedJsonError as error:
        if alone:
            raise UnreadableSourceError(f"{name}: {error}.") from error
        aside.append(SetAside("not-readable", name, f"{name}: {error}; the file was not used."))
        return
    if _is_ndjson(text):
        for number, line in _lines(text, needle):
            yield RawResource(f"{name}:{number}", line)
        return
    try:
        yield from split(name, text)
    except RefusedJsonError as error:
        if _has_lines(name, text):  # one broken line does not take the others with it
            for number, line in _lines(text, needle):
                yield RawResource(f"{name}:{number}", line)
            return
        if alone:
            raise UnreadableSourceError(
                f"{name}: {error}. Expected a FHIR R4 Bundle, a resource, or NDJSON (one resource "
                "per line), in UTF-8."
            ) from error
        aside.append(SetAside("not-readable", name, f"{name}: {error}; the file was not used."))


def _lines(text: bytes, needle: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines of NDJSON with their numbers; with a needle those that hold it or an escape.

    Exact: without a backslash a text is spelled in one way, so a line without the needle does
    not name the patient.
    """
    if not needle:
        for number, line in enumerate(text.split(b"\n"), 1):
            if line and not line.isspace():
                yield number, line
        return
    number, counted, end = 1, 0, 0
    named, escaped = (_find(text, sign, 0) for sign in (needle, ESCAPE))
    while (at := min(named, escaped)) < len(text):
        start = text.rfind(b"\n", end, at) + 1 or end
        end = _find(text, b"\n", at)
        number += text.count(b"\n", counted, start)
        counted = start
        yield number, text[start:end]
        named = _find(text, needle, end) if named < end else named
        escaped = _find(text, ESCAPE, end) if escaped < end else escaped


ESCAPE = b"\\"


def _find(text: bytes, sign: bytes, start: int) -> int:
    """Where it stands, else the end."""
    at = text.find(sign, start)
    return len(text) if at < 0 else at


def _is_ndjson(text: bytes) -> bool:
    """Is the first line a whole JSON object and another object on the next one?"""
    head = text[:GLANCE]
    start = len(head) - len(head.lstrip())
    end = text.find(b"\n", start)
    if end < 0 or text[start : start + 1] != b"{":
        return False
    following = text[end : end + GLANCE].lstrip()[:1]
    return text[max(start, end - GLANCE) : end].rstrip().endswith(b"}") and following == b"{"


def _has_lines(name: str, text: bytes) -> bool:
    """Is a file that is no JSON document NDJSON by its name, with a whole object on some line?"""
    named = Path(name.removesuffix(".gz")).suffix.lower() in (".ndjson", ".jsonl")
    lines = map(bytes.strip, text.split(b"\n")) if named else ()
    return any(x.startswith(b"{") and x.endswith(b"}") and x != b"{}" for x in lines)


def _is_hl7(name: str, data: bytes) -> bool:
    head = data[:64].lstrip(b"\xef\xbb\xbf\x0b\r\n \t")
    named = Path(name.removesuffix(".gz")).suffix.lower() == ".hl7"
    return named or head.startswith((b"MSH", b"FHS", b"BHS")) or b"\x0bMSH" in data[:MLLP_WITHIN]


def _is_csv(name: str, data: bytes) -> bool:
    """By its name; without a name that says so, text whose first line has a delimiter."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    head = data[:256].lstrip(b"\xef\xbb\xbf \r\n\t")
    if suffix in (".csv", ".tsv"):
        return head[:1] not in (b"{", b"[")
    if suffix in JSON_SUFFIXES or head[:1] in (b"{", b"[", b"") or b"\x00" in head:
        return False
    return any(delimiter in head.splitlines()[0] for delimiter in (b",", b";", b"\t"))


def _files(source: str | Path) -> Iterator[tuple[str, bytes]]:
    text = str(source)
    if text == "-":
        yield "standard input", _unpack("standard input", sys.stdin.buffer.read(MAX_BYTES + 1))
        return
    path = demo(text.removeprefix("demo::")) if text.startswith("demo::") else Path(source)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
        if not found:
            raise UnreadableSourceError(f"{path}: no file in this folder that redcell reads.")
        for file in found:
            yield str(file.relative_to(path)), _load(file)
        return
    yield path.name, _load(path)


def _load(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableSourceError(
                f"{path}: larger than 1 GB; use redcell cohort for many patients."
            )
        return _unpack(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise UnreadableSourceError(
            f"{path}: no such file or folder. A bundled patient is written demo::name; "
            "list them with: redcell assess --help"
        ) from error
    except OSError as error:
        raise UnreadableSourceError(f"{path}: {error.strerror or error}.") from error


def _unpack(name: str, data: bytes) -> bytes:
    """Gunzip, stopping at 1 GB or at a ratio that only a bomb has."""
    if len(data) > MAX_BYTES:
        raise UnreadableSourceError(f"{name}: larger than 1 GB.")
    if not data.startswith(GZIP):
        return data
    out = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            while chunk := packed.read(CHUNK):
                out.write(chunk)
                if out.tell() > max(CHUNK, len(data) * MAX_RATIO) or out.tell() > MAX_BYTES:
                    raise UnreadableSourceError(f"{name}: unpacks to more than 100 times its size.")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableSourceError(f"{name}: not a whole gzip file ({error}).") from error
    return out.getvalue()


EXAMPLES = Path(__file__).parent.parent / "examples"


def demo(name: str) -> Path:
    """The file of a bundled patient.

    Raises:
        UnreadableSourceError: there is no bundled patient of this name.
    """
    path = EXAMPLES / f"{name}.json"
    if not path.is_file():
        known = ", ".join(demo_names())
        raise UnreadableSourceError(f"No bundled patient {name!r}. There are: {known}")
    return path


def demo_names() -> tuple[str, ...]:
    """Names of the bundled patients."""
    return tuple(sorted(p.stem for p in EXAMPLES.glob("*.json") if p.stem != "expected"))
