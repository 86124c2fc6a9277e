"""Lines that are alike are read as the reader of single resources reads them, each by itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from redcell.api import moment_of
from redcell.errors import RedcellError
from redcell.knowledge.load import knowledge
from redcell.population.patient import record_of
from redcell.population.reading.lines import Lines
from redcell.population.synthesize import people
from redcell.sources.fhir.alike import LONGEST, MOLDS, Molds
from redcell.sources.fhir.mold import mold_of
from redcell.sources.fhir.read import RawResource, decode, read_patient_record
from redcell.sources.fhir.reread import Rereader, rereader
from redcell.sources.terms import terms

AT = moment_of("2026-11-20T09:00:00Z")
VIGNETTES = sorted((Path(__file__).parent.parent / "vignettes").rglob("*.json"))


def one_by_one(patient):
    aside, counts, known = [], {}, terms(knowledge())
    located = decode((RawResource(*line) for line in patient.lines), aside, counts)
    return read_patient_record(located, known, aside, counts, patient.patient, ())


def outcome(read, *given):
    try:
        return read(*given)
    except RedcellError as error:
        return type(error), str(error)


def same(patient):
    """The record of a patient, told alike both ways."""
    found = outcome(record_of, patient, knowledge(), [])
    assert found == outcome(one_by_one, patient)
    return found


def placed(name, lines):
    return Lines(name, [(f"file:{n}", line) for n, line in enumerate(lines, 1)])


@pytest.fixture(scope="module")
def persons():
    """Each with the lines of the last weeks."""
    found = []
    for person in people(12, seed=3, at=AT, months=2):
        lines = [json.dumps(r, separators=(",", ":")).encode() for r in person.resources]
        found.append((person.id, lines))
    return found


def test_invented_people_are_read_alike(persons):
    rereader.cache_clear()
    for _ in range(2):
        taken = Counter()
        for name, lines in persons:
            patient = placed(name, lines)
            same(patient)
            groups, _ = MOLDS.parted(patient.lines)
            taken += rereader(knowledge()).take(name, groups).counts
    for kind, share in (("Observation", 0.9), ("QuestionnaireResponse", 0.5)):
        begin = f'{{"resourceType":"{kind}"'.encode()
        lines = sum(line.startswith(begin) for _, lines in persons for line in lines)
        assert taken[kind] > lines * share


@pytest.mark.parametrize("path", VIGNETTES[::7], ids=lambda path: path.stem)
def test_vignettes_are_read_alike(path):
    bundle = json.loads(path.read_text())
    resources = [entry["resource"] for entry in bundle.get("entry", ())]
    names = [r["id"] for r in resources if r["resourceType"] == "Patient"]
    lines = [json.dumps(r, separators=(",", ":")).encode() for r in resources]
    for name in names:
        same(placed(name, lines))
        same(placed(name, lines))


def observations_of(lines):
    """Where those stand that are read alike."""
    kinds = (b'"resourceType":"Observation"', b'"resourceType":"QuestionnaireResponse"')
    return [n for n, line in enumerate(lines) if any(kind in line for kind in kinds)]


class Pick:
    """Chance with a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def below(self, most):
        return int(self.rng.integers(most))

    def choice(self, among):
        return among[self.below(len(among))]

    def sample(self, among, size):
        return [among[at] for at in self.rng.permutation(len(among))[:size]]


WRITTEN = (
    *(b"1e400", b"NaN", b"01", b"1_0", b"-0", b"-0.0", b"9.1", b"91e-1", b"+9", b" 9 ", b"null"),
    *(b"9" * 32, b"9" * 33, b'"9"', b"9,8", b"9}", b'9,"value":8', b"\xd9\xa1"),
)
TIMES = (
    *("2026-10-01", "2026-10", "2026-10-01T10:00:00", "2026-10-01T10:00:60Z", "yesterday", ""),
    *("2026-10-01T10:00:00+14:00", "2026-10-01t10:00:00z", "9999-12-31T23:59:59-14:00"),
    *("2027-01-01T00:00:00Z", "2026-10-01T10:00:00Z\t"),
)
NAMES = ("", "a_b", "a" * 64, "a" * 65, "---", "\u00e4", "x y", "a/b", 'q\\"q')
BYTES = b'"\\{}[],:019az.-+eE \t\n\x00\x1f\x7f\xff'


def changed_number(line, pick):
    *before, rest = line.split(b'"value":')
    if not before:
        return line
    after = pick.below(len(before))
    rest = b'"value":'.join([*before[after + 1 :], rest])
    before, key = b'"value":'.join(before[: after + 1]), b'"value":'
    end = min(at for at in (rest.find(b","), rest.find(b"}")) if at >= 0)
    return before + key + pick.choice(WRITTEN) + rest[end:]


SOURCES = ("urn:redcell", "#1", "urn:redcell:translated:x")
FIELDS = (
    *(("id", name) for name in NAMES),
    *(("effectiveDateTime", time) for time in TIMES),
    *(("authored", time) for time in TIMES),
    *(("issued", time) for time in TIMES),
    *(("meta", {"lastUpdated": time, "versionId": "2"}) for time in TIMES),
    *(("meta", {"source": source}) for source in SOURCES),
    *(("status", status) for status in ("corrected", "entered-in-error", "cancelled", "odd")),
    *(("subject", {"reference": to}) for to in ("Patient/else", "http://a/Patient/1", "")),
    ("code", {"coding": [{"system": "http://loinc.org", "code": "99999-9"}]}),
    ("item", [{"linkId": "fatigue", "answer": [{"valueInteger": 2}]}]),
    ("item", [{"linkId": "fatigue", "answer": [{"valueString": "9.1"}]}, {"linkId": "odd"}]),
    *(("valueString", text) for text in ("high", "9.1", "")),
    *(("performer", [{"display": who}]) for who in ("A 1", "B\t2", "\u00e4 3", 'C "4"')),
)


def changed_field(line, pick):
    tree = json.loads(line) | dict([pick.choice(FIELDS)])
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=pick.below(2) == 0).encode()


def changed_bytes(line, pick):
    text = bytearray(line)
    for _ in range(1 + pick.below(2)):
        at = pick.below(len(text))
        match pick.below(3):
            case 0:
                text[at] = pick.choice(BYTES)
            case 1:
                text.insert(at, pick.choice(BYTES))
            case 2:
                del text[at]
    return bytes(text).replace(b"\n", b" ")


def twice(line, pick):
    key, _, rest = line.partition(b',"status"')
    return (
        key
        + pick.choice([b',"status":"final"', b',"issued":"2026-10-01T10:00:00Z"'])
        + (b',"status"' + rest)
    )


@pytest.mark.parametrize("seed", range(6))
def test_changed_lines_are_read_alike(persons, seed):
    pick = Pick(seed)
    for _ in range(40):
        name, whole = pick.choice(persons)
        lines = [line for line in whole if line.startswith(b'{"resourceType":"Patient"')]
        lines += pick.sample(whole, 20)
        same(placed(name, lines))
        change = pick.choice([changed_number, changed_field, changed_bytes, twice])
        for at in pick.sample(observations_of(lines), min(4, len(observations_of(lines)))):
            new = change(lines[at], pick)
            if pick.below(3) == 0:
                lines.append(new)  # another version of the resource
            else:
                lines[at] = new
        same(placed(name, lines))


def test_another_version_of_a_resource_is_left_to_the_reader(persons):
    name, lines = persons[0]
    patient = next(line for line in lines if b'{"resourceType":"Patient"' in line)
    count = next(line for line in lines if b'"718-7"' in line)
    later = count.replace(b'"lastUpdated":"2026', b'"lastUpdated":"2027')
    for given in ([count, later], [later, count], [count, count]):
        record = same(placed(name, [patient, *given]))
        assert len(record.results["hemoglobin"]) == 1


def test_a_name_that_is_cut_may_be_the_name_of_another(persons):
    name, lines = persons[0]
    patient = next(line for line in lines if b'{"resourceType":"Patient"' in line)
    one, other = [line for line in lines if b'"718-7"' in line][:2]
    whole, cut = json.loads(one) | {"id": "a" * 64}, json.loads(other) | {"id": "a" * 65}
    given = [json.dumps(r, separators=(",", ":")).encode() for r in (whole, cut)]
    same(placed(name, [patient, *given]))
    same(placed(name, [patient, *reversed(given)]))


def test_a_mold_is_not_made_of_what_seldom_repeats():
    known = b'{"resourceType":"Observation","id":"a","subject":{"reference":"Patient/1"},'
    timed = known + b'"effectiveDateTime":"2026-01-01"'
    assert mold_of("Observation", timed + b"}") is not None
    assert mold_of("Observation", known + b'"status":"final"}') is None
    for line, fits in (
        (timed + b"}", True),
        (timed + b',"note":[{"text":"new each time"}]}', False),
        (timed.replace(b'"a"', b'"\\u0061"') + b"}", False),
        (timed.replace(b'"a"', b'""') + b"}", False),
        (timed + b',"text":"%s"}' % (b"x" * LONGEST), False),
    ):
        for _ in range(2):
            groups, apart = Molds().parted([("", line)])
            assert bool(groups) == fits == (not apart)


def test_a_mold_and_what_fills_it_are_the_line(persons):
    molds, whole = Molds(), 0
    for name, lines in persons:
        given = placed(name, lines).lines
        groups, apart = molds.parted(given)
        found = [(one.place, zip(one.numbers, one.lines(), strict=True)) for one in groups]
        again = {place(number): line for place, each in found for number, line in each}
        again |= dict(given[at] for at in apart)
        assert again == dict(given)
        whole += len(groups)
    assert whole


def test_what_is_remembered_has_bounds(persons, monkeypatch):
    monkeypatch.setattr("redcell.sources.fhir.reread.ANSWERS", 50)
    monkeypatch.setattr("redcell.sources.fhir.reread.MOMENTS", 5)
    monkeypatch.setattr("redcell.sources.fhir.reread.MOST", 7)
    monkeypatch.setattr("redcell.sources.fhir.alike.MOST", 7)
    monkeypatch.setattr("redcell.sources.fhir.mold.LAYOUTS", 2)
    rereader.cache_clear()
    for name, lines in persons[:3]:
        same(placed(name, lines))
    rereader.cache_clear()


def test_molds_are_given_up_where_lines_are_not_alike():
    reader = Rereader(terms(knowledge()))
    line = (
        '{{"resourceType":"Observation","id":"o{0}","subject":{{"reference":"Patient/1"}},'
        '"effectiveDateTime":"2026-01-01T10:00:00Z","status":"final","code":{{"text":"{1}"}}}}'
    )
    words = ["".join(Pick(n).sample("ghijklmnopqrstuvwxyz", 12)) for n in range(2100)]
    lines = [("", line.format(n, word).encode()) for n, word in enumerate(words)]
    groups, apart = Molds().parted(lines)
    taken = reader.take("1", groups)
    assert len(taken.names) + len(taken.left) + len(apart) == len(lines)
    assert apart
