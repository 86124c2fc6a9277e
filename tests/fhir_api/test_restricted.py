"""S14: what is restricted is used by every rule, and leaves for nobody who may not see it."""

from __future__ import annotations

import json
import logging
from base64 import b64decode

import pytest
from structlog.testing import capture_logs

from fhir_api.conftest import ADMIN, NURSE, patient_caller
from fhir_api.resources import bundle, entry, hemoglobin, patient
from redcell import clock
from redcell.clinic import refresh
from redcell.clinic.sensitivity.labels import ACT, CONFIDENTIALITY
from redcell.clinic.settings import Sensitivity
from redcell.clinic.worker import Worker
from redcell.identity.caller import Caller
from redcell.sources.read import EXAMPLES

pytestmark = pytest.mark.trust("S14")

TELLTALE = "zebrafish"
"""Stands in what is restricted, and nowhere else."""
R = {"system": CONFIDENTIALITY, "code": "R"}
V = {"system": CONFIDENTIALITY, "code": "V"}
HIV = {"system": ACT, "code": "HIV"}
ALL = frozenset({"user/*.cruds", "system/*.cruds", "patient/*.cruds"})
APP = Caller(account="app-of-joy", roles=frozenset({"nurse"}), scopes=ALL)
BACKEND = Caller(account="warehouse", roles=frozenset({"feed"}), scopes=ALL)
OWN_APP = Caller(
    account="phone", roles=frozenset({"patient"}), people=frozenset({"a"}), own="a", scopes=ALL,
    launched="a",
)  # fmt: skip
MOTHER = Caller(account="mother", roles=frozenset({"proxy"}), people=frozenset({"a"}))
OWN = Caller(account="ann", roles=frozenset({"patient"}), people=frozenset({"a"}), own="a")
OPENED = Caller(account="joy", roles=frozenset({"nurse"}), glass=frozenset({"a"}))
OPENED_OKAFOR = Caller(account="joy", roles=frozenset({"nurse"}), glass=frozenset({"okafor"}))
OUTSIDE = pytest.mark.parametrize(
    "caller", [APP, BACKEND, MOTHER], ids=["app", "backend", "family"]
)


def secret(rid: str, who: str, *labels: dict, kind: str = "Condition", **more) -> dict:
    return {
        "resourceType": kind,
        "id": rid,
        "meta": {"security": list(labels)},
        "subject": {"reference": f"Patient/{who}"},
        "code": {"coding": [{"system": "urn:codes", "code": TELLTALE, "display": TELLTALE}]},
        "note": [{"text": f"About {TELLTALE}."}],
        **more,
    }


REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "report",
    "status": "final",
    "code": {"text": "Panel"},
    "subject": {"reference": "Patient/a"},
    "result": [
        {"reference": "Observation/open"},
        {"reference": "Observation/lab/_history/1", "display": TELLTALE},
    ],
}


@pytest.fixture
def kept(api):
    """One person with open, restricted and very restricted facts, and one with open ones alone."""
    lab = hemoglobin("lab", "a", 9.1, meta={"security": [R]}, note=[{"text": TELLTALE}])
    sent = [patient("a"), patient("b", "2"), hemoglobin("open", "a", 8.1), hemoglobin("of-b", "b")]
    sent += [lab, secret("very", "a", V), secret("hiv", "a", HIV), REPORT]
    entries = [entry("PUT", f"{one['resourceType']}/{one['id']}", one) for one in sent]
    answer = api.post("", bundle("transaction", *entries))
    assert answer.status_code == 200, answer.text
    return api


def outcomes(answer) -> list[dict]:
    entries = answer.json().get("entry", ())
    return [e["resource"] for e in entries if e.get("search", {}).get("mode") == "outcome"]


def codes(answer) -> list[str]:
    return [issue["code"] for one in outcomes(answer) for issue in one["issue"]]


def audited(api) -> list[tuple]:
    with api.clinic.database.read() as connection:
        query = "select actor, what, person, outcome from audit order by seq"
        return list(connection.exec_driver_sql(query).all())


HIDDEN = ("Observation/lab", "Condition/very", "Condition/hiv")
ASKED = (
    "Observation?patient=a",
    "Observation?code=718-7&_id=lab,open",
    "Condition?patient=a",
    f"Condition?patient=a&code={TELLTALE}",
    "Condition",
    "Condition?_summary=count",
    f"Condition?code={TELLTALE}",
    "DiagnosticReport?patient=a",
    "DiagnosticReport/report",
    "DiagnosticReport/report/_history",
    "DiagnosticReport/report/_history/1",
    "Patient/a/$everything?_count=500",
    "Provenance?patient=a",
    *HIDDEN,
    *(f"{name}/_history" for name in HIDDEN),
    *(f"{name}/_history/1" for name in HIDDEN),
)


@OUTSIDE
def test_the_text_is_in_no_answer_and_no_log(kept, caller, caplog):
    kept.as_(caller)
    batch = bundle("batch", *(entry("GET", one) for one in ASKED if "$" not in one))
    caplog.set_level(logging.WARNING, "httpx")  # the test's own client
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        answers = [kept.get(one) for one in ASKED]
        if not caller.has("proxy", "patient"):
            answers.append(kept.post("", batch))
    asked_for = f"code={TELLTALE}"  # a search repeats what it was asked, in its own address
    for answer in answers:
        assert TELLTALE not in answer.text.replace(asked_for, ""), answer.url
        assert TELLTALE not in str(answer.headers)
    assert TELLTALE not in caplog.text
    assert TELLTALE not in str(logs)
    assert TELLTALE not in str(audited(kept))


@OUTSIDE
def test_a_read_is_refused_logged_and_audited(kept, caller):
    for name in HIDDEN:
        for place, route in (("", "read"), ("/_history", "history"), ("/_history/1", "vread")):
            with capture_logs() as logs:
                answer = kept.as_(caller).get(name + place)
            assert answer.status_code == 403
            (issue,) = answer.json()["issue"]
            assert issue["code"] == "suppressed"
            (refused,) = [one for one in logs if one["event"] == "refused"]
            assert refused["route"] == f"fhir-{route}"
            assert audited(kept)[-1] == (caller.account, f"fhir/{name}{place}", "a", "refused")
    assert kept.get("Observation/open").status_code == 200


def test_who_may_not_see_the_person_learns_nothing_of_them(kept):
    other = patient_caller("b")
    assert kept.as_(other).get("Condition/very").status_code == 404
    assert kept.get("Condition/none").status_code == 404


@OUTSIDE
def test_a_search_says_that_something_is_missing_whatever_it_asks_for(kept, caller):
    kept.as_(caller)
    bundles = [
        kept.get(one)
        for one in (
            "Observation?patient=a",
            "Condition?patient=a",
            f"Condition?patient=a&code={TELLTALE}",
            "Condition?patient=a&code=no-such-code",
            "Patient/a/$everything",
        )
    ]
    assert [codes(one) for one in bundles] == [["suppressed"]] * len(bundles)
    assert kept.ids("Observation?patient=a") == ["open"]
    assert kept.ids("Condition?patient=a") == []
    assert kept.get("Condition?patient=a").json()["total"] == 0


def test_of_who_has_nothing_restricted_nothing_is_said(kept):
    assert codes(kept.as_(APP).get("Observation?patient=b")) == []
    assert kept.ids("Observation?patient=b") == ["of-b"]


def test_searches_over_everybody(kept):
    assert kept.as_(BACKEND).ids("Condition") == []
    assert codes(kept.get("Condition")) == ["suppressed"]
    assert kept.ids("Observation") == ["of-b", "open"]
    assert kept.get("Observation?_summary=count").json()["total"] == 2
    assert kept.as_(NURSE).get("Observation?_summary=count").json()["total"] == 3
    assert kept.get("Condition?_summary=count").json()["total"] == 0


def test_what_refers_to_something_withheld_loses_the_reference(kept):
    found = kept.as_(APP).get("DiagnosticReport/report").json()
    assert found["result"] == [{"reference": "Observation/open"}, {"display": "withheld"}]
    own = kept.as_(OWN).get("DiagnosticReport/report").json()
    assert own["result"] == REPORT["result"]
    traced = kept.as_(APP).get("Provenance?patient=a").text
    assert "Observation/open" in traced
    assert not any(name in traced for name in HIDDEN)


def test_the_care_team_sees_what_is_restricted_and_behind_glass_the_rest(kept):
    assert kept.as_(NURSE).get("Observation/lab").status_code == 200
    assert [kept.get(f"Condition/{rid}").status_code for rid in ("very", "hiv")] == [403, 403]
    assert codes(kept.get("Condition?patient=a")) == ["suppressed"]
    kept.as_(OPENED)
    assert [kept.get(name).status_code for name in HIDDEN] == [200, 200, 200]
    assert codes(kept.get("Condition?patient=a")) == []


@pytest.mark.parametrize("caller", [OWN, OWN_APP], ids=["pages", "own-app"])
def test_the_person_sees_their_own_and_so_does_the_app_that_they_let_in(kept, caller):
    assert [kept.as_(caller).get(name).status_code for name in HIDDEN] == [200, 200, 200]
    assert codes(kept.get("Patient/a/$everything")) == []


def test_the_site_says_which_roles_and_programs_see_more(kept):
    from msgspec.structs import replace

    named = Sensitivity(very_restricted_roles=("nurse",), clients=("warehouse",))
    kept.clinic.settings = replace(kept.clinic.settings, sensitivity=named)
    assert kept.as_(NURSE).get("Condition/very").status_code == 200
    assert kept.as_(BACKEND).get("Condition/very").status_code == 200
    assert kept.as_(APP).get("Condition/very").status_code == 403


# -- versions, writes ------------------------------------------------------------------------------


def test_a_label_covers_the_past_and_a_lifted_one_leaves_the_past_covered(kept):
    open_now = hemoglobin("open", "a", 8.2, meta={"security": [R]})
    lifted = hemoglobin("lab", "a", 9.2)
    for one in (open_now, lifted):
        assert kept.as_(NURSE).put(f"Observation/{one['id']}", one).status_code == 200
    kept.as_(APP)
    assert kept.get("Observation/open/_history/1").status_code == 403
    assert kept.get("Observation/open/_history").status_code == 403
    assert kept.get("Observation/lab").json()["valueQuantity"]["value"] == 9.2
    past = kept.get("Observation/lab/_history")
    assert past.json()["total"] == 1
    said = [e["response"]["outcome"] for e in past.json()["entry"] if "outcome" in e["response"]]
    assert [one["issue"][0]["code"] for one in said] == ["suppressed"]
    assert TELLTALE not in past.text
    assert kept.get("Observation/lab/_history/1").status_code == 403


def test_who_may_not_see_it_cannot_lift_its_label_nor_read_it_by_writing(kept):
    sent = hemoglobin("lab", "a", 9.3)
    answer = kept.as_(BACKEND).put("Observation/lab", sent)
    assert answer.status_code == 200
    assert answer.json()["issue"][0]["code"] == "suppressed"
    assert kept.as_(NURSE).get("Observation/lab").json()["meta"]["security"] == [R]
    headers = {"If-None-Exist": f"code={TELLTALE}&patient=a"}
    again = kept.as_(BACKEND).post("Condition", secret("x", "a", R), headers=headers)
    assert again.status_code == 412
    sent = entry("POST", "Condition", secret("x", "a"), ifNoneExist="_id=very")
    done = kept.post("", bundle("transaction", sent))
    assert done.status_code == 200
    assert TELLTALE not in done.text


# -- consent ---------------------------------------------------------------------------------------

TYPES = "http://hl7.org/fhir/resource-types"


def refusal(provision: dict, rid: str = "no") -> dict:
    scope = "http://terminology.hl7.org/CodeSystem/consentscope"
    return {
        "resourceType": "Consent",
        "id": rid,
        "status": "active",
        "scope": {"coding": [{"system": scope, "code": "patient-privacy"}]},
        "category": [{"text": "sharing"}],
        "patient": {"reference": "Patient/b"},
        "provision": {"type": "deny", **provision},
    }


def test_a_refusal_to_share_withholds_what_it_names_from_whom_it_names(kept):
    proxy = Caller(account="p", roles=frozenset({"proxy"}), people=frozenset({"b"}))
    named = {
        "class": [{"system": TYPES, "code": "Observation"}],
        "actor": [{"role": {"text": "x"}, "reference": {"reference": "Organization/1"}}],
    }
    assert kept.as_(NURSE).put("Consent/no", refusal(named)).status_code == 201
    assert kept.as_(APP).get("Observation/of-b").status_code == 403
    assert kept.get("Patient/b").status_code == 200
    assert codes(kept.get("Observation?patient=b")) == ["suppressed"]
    assert kept.ids("Observation") == ["open"]
    assert kept.as_(proxy).get("Observation/of-b").status_code == 200
    assert kept.as_(NURSE).get("Observation/of-b").status_code == 200
    ended = refusal(named) | {"status": "inactive"}
    assert kept.put("Consent/no", ended).status_code == 200
    assert kept.as_(APP).get("Observation/of-b").status_code == 200


def test_a_refusal_that_cannot_be_read_withholds_the_person(kept):
    unclear = refusal({"code": [{"text": "what my employer must not know"}]})
    assert kept.as_(NURSE).put("Consent/no", unclear).status_code == 201
    for name in ("Patient/b", "Observation/of-b", "Consent/no"):
        assert kept.as_(APP).get(name).status_code == 403
        assert kept.as_(NURSE).get(name).status_code == 200
    everything = kept.as_(APP).get("Patient/b/$everything")
    assert everything.json()["total"] == 0
    assert codes(everything) == ["suppressed"]


def test_a_refusal_does_not_tell_whom_it_binds_what_it_is_about(kept):
    about = refusal({"securityLabel": [HIV]}) | {"patient": {"reference": "Patient/a"}}
    assert kept.as_(NURSE).put("Consent/no", about).status_code == 201
    for caller in (APP, MOTHER, BACKEND):
        assert kept.as_(caller).get("Consent/no").status_code == 403
        assert kept.get("Consent/no/_history/1").status_code == 403
        assert kept.ids("Consent?patient=a") == []
    for caller in (NURSE, OWN, OWN_APP):
        assert kept.as_(caller).get("Consent/no").status_code == 200
    assert kept.as_(NURSE).put("Consent/no", about | {"status": "inactive"}).status_code == 200
    assert kept.as_(APP).get("Consent/no").status_code == 200
    assert kept.get("Consent/no/_history/1").status_code == 403


def test_the_audit_of_a_person_names_nothing_that_is_withheld(kept):
    for name in (*HIDDEN, "Observation/open"):
        kept.as_(OPENED).get(name)
        kept.get(f"{name}/_history/1")
    seen = kept.as_(MOTHER).get("AuditEvent?patient=a").json()["entry"]
    texts = [json.dumps(e["resource"]) + said_in(e["resource"]) for e in seen]
    assert sum("Observation/open" in text for text in texts) == 2
    assert sum("withheld" in text for text in texts) >= 2 * len(HIDDEN)
    for one, text in zip(seen, texts, strict=True):
        alone = json.dumps(kept.get(f"AuditEvent/{one['resource']['id']}").json())
        assert not any(name in part for name in HIDDEN for part in (text, alone))
    for who in (OWN, OWN_APP, ADMIN):
        assert all(name in kept.as_(who).get("AuditEvent?patient=a").text for name in HIDDEN)


def said_in(event: dict) -> str:
    """What an audit entry says was asked for, which FHIR has in base64."""
    return " ".join(b64decode(e["query"]).decode() for e in event["entity"] if "query" in e)


def test_a_labeled_drug_that_names_nobody_is_that_of_whoever_takes_it(kept):
    drug = {"resourceType": "Medication", "id": "drug", "code": {"text": TELLTALE}}
    use = {
        "resourceType": "MedicationAdministration",
        "id": "use",
        "status": "completed",
        "medicationReference": {"reference": "Medication/drug", "display": TELLTALE},
        "subject": {"reference": "Patient/a"},
        "effectiveDateTime": "2026-11-20",
    }
    labeled = drug | {"meta": {"security": [HIV]}}
    assert kept.as_(NURSE).put("Medication/drug", labeled).status_code == 201
    assert kept.put("MedicationAdministration/use", use).status_code == 201
    for caller in (APP, BACKEND, MOTHER, NURSE):
        told = kept.as_(caller).get("MedicationAdministration/use")
        assert told.json()["medicationReference"] == {"display": "withheld"}
    for caller in (OWN, OWN_APP, OPENED):
        told = kept.as_(caller).get("MedicationAdministration/use")
        assert told.json()["medicationReference"] == use["medicationReference"]


# -- conclusions -----------------------------------------------------------------------------------


def okafor(api, *labels: dict, of: str = "Observation") -> None:
    sent = json.loads((EXAMPLES / "okafor.json").read_bytes())
    for one in sent["entry"]:
        if labels and one["resource"]["resourceType"] == of:
            one["resource"] |= {"meta": {"security": list(labels)}}
    assert api.as_(NURSE).post("", sent).status_code == 200
    while Worker(api.clinic).step():
        pass


def assessed(api) -> dict:
    at = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
    with api.clinic.database.read() as connection:
        basis = refresh.Basis(api.clinic.basis().knowledge)
        return refresh.assess(connection, "okafor", basis, at=at).out


def test_labels_change_no_assessment(api):
    okafor(api)
    before = assessed(api)
    okafor(api, V)
    assert assessed(api) == before
    okafor(api, V, of="MedicationAdministration")
    assert assessed(api) == before


def concluded(api) -> set[str]:
    found = api.get("Patient/okafor/$everything?_count=1000&_source=urn:redcell").json()
    shown = [e["resource"] for e in found["entry"] if e["search"]["mode"] == "match"]
    return {f"{one['resourceType']}/{one['id']}" for one in shown}


def test_conclusions_from_what_is_withheld_are_withheld(api):
    okafor(api)
    whole = concluded(api.as_(APP))
    assert {name.partition("/")[0] for name in whole} >= {"ClinicalImpression", "DetectedIssue"}
    okafor(api, R)
    left = concluded(api.as_(APP))
    assert {name.partition("/")[0] for name in left} == {"Provenance"}
    everybody = concluded(api.as_(NURSE))
    assert {name.partition("/")[0] for name in everybody} == {n.partition("/")[0] for n in whole}
    for name in everybody - left:
        assert api.as_(APP).get(name).status_code == 403, name
        assert api.as_(NURSE).get(name).status_code == 200, name
    (traced,) = left
    assert "Observation/" not in json.dumps(api.as_(APP).get(traced).json()["entity"])


def test_what_no_conclusion_names_is_not_told_by_those_that_it_goes_into(api):
    """Heart disease lets red cells be advised sooner, and is named by nothing."""
    okafor(api, V, of="Condition")
    told = {name.partition("/")[0] for name in concluded(api.as_(APP))}
    assert not told & {"ClinicalImpression", "CarePlan", "RiskAssessment", "ServiceRequest"}
    assert "Observation" in told
    text = api.get("Patient/okafor/$everything?_count=1000").text.lower()
    assert "heart disease" not in text
    assert "i51.9" not in text
    assert "ClinicalImpression" in {
        name.partition("/")[0] for name in concluded(api.as_(OPENED_OKAFOR))
    }
