"""Lines as writers of every kind make them: the scan says of each what the whole cohort says."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redcell.api import moment_of
from redcell.knowledge.load import knowledge
from redcell.population.cohort import cohort
from redcell.population.hemoglobin import COLUMNS, hemoglobin
from redcell.population.reading import pieces, search

AT = moment_of("2026-11-20T09:00:00Z")
CODES = ("718-7", "59260-0", "30313-1", "20509-6")
STATUS = (
    *("final", "amended", "corrected", "preliminary", "entered-in-error"),
    *("cancelled", "registered", "unknown", "new"),
)
TIMES = ("2026-11-19T08:00:00Z", "2026-11-19T08:00:00Z", "2026-11-20", "2026-11-10T23:00:00-05:00")
UNITS = (("g/dL", 1.0), ("g/L", 10.0), ("mmol/L", 0.62058), ("mg/dL", 1000.0), ("", 1.0))


def person(name):
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1970-01-01"}


@st.composite
def counts(draw, number=0):
    """A hemoglobin in one of the forms that FHIR allows, and in some that it does not."""
    unit, factor = draw(st.sampled_from(UNITS))
    quantity = {"value": round(draw(st.integers(60, 150)) / 10 * factor, 4), "unit": unit}
    coding = {"system": "http://loinc.org", "code": draw(st.sampled_from(CODES))}
    code = {"coding": [coding], "text": draw(st.sampled_from(["Hb", 'a "b" \\ c', "H\u00e4m"]))}
    made = {
        "resourceType": "Observation",
        "id": f"o{draw(st.integers(0, 30))}-{number}",
        "status": draw(st.sampled_from(STATUS)),
        "subject": {"reference": f"Patient/{draw(st.sampled_from(['a', 'b', 'c']))}"},
        "effectiveDateTime": draw(st.sampled_from(TIMES)),
    }
    if draw(st.booleans()):
        made |= {"code": code, "valueQuantity": quantity}
    else:
        panel = {"coding": [{"system": "http://loinc.org", "code": "58410-2"}]}
        made |= {"code": panel, "component": [{"code": code, "valueQuantity": quantity}]}
    match draw(st.integers(0, 9)):
        case 0:
            made["contained"] = [{"resourceType": "Group", "effectiveDateTime": "2020-01-01"}]
            made["effectiveInstant"] = made.pop("effectiveDateTime")
        case 1:
            made["effectivePeriod"] = {"start": made.pop("effectiveDateTime")}
        case 2:
            made["issued"] = "2026-11-19T10:00:00Z"
        case 3:
            made["dataAbsentReason"] = {"text": "unknown"}
    return made


def escaped(text):
    return text.replace("-7", "\\u002d7").replace("Patient", "\\u0050atient")


WAYS = (
    lambda made: json.dumps(made, separators=(",", ":")),
    lambda made: json.dumps(made, separators=(",", ":"), ensure_ascii=False),
    json.dumps,
    lambda made: json.dumps(made, separators=(" ,\t", " : ")),
    lambda made: escaped(json.dumps(made, separators=(",", ":"))),
    lambda made: json.dumps(dict(reversed(made.items())), separators=(",", ":")),
    lambda made: json.dumps(made)[:-1] + ', "status": "final"}',
    lambda made: (
        json.dumps(made, separators=(",", ":"))[:-1] + ',"effectiveDateTime":"2020-01-01"}'
    ),
    lambda made: json.dumps(made)[:-3],
)
"""Compact, with and without escapes, spaced, oddly spaced, all escaped, reversed; a key given twice
in two ways; broken off."""

sources = st.tuples(
    st.lists(st.tuples(counts(), st.sampled_from(WAYS)), max_size=12),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def write(folder, drawn):
    """Files of the lines: their ends, a byte-order mark, the last line's end, packed or not."""
    lines, end, marked, ended, packed = drawn
    texts = [*map(json.dumps, map(person, "abc")), *(way(made) for made, way in lines)]
    text = end.join(texts) + (end if ended else "")
    data = (b"\xef\xbb\xbf" if marked else b"") + text.encode()
    (folder / "x.ndjson").write_bytes(gzip.compress(data) if packed else data)
    return folder


@settings(max_examples=40)
@given(sources, st.integers(100, 5000), st.booleans())
def test_value_and_time_are_those_of_the_cohort(tmp_path_factory, drawn, block, without):
    source = write(tmp_path_factory.mktemp("lines"), drawn)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "BLOCK", block)
        if without:
            patch.setattr(search, "_finders", lambda groups: [])
        scan = hemoglobin(source, AT, knowledge(), workers=1)
    full, _ = cohort(source, AT, knowledge(), workers=1, forecasts=False)
    assert scan.select(COLUMNS[:3]).equals(full.select(COLUMNS[:3]))
    plain = full["status"] != "provisional"
    assert scan.filter(plain)["ctcae_grade"].equals(full.filter(plain)["ctcae_grade"])


@given(st.lists(st.sampled_from([b"718-7", b"1718-70", b"\n", b"\\", b"Patient", b"x"])))
def test_with_and_without_the_library_the_same_lines_are_found(parts):
    block = b"".join(parts)
    texts = (b"718-7", b"\\", b"Patient")
    fast, slow = search.Search(*texts), search.Search(*texts)
    slow._finders = []
    assert list(fast.lines(block)) == list(slow.lines(block))
    assert fast.finds(block) == slow.finds(block)


def test_a_broken_file_gives_what_came_before(tmp_path):
    lines = [json.dumps(person("a"))]
    made = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/a"},
        "effectiveDateTime": "2026-11-19",
        "valueQuantity": {"value": 9.1, "unit": "g/dL"},
    }
    lines += [json.dumps(made | {"id": f"o{n}"}) for n in range(3000)]
    data = gzip.compress("\n".join(lines).encode())
    (tmp_path / "x.ndjson").write_bytes(data[:-40])
    with pytest.warns(UserWarning, match="x.ndjson: not a whole gzip file"):
        scan = hemoglobin(tmp_path, AT, knowledge(), workers=1)
    full, _ = cohort(tmp_path, AT, knowledge(), workers=1, forecasts=False)
    assert scan["hemoglobin_g_dl"].to_list() == [9.1]
    assert scan.select(COLUMNS[:3]).equals(full.select(COLUMNS[:3]))
