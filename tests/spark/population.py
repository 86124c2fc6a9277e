"""A messy folder of invented people: mixed types, gzip, shuffled lines, shared and bad ones."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256

from redcell.api import moment_of
from redcell.population.synthesize import people

AT = moment_of("2026-11-20T09:00:00Z")


def texts(count, months=2, seed=5):
    """Every resource of invented people, and what else a folder may hold."""
    found = [
        json.dumps(resource)
        for person in people(count, seed=seed, at=AT, months=months)
        for resource in person.resources
    ]
    return [*found, *shared(), *bad()]


def shared():
    """Two people who were given the same drug, named in two ways, one with escapes."""
    drug = {"resourceType": "Medication", "id": "m1", "code": {"text": "carboplatin"}}
    given = {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationReference": {"reference": "Medication/m1"},
        "effectiveDateTime": "2026-11-10",
    }
    yield json.dumps(drug)
    yield json.dumps({**drug, "id": "nobody-wants-it"})
    for number, person in enumerate(("ann", "bea", "cyd")):
        born = {"gender": "female", "birthDate": "1970-01-01"}
        yield json.dumps({"resourceType": "Patient", "id": person, **born})
        own = {**given, "id": f"a{number}", "subject": {"reference": f"Patient/{person}"}}
        yield (
            json.dumps(own)
            if number
            else json.dumps(own).replace("Medication/m", "Medication\\/\\u006d")
        )
        yield json.dumps({**own, "id": f"b{number}"})
        yield json.dumps(count(f"c{number}", person))


def count(name, owner, **more):
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{owner}"},
        "effectiveDateTime": "2026-11-19T08:00:00Z",
        "valueQuantity": {"value": 9.1, "unit": "g/dL"},
    } | more


def bad():
    yield '{"resourceType": "Observation", "id": '
    yield '{"resourceType": "Patient", "id": "b c"}'
    yield json.dumps({"resourceType": "Observation", "id": "x"})
    yield json.dumps({"some": "thing"})
    yield json.dumps({"resourceType": "Claim", "id": "c"})
    yield ""
    for number in range(3):
        yield json.dumps(count(f"z{number}", "zoe"))
    yield json.dumps(count("w", "ann", effectiveDateTime="yesterday"))
    yield json.dumps(count("v", "ann")).replace('"status"', '"status": "final", "status"')
    yield json.dumps({"resourceType": "Patient", "id": "kid", "birthDate": "2020-01-01"})
    link = [{"type": "replaced-by", "other": {"reference": "Patient/ann"}}]
    yield json.dumps({"resourceType": "Patient", "id": "ana", "active": False, "link": link})


def deletions():
    """As Bulk Data tells them: a lone count, a shared drug; a person, and a line that is none."""
    yield deletion("Observation/c1", "Observation/c2", "Medication/m1")
    yield deletion("https://ehr.example/fhir/Observation/w", "Patient/cyd")
    yield json.dumps(count("u", "ann"))


def deletion(*names):
    entries = [{"request": {"method": "DELETE", "url": name}} for name in names]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def write(folder, count, *, files=4, seed=3, **more):
    """The folder: lines dealt over files by chance, every other file gzipped, some no NDJSON."""
    lines = sorted(texts(count, **more), key=lambda text: sha256(f"{seed}{text}".encode()).digest())
    (folder / "deep").mkdir(parents=True)
    for number in range(files):
        data = "".join(f"{line}\n" for line in lines[number::files]).encode()
        place = folder / "deep" if number % 4 == 0 else folder
        if number % 2:
            (place / f"part-{number}.gz").write_bytes(gzip.compress(data, 1))
        else:
            (place / f"part-{number}.ndjson").write_bytes(data.rstrip(b"\n"))
    (folder / "readme.md").write_text("# People\n\nof a trial\n")
    (folder / "bundle.json").write_text(
        '{"resourceType": "Bundle", "entry": [\n{"resource": {}}]}\n'
    )
    half = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    (folder / "broken.gz").write_bytes(half[: len(half) // 3])
    (folder / "empty.ndjson").write_bytes(b"")
    (folder / "deep" / "deleted.ndjson").write_text("".join(f"{line}\n" for line in deletions()))
    return folder
