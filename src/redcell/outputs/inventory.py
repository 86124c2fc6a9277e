"""What was read from a source, what was set aside, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from redcell.record.record import Record

CODED = "coded results"


def as_text(record: Record) -> str:
    """The inventory for people: counts, the newest of each, then one line per problem."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Record) -> Iterator[str]:
    patient = record.patient
    yield f"{patient.reference}: {patient.sex}, born {patient.birth_date or 'unknown'}"
    yield f"read from {', '.join(record.sources) or 'memory'}; {record.used} resources used"
    yield ""
    for name, rows in sorted(record.results.items()):
        times = (
            f"{rows[0].time.day} to {rows[-1].time.day}" if len(rows) > 1 else str(rows[0].time.day)
        )
        yield f"  {name:<26} {len(rows):>4}   {times:<26} newest {rows[-1]}"
    for name, coded in sorted(record.coded.items()):
        yield f"  {name:<26} {len(coded):>4}   newest {coded[-1]}"
    for name, count in _other(record).items():
        yield f"  {name:<26} {count:>4}"
    yield ""
    if not record.set_aside:
        yield "Nothing was set aside."
        return
    total = Counter(s.code for s in record.set_aside)
    counted = ", ".join(f"{n} {code}" for code, n in sorted(total.items()))
    yield f"Set aside or noted, {len(record.set_aside)}: {counted}"
    for aside in record.set_aside:
        place = "" if not aside.place or aside.place in aside.text else f"{aside.place} "
        yield f"  {aside.code}: {place}{aside.text}"


def _other(record: Record) -> dict[str, int]:
    counts = {
        "symptom reports": sum(len(r) for r in record.symptoms.values()),
        "drug records": len(record.drugs),
        "radiotherapy courses": len(record.radiation),
        "red-cell transfusions": len(record.transfusions),
        "diagnoses": len(record.diagnoses),
        "refusals": len(record.refusals),
        "goals of care": len(record.goals),
    }
    return {name: count for name, count in counts.items() if count}


def as_json(record: Record) -> bytes:
    """The inventory for programs."""
    data = {
        "patient": record.patient.id,
        "sources": record.sources,
        "used": record.used,
        "results": {name: len(rows) for name, rows in sorted(record.results.items())},
        "coded": {name: len(rows) for name, rows in sorted(record.coded.items())},
        **{name.replace(" ", "_").replace("-", "_"): n for name, n in _other(record).items()},
        "set_aside": record.set_aside,
    }
    return msgspec.json.format(msgspec.json.encode(data), indent=1) + b"\n"
