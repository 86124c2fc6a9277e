"""What is fuzzed: each reader takes any bytes, and gives an answer or one of the product's errors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from redcell.clinic.versions import RefusedResourceError, decode_json, is_sealed, version_of
from redcell.errors import RedcellError
from redcell.feeds.mllp.framing import Framer, FrameTooLargeError
from redcell.knowledge.load import knowledge
from redcell.knowledge.policy import read_policy
from redcell.sources.csv_labs.to_fhir import translate_table
from redcell.sources.hl7v2.to_fhir import translate
from redcell.sources.read import read
from redcell.sources.strict_json import RefusedJsonError, check, text_of
from redcell.sources.translated import FAULT

ZONE = ZoneInfo("Europe/Vienna")
AT = 1_795_338_000_000_000
TABLE = b"\n===="
"""In an OMOP input the text before the first table, and between tables, ends here."""
LARGEST = 20_000


def _read(data: bytes, name: str) -> None:
    """A record, whose numbers are finite, or an error in words."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            record = read(path)
        except RedcellError:
            return
    for rows in record.results.values():
        for row in rows:
            if not abs(row.value) < 1e15:
                raise AssertionError("a number that no laboratory reports")


def fhir(data: bytes) -> None:
    """A file of FHIR JSON."""
    _read(data, "a.json")


def ndjson(data: bytes) -> None:
    """A file of one resource a line."""
    _read(data, "a.ndjson")


def resource(data: bytes) -> None:
    """A resource that the service keeps."""
    try:
        text = text_of(data)
        check(text)
        found = decode_json(text)
        if isinstance(found, dict):
            version = version_of(found, AT)
            if not is_sealed(version.body, version.hash):
                raise AssertionError("a body that does not keep its seal")
    except (RefusedJsonError, RefusedResourceError):
        return


def hl7v2(data: bytes) -> None:
    """A file of messages, and the translation of one."""
    _read(data, "a.hl7")
    found = translate(data, zone=ZONE, allow_test=True)
    if found.refusal is not None and found.refusal.code == FAULT:
        raise AssertionError(found.refusal)
    for one in found.resources:
        version_of(one, AT)


def mllp(data: bytes) -> None:
    """A stream of frames, whole and byte by byte."""
    parts = (data, *(data[n : n + 1] for n in range(len(data))))
    for pieces in (parts[:1], parts[1:]):
        framer = Framer(largest=5_000)
        try:
            for piece in pieces:
                list(framer.feed(piece))
        except FrameTooLargeError:
            continue


def csv(data: bytes) -> None:
    """A table of results, and the translation of one."""
    _read(data, "a.csv")
    for one in translate_table("a.csv", data, zone=ZONE, patient="1").resources:
        version_of(one, AT)


def omop(data: bytes) -> None:
    """A folder of tables: a name on a line, its rows, then a line of four equal signs."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for part in data.split(TABLE)[:8]:
            name, _, rows = part.lstrip(b"\n").partition(b"\n")
            plain = "".join(c for c in name.decode("latin-1").lower() if c.isalpha() or c == "_")
            (Path(folder) / f"{plain[:30] or 'person'}.csv").write_bytes(rows)
        try:
            read(folder)
        except RedcellError:
            return


def policy(data: bytes) -> None:
    """A site's policy."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "policy.toml"
        path.write_bytes(data)
        try:
            read_policy(path, knowledge())
        except RedcellError:
            return


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (fhir, ndjson, resource, hl7v2, mllp, csv, omop, policy)
}
