"""Every patient record of shared/data is read and assessed without a crash, and counted.

The data stay where they are: MIMIC's tables are joined into a temporary file, and nothing is
copied into the project. The last test holds the counts of each source against what was once read.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from redcell.errors import (
    DeceasedPatientError,
    SeveralPatientsError,
    UnderageError,
    UnreadableSourceError,
)
from redcell.knowledge.load import knowledge
from redcell.loop import ADULT_YEARS, run
from redcell.outputs.assessment import to_json
from redcell.record.moment import utc
from redcell.sources.fhir.times import moment
from redcell.sources.hl7v2 import read_messages
from redcell.sources.read import read
from redcell.sources.terms import terms

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"{DATA} is not here: public data lie beside the project"
)


def listed(folder, pattern):
    return sorted((DATA / folder).glob(pattern)) if DATA.is_dir() else []


def rows(folder, name):
    path = DATA / folder / name
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def review(record):
    """Assess at the newest count before death; `None` when redcell has no business there."""
    patient = record.patient
    times = [m.time for found in record.results.values() for m in found]
    alive = [time for time in times if not patient.died_by(time)]
    at = max(alive or times, default=None)
    if at is None:
        return None
    at = utc(at.time)
    age = patient.age_years(at)
    if patient.died_by(at):
        with pytest.raises(DeceasedPatientError):
            run(record, at, knowledge())
        return None
    if age is not None and age < ADULT_YEARS:
        with pytest.raises(UnderageError):
            run(record, at, knowledge())
        return None
    steps = run(record, at, knowledge())
    assert to_json(steps)
    return steps


@pytest.fixture(scope="module")
def tally():
    """Records, resources used, and things set aside, by source."""
    return defaultdict(lambda: [0, 0, 0])


def counted(record, tally, source):
    """Count what a record used and set aside; each thing set aside has a code and a sentence."""
    counts = tally[source]
    counts[0] += 1
    counts[1] += record.used
    counts[2] += len(record.set_aside)
    assert all(aside.code and aside.text for aside in record.set_aside)
    return record


def hemoglobins(record):
    return len(record.results.get("hemoglobin", ()))


# -- FHIR ------------------------------------------------------------------------------------------

HEMOGLOBINS = {
    # given name: hemoglobin values (the folder's README: 40 in all)
    "Abram": 3, "Aleta": 2, "Cheryll": 2, "Eddy": 2, "Filiberto": 3, "Gabriela": 8, "Lore": 4, "Nina": 2,
    "Sherman": 3, "Troy": 3, "Whitney": 8,
}  # fmt: skip
BUNDLES = listed("synthea-fhir-r4/bundles", "*.json")


@pytest.mark.parametrize("path", BUNDLES, ids=lambda p: p.stem.split("_")[0])
def test_synthea_bundle_and_the_same_person_from_ndjson(path, tally):
    record = counted(read(path), tally, "synthea bundles")
    conflicts = [
        a
        for a in record.set_aside
        if a.code == "conflicting-records" and "for hemoglobin" in a.text
    ]
    assert hemoglobins(record) + len(conflicts) == HEMOGLOBINS[path.stem.split("_")[0]]
    review(record)
    folder = DATA / "synthea-fhir-r4" / "ndjson"
    same = counted(read(folder, patient=record.patient.id), tally, "synthea ndjson")
    assert values(same) == values(record)
    assert same.patient == record.patient
    review(same)


def values(record):
    return {name: [(m.time, m.value) for m in found] for name, found in record.results.items()}


def test_the_ndjson_folder_needs_a_choice():
    with pytest.raises(SeveralPatientsError, match="11 patients"):
        read(DATA / "synthea-fhir-r4" / "ndjson")


def test_mcode_breast_bundle(tally):
    record = counted(read(DATA / "mcode-breast-bundle" / "fullBundle.json"), tally, "mcode")
    assert {d.drug for d in record.drugs} >= {"cyclophosphamide", "doxorubicin", "paclitaxel"}
    assert "breast-cancer" in {d.meaning for d in record.diagnoses}
    assert record.radiation
    steps = run(record, max(d.start for d in record.drugs if d.start is not None), knowledge())
    assert to_json(steps)


def test_us_core_cbc(tally):
    record = counted(read(DATA / "us-core-cbc"), tally, "us-core")
    assert {name: len(found) for name, found in record.results.items()} == dict.fromkeys(
        ("hematocrit", "hemoglobin", "leukocytes", "mch", "mchc", "mcv", "platelets", "rbc"), 1
    )
    assert record.results["hemoglobin"][0].value == 17.0
    review(record)


# -- HL7 v2 ----------------------------------------------------------------------------------------


def test_the_hemogram_is_a_test_message():
    with pytest.raises(UnreadableSourceError, match="MSH-11 is T"):
        read(DATA / "hl7v2-oru" / "LAB-ORU-2.hl7")


def test_the_hemogram_on_a_test_feed(tally):
    path = DATA / "hl7v2-oru" / "LAB-ORU-2.hl7"
    known = terms(knowledge())
    record = read_messages([(path.name, path.read_bytes())], known, None, allow_test=True)
    counted(record, tally, "hl7v2")
    assert {name: found[0].value for name, found in record.results.items()} == {"hematocrit": 39.7}
    codes = sorted({aside.code for aside in record.set_aside})
    assert codes == ["normalized", "unit-not-understood", "unmapped-code"]
    review(record)


def test_the_glucose_result(tally):
    record = counted(read(DATA / "hl7v2-oru" / "ORU-R01-RMGEAD.hl7"), tally, "hl7v2")
    assert (record.patient.id, record.patient.sex, str(record.patient.birth_date)) == (
        "555-44-4444", "female", "1962-03-20",
    )  # fmt: skip
    assert record.results == {}
    assert run(record, moment("2002-02-15T12:00:00Z")[0], knowledge())


# -- tables ----------------------------------------------------------------------------------------


@cache
def mimic():
    """Laboratory rows by patient, with the names and codes of d_labitems and who the patient is."""
    items = {item["itemid"]: item for item in rows("mimic-iii-demo", "d_labitems.csv")}
    who = {p["subject_id"]: p for p in rows("mimic-iii-demo", "patients.csv")}
    found = defaultdict(list)
    for event in rows("mimic-iii-demo", "labevents.csv"):
        item, person = items.get(event["itemid"], {}), who[event["subject_id"]]
        found[event["subject_id"]].append(
            {
                "subject_id": event["subject_id"], "charttime": event["charttime"],
                "label": item.get("label", ""), "loinc_code": item.get("loinc_code", ""),
                "fluid": item.get("fluid", ""), "category": item.get("category", ""),
                "value": event["value"], "valueuom": event["valueuom"], "flag": event["flag"],
                "gender": person["gender"], "dob": person["dob"], "dod": person["dod"],
                "itemid": event["itemid"],
            }
        )  # fmt: skip
    return found


@pytest.mark.parametrize(
    "patient", sorted(p["subject_id"] for p in rows("mimic-iii-demo", "patients.csv"))
)
def test_mimic(patient, tmp_path, tally):
    events = mimic()[patient]
    path = tmp_path / "labs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(events[0]))
        writer.writeheader()
        writer.writerows(events)
    record = counted(read(path), tally, "mimic")
    assert record.patient.id == patient
    sent = {
        (e["charttime"], float(e["value"]))
        for e in events
        if e["itemid"] == "51222" and e["value"].replace(".", "", 1).isdecimal()
    }
    kept = {
        (f"{m.time.time:%Y-%m-%d %H:%M:%S}", m.value) for m in record.results.get("hemoglobin", ())
    }
    times = {time for time, _ in kept}
    assert {time for time, _ in sent} <= times
    assert len(sent - kept) <= len([a for a in record.set_aside if a.code == "conflicting-records"])
    review(record)


SUBJECTS = sorted(
    {r["USUBJID"] for r in rows("cdisc-pilot-lb", "lb.csv") if r["LBTESTCD"] == "HGB"}
)


def test_the_pilot_study_has_82_people_with_hemoglobin():
    assert len(SUBJECTS) == 82


def test_the_pilot_study_needs_a_choice():
    with pytest.raises(SeveralPatientsError, match="patients"):
        read(DATA / "cdisc-pilot-lb" / "lb.csv")


@cache
def pilot():
    found = defaultdict(list)
    for row in rows("cdisc-pilot-lb", "lb.csv"):
        if row["LBTESTCD"] == "HGB":
            found[row["USUBJID"]].append(row)
    return found


@pytest.mark.parametrize("subject", SUBJECTS)
def test_cdisc_pilot(subject, tally):
    record = counted(read(DATA / "cdisc-pilot-lb" / "lb.csv", patient=subject), tally, "cdisc")
    sent = pilot()[subject]
    assert {row["LBORRESU"] for row in sent} == {"g/dL"}
    kept = {str(m.time)[:16]: m for m in record.results["hemoglobin"]}
    for row in sent:
        found = kept[row["LBDTC"]]
        assert (found.value, found.ucum) == (float(row["LBORRES"]), "g/dL")
        assert (found.low, found.high) == (float(row["LBORNRLO"]), float(row["LBORNRHI"]))
    assert len(kept) == len({row["LBDTC"] for row in sent})
    review(record)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("g6pd-primaquine", "PQdat.csv"), ("synthea-omop", "MEASUREMENT.csv"), ("ctcae-lab-grades", "ctcae-v5.0-lab.csv"),
     ("cdisc-pilot-lb", "dm.csv"), ("mimic-iii-demo", "labevents.csv")],
)  # fmt: skip
def test_a_table_of_another_kind_is_refused_with_its_reason(folder, name):
    with pytest.raises(UnreadableSourceError, match="no laboratory result was read"):
        read(DATA / folder / name)


FLOOR = {
    # source: records, resources used at least, set aside when this was written
    "synthea bundles": (11, 1008, 1141),  # "Seizure disorder" is a diagnosis, not a report
    "synthea ndjson": (11, 998, 1141),
    "mcode": (1, 9, 19),
    "us-core": (1, 8, 0),
    "hl7v2": (2, 1, 13),
    "mimic": (36, 11942, 3854),
    "cdisc": (82, 5815, 550),
}


@pytest.mark.parametrize("source", FLOOR)
def test_no_source_is_read_less_than_before(source, tally):
    records, used, _ = FLOOR[source]
    if tally[source][0] < records:
        pytest.skip("only part of this file ran")
    assert tally[source][0] == records
    assert tally[source][1] >= used
