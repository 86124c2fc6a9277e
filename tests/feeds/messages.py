"""Builders of HL7 v2 messages for the tests of the reader, the translation and the listener."""

from __future__ import annotations

SENT = "20261120080000+0000"


def msh(
    control="M1",
    sent=SENT,
    mode="P",
    kind="ORU^R01^ORU_R01",
    version="2.5.1",
    charset="",
    wants=("", ""),
):
    fields = ["MSH", "^~\\&", "LAB", "HOSP", "RC", "X", sent, "", kind, control, mode, version]
    return "|".join([*fields, "", "", *wants, "", charset]).rstrip("|")


def pid(identifier="417733^^^HOSP^MR", birth="19680214", sex="F", death="", name="DOE^JANE"):
    return f"PID|1||{identifier}||{name}||{birth}|{sex}" + ("|" * 21 + death if death else "")


def obr(number=1, filler="F1", time="20261120070000+0000", issued="", specimen="", placer=""):
    fields = [
        "OBR",
        str(number),
        placer,
        filler,
        "58410-2^CBC^LN",
        "",
        "",
        time,
        *[""] * 7,
        specimen,
    ]
    return "|".join([*fields, *[""] * 6, issued]).rstrip("|")


def obx(
    value="9.1", unit="g/dL", code="718-7^Hemoglobin^LN", kind="NM", status="F", span="12-16",
    time="", number=1, sub="",
):  # fmt: skip
    fields = ["OBX", str(number), kind, code, sub, value, unit, span, "", "", "", status]
    return "|".join([*fields, "", "", time]).rstrip("|") if time else "|".join(fields)


def oru(*segments, end="\r", **header):
    return end.join([msh(**header), *segments]).encode() + end.encode()


def cbc(*results, **header):
    return oru(pid(), obr(), *results, **header)


def adt(event, *segments, **header):
    return oru(f"EVN|{event}|20261120080000+0000", *segments, kind=f"ADT^{event}", **header)
