"""A site's policy file: what it may change, what it may not, and that the answer says so."""

from __future__ import annotations

import json

import pytest

from builder import AT, assess, output, patient
from redcell.errors import PolicyError
from redcell.knowledge.load import knowledge
from redcell.knowledge.policy import read_policy
from redcell.loop import run
from redcell.outputs.assessment import to_json
from redcell.outputs.html import report
from redcell.outputs.text import page

HEAD = '[policy]\nname = "General Hospital"\nversion = "3"\n'


@pytest.fixture
def policy(tmp_path):
    """Writes a policy file and reads it."""

    def write(text: str, head: str = HEAD):
        path = tmp_path / "policy.toml"
        path.write_text(head + text, encoding="utf-8")
        return path

    return write


def entry(key: str, body: str, source: str = 'source = "site committee 2026-03"') -> str:
    return f"[{key}]\n{body}\n{source}\n"


def refused(path) -> str:
    with pytest.raises(PolicyError) as error:
        read_policy(path, knowledge())
    assert error.value.exit_code == 4
    return str(error.value)


# -- what is refused -------------------------------------------------------------------------------

REFUSED = [
    # name, text, words of the message
    ("unknown key", entry("transfusion.restrictive_hg", "value = 7.5"), "did you mean [transfusion.restrictive_hb]?"),
    ("unknown topic", entry("transfusions.restrictive_hb", "value = 7.5"), "did you mean [transfusion.restrictive_hb]?"),
    ("nothing near", entry("zzz.qqq", "value = 1"), "not an entry"),
    ("a scalar where a table belongs", "restrictive_hb = 7.5\n", "restrictive_hb"),
    ("fixed grade", entry("anemia.grade3_below", "value = 7.5"), "published classification"),
    ("fixed table", entry("anemia.who_classes_women", "rows = [[7, 10, 11]]"), "published classification"),
    ("missing source", entry("transfusion.restrictive_hb", "value = 7.5", ""), "needs a source"),
    ("empty source", entry("transfusion.restrictive_hb", "value = 7.5", 'source = ""'), "needs a source"),
    ("wrong unit", entry("transfusion.restrictive_hb", 'value = 75\nunit = "g/L"'), "expected 'g/dL'"),
    ("text for a number", entry("transfusion.restrictive_hb", 'value = "7.5"'), "expected a number"),
    ("true for a number", entry("transfusion.restrictive_hb", "value = true"), "expected a number"),
    ("no value", entry("transfusion.restrictive_hb", 'unit = "g/dL"'), "expected a number"),
    ("not a number", entry("urgency.spo2_limit", "value = nan"), "urgency.spo2_limit"),
    ("no limit at all", entry("urgency.hemoglobin_very_low", "value = inf"), "urgency.hemoglobin_very_low"),
    ("rows of the wrong length", entry("transfusion.target_restrictive", "rows = [[7]]"), "rows of 2"),
    ("no rows", entry("transfusion.target_restrictive", "rows = []"), "rows of 2"),
    ("a misspelled key beside the value", entry("transfusion.restrictive_hb", "value = 7.5\nunti = 1"), "unti"),
    ("unknown setting", "[site]\naltitude = 1500\n", "altitude_m"),
    ("setting of the wrong kind", '[site]\naltitude_m = "high"\n', "expected a number"),
    ("unknown table", "[site]\naltitude_table = 'steps-2012'\n", "steps-2011"),
    ("unknown drug", "[drug.paclitaxl]\ncount_interval_days = 7\nsource = 'x'\n", "did you mean paclitaxel?"),
    ("drug without a source", "[drug.paclitaxel]\ncount_interval_days = 7\n", "source"),
    ("drug with half a day", "[drug.paclitaxel]\ncount_interval_days = 0.5\nsource = 'x'\n", "whole days"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "words"), REFUSED, ids=[r[0] for r in REFUSED])
def test_refused(name, text, words, policy):
    assert words in refused(policy(text) if "scalar" not in name else policy(HEAD, head=text))


def test_a_policy_needs_a_name(policy):
    assert "needs a name" in refused(policy("", head="[policy]\nversion = '1'\n"))
    assert "needs a name" in refused(policy("", head=""))


def test_every_problem_is_named_with_the_file(policy):
    path = policy(entry("zzz.qqq", "value = 1") + entry("anemia.grade2_below", "value = 9"))
    lines = refused(path).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(str(path)) for line in lines)


@pytest.mark.parametrize("text", ["[policy\n", "= 1\n", "[policy]\nname = 'a'\nname = 'b'\n"])
def test_what_is_not_toml_is_refused(text, policy):
    assert "not a readable TOML file" in refused(policy("", head=text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "not a readable TOML file" in refused(tmp_path / "none.toml")


# -- emergency rules are widened, never narrowed -----------------------------------------------------

WIDEN = [
    # key, a wider value, a narrower one, one beyond its bound (None: no bound)
    ("urgency.spo2_limit", 94, 91.9, 100.1),
    ("urgency.spo2_margin", 3, 1.9, None),
    ("urgency.respiratory_rate", 22, 25.1, 19.9),
    ("urgency.pulse_emergency", 110, 120.1, 99.9),
    ("urgency.systolic_emergency", 100, 89.9, 110.1),
    ("urgency.fever", 37.8, 38.1, 37.4),
    ("urgency.neutrophils_low", 1.5, 0.99, 2.01),
    ("urgency.nosebleed_minutes", 10, 20.1, 4.9),
    ("urgency.reaction_days", 2, 0.99, None),
]


@pytest.mark.trust("Q3")
@pytest.mark.parametrize(("key", "wider", "narrower", "beyond"), WIDEN, ids=[w[0] for w in WIDEN])
def test_an_emergency_threshold_moves_one_way_only(key, wider, narrower, beyond, policy):
    assert (
        read_policy(policy(entry(key, f"value = {wider}")), knowledge()).numbers[key].value == wider
    )
    same = knowledge().value(key)
    assert (
        read_policy(policy(entry(key, f"value = {same}")), knowledge()).numbers[key].value == same
    )
    assert "emergency rule" in refused(policy(entry(key, f"value = {narrower}")))
    if beyond is not None:
        assert key in refused(policy(entry(key, f"value = {beyond}")))


NARROWED = [
    # what would narrow S-R1 to S-R5, S-R14 or S-R15 by another number
    ("S-R2: age of a coronary syndrome", entry("urgency.coronary_days", "value = 1")),
    ("S-R2, S-R5: what counts as new", entry("urgency.recent_onset", "value = 1")),
    ("S-R3: washout of a cytotoxic drug", entry("washout.cytotoxic", "value = 1")),
    ("S-R1, S-R2: age of a vital sign", entry("freshness.vital", "value = 0.1")),
    ("S-R1 to S-R5: age of a symptom", entry("freshness.symptom", "value = 1")),
]


@pytest.mark.parametrize(("name", "text"), NARROWED, ids=[n[0] for n in NARROWED])
def test_no_other_number_narrows_an_emergency_rule(name, text, policy):
    """Input contract: 'S-R1 to S-R5, S-R14 and S-R15 can be widened, never narrowed or switched off'."""
    refused(policy(text))


# -- what is changed -------------------------------------------------------------------------------


def steps(path, **words):
    return assess(patient(**words), path)


@pytest.mark.trust("P6")
def test_a_threshold_changes_the_decision_and_the_citation_says_whose_it_is(policy):
    path = policy(entry("transfusion.restrictive_hb", "value = 7.5"))
    assert steps(None, hemoglobin=7.2).transfusion.verdict.value.because[0] == "T12"
    verdict = steps(path, hemoglobin=7.2).transfusion.verdict
    assert verdict.value.because[0] == "T10"
    cited = verdict.cited["threshold"]
    assert cited.site
    assert "site committee 2026-03" in cited.citation
    assert "General Hospital 3" in cited.citation


def test_the_printed_answer_cites_the_policy(policy):
    path = policy(entry("urgency.spo2_limit", "value = 94"))
    record = patient(oxygen_saturation=93)
    out = json.loads(to_json(run(record, AT, knowledge(path))))
    assert out["urgency"]["level"] == "emergency"
    cited = [text for finding in out["findings"] for text in finding["source"]]
    assert any("General Hospital 3" in text and "site committee" in text for text in cited)
    plain = output(record)
    assert b"General Hospital" not in plain
    assert json.loads(plain)["urgency"]["level"] != "emergency"


def test_a_recorded_own_limit_wins_over_the_sites(policy):
    path = policy(entry("urgency.spo2_limit", "value = 94"))
    assert not steps(path, oxygen_saturation=90, spo2_limit=88).flags.fired("S-R1")


def test_the_sites_altitude_is_used_when_the_patient_has_none(policy):
    path = policy("[site]\naltitude_m = 2000\n")
    assert steps(path, hemoglobin=12.0).survey.who_adjusted.value == 11.26
    assert steps(path, hemoglobin=12.0, altitude=0).survey.who_adjusted.value == 12.0


TABLES = [
    # the site's choice, words, g/dL taken off (clinical reference 1.2)
    ("altitude_table = 'steps-2011'", {"altitude": 999}, 0.0),
    ("altitude_table = 'steps-2011'", {"altitude": 1000}, 0.2),
    ("altitude_table = 'steps-2011'", {"altitude": 1499}, 0.2),
    ("altitude_table = 'steps-2011'", {"altitude": 1500}, 0.5),
    ("altitude_table = 'steps-2011'", {"altitude": 3000}, 1.9),
    ("altitude_table = 'steps-2011'", {"altitude": 4500}, 4.5),
    ("altitude_table = 'bands-2024'", {"altitude": 499}, 0.0),
    ("altitude_table = 'bands-2024'", {"altitude": 500}, 0.4),
    ("altitude_table = 'bands-2024'", {"altitude": 999}, 0.4),
    ("altitude_table = 'bands-2024'", {"altitude": 1000}, 0.8),
    ("altitude_table = 'bands-2024'", {"altitude": 4999}, 3.3),
    ("smoking_table = 'cigarettes-2024'", {"smoking_status": "present", "packs_per_day": 0.49}, 0.3),
    ("smoking_table = 'cigarettes-2024'", {"smoking_status": "present", "packs_per_day": 0.5}, 0.5),
    ("smoking_table = 'cigarettes-2024'", {"smoking_status": "present", "packs_per_day": 0.99}, 0.5),
    ("smoking_table = 'cigarettes-2024'", {"smoking_status": "present", "packs_per_day": 1.0}, 0.6),
    ("smoking_table = 'packs-2011'", {"smoking_status": "present", "packs_per_day": 1.0}, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("choice", "words", "less"), TABLES)
def test_the_site_chooses_the_table_of_the_who_label(choice, words, less, policy):
    path = policy(f"[site]\n{choice}\n")
    adjusted = steps(path, hemoglobin=12.0, **words).survey.who_adjusted.value
    assert adjusted == pytest.approx(12.0 - less, abs=0.005)


def test_a_drugs_schedule(policy):
    path = policy("[drug.docetaxel]\ncount_interval_days = 10\nsource = 'unit protocol 7'\n")
    words = {"hemoglobin": 11.0, "therapy": "docetaxel"}
    assert steps(path, **words).monitoring.due.value.interval_days == 10
    assert steps(None, **words).monitoring.due.value.interval_days == 21


def test_a_table_is_replaced_whole(policy):
    path = policy(entry("pattern.rpi_maturation", "rows = [[35, 1], [25, 1.5], [20, 2], [0, 2.5]]"))
    index = steps(path, hematocrit=36.0, reticulocytes_percent=4.5).survey.production_index
    assert index.value == 3.6
    assert index.cited["bands"].site


def test_a_table_that_leaves_a_gap_does_not_stop_the_assessment(policy):
    path = policy(entry("pattern.rpi_maturation", "rows = [[40, 1]]"))
    try:
        knowledge(path)
    except PolicyError:
        return  # refusing it is as good
    assert steps(path, hematocrit=28.0).survey.production_index.value is None


def test_the_published_number_stays_beside_the_sites(policy):
    path = policy(entry("transfusion.restrictive_hb", "value = 7.5"))
    base = knowledge(path)
    assert base.entry("transfusion.restrictive_hb").value == 7.0
    assert base.value("transfusion.restrictive_hb") == 7.5
    assert base.number("urgency.fever").site is False
    assert knowledge().value("transfusion.restrictive_hb") == 7.0


@pytest.mark.trust("H6.3", "S3.4")
@pytest.mark.parametrize("above", [0.0, 0.01], ids=["at the limit", "below it"])
def test_a_single_cause_is_named_from_the_limit_on(policy, above):
    """The probability of the first cause held against the published limit, moved by the site."""
    words = {"hemoglobin": 8.2, "therapy": "paclitaxel"}
    limit = round(steps(None, **words).causes.leading.probability + above, 2)
    found = steps(policy(entry("attribution.single_cause", f"value = {limit}")), **words)
    for text in (page(found, color=False), report(found)):
        assert ("No single cause stands out" in text) is (above > 0)
