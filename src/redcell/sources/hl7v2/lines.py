"""The results of one message in their places: whose, under which order, with which notes."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from redcell.sources.hl7v2.observed import Order, open_order
from redcell.sources.hl7v2.segments import Field, Segment

ORDER_STATUS = 25
"""Field of OBR: the status of the whole order."""
CONFIDENTIALITY = 28
"""Field of ORC."""
FINAL, CORRECTED = "F", "C"
CONDITION, REJECTED = 24, 21
"""Fields of SPM: the condition of the specimen, and why it was rejected."""


class Line(Struct):
    """One OBX, the PID that it stands under, the order above it and the notes under it."""

    pid: Segment | None
    order: Order
    obx: Segment
    notes: list[str]


def lines_of(segments: Iterable[Segment]) -> list[Line]:
    """Every OBX of a message. What stands under an order applies to all of its results."""
    none = Segment("", ())
    order, orders, common, last = open_order(none, 0, none, none[0]), 0, none, none
    pid: Segment | None = None
    found: list[Line] = []
    notes: list[str] = []
    for segment in segments:
        if segment.name == "OBX":
            found.append(Line(pid, order, segment, []))
            notes = found[-1].notes
            continue
        if segment.name == "NTE":
            notes.append(segment[3].raw)
            continue
        notes = []
        if segment.name == "PID":
            pid, last = segment, none
        elif segment.name == "ORC":
            common = last = segment
        elif segment.name == "OBR":
            orders += 1
            order, common = open_order(segment, orders, common, last[CONFIDENTIALITY]), none
            notes = order.notes
        elif segment.name == "SPM":
            order.specimens.append(segment[4])
            order.conditions += _said(segment[CONDITION]) + _said(segment[REJECTED])
    return found


def letter_of(line: Line) -> str:
    """OBX-11. A final result of an order that was corrected as a whole (OBR-25) is corrected."""
    letter = line.obx[11].part().upper()
    whole = line.order.request[ORDER_STATUS].part().upper()
    return CORRECTED if (letter, whole) == (FINAL, CORRECTED) else letter


def _said(field: Field) -> list[str]:
    """The text of a coded field, else its code, for each repetition."""
    texts = (field.part(2, n) or field.part(1, n) for n in range(len(field.repeats)))
    return [text for text in texts if text]
