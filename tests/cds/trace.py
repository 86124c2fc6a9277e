"""Trace matrix: each requirement of CDS Hooks 2.0 that binds a service, and the test that holds it.

`python tests/cds/trace.py` writes docs/reference/cds-trace.md anew; a test compares the page.
A row is a tuple of tests, `file::test`, or a text that says why the requirement does not apply.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urldefrag

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "reference" / "cds-trace.md"
REQUIREMENTS = ROOT.parent / "shared" / "data" / "cds-hooks-requirements" / "requirements.csv"

JSON = "test_service.py::test_patient_view_answers_with_one_valid_card"
LIST = "test_service.py::test_discovery_lists_the_services"
CARDS = "test_cards.py::test_every_card_is_valid_beyond_the_reference_validator"
PARTS = "test_cards.py::test_every_card_says_as_of_used_missing_rejected_expiry_and_basis"
COLORS = "test_cards.py::test_a_card_is_critical_for_a_red_flag_or_a_critical_value_alone"
DRAFTS = "test_cards.py::test_suggestions_are_drafts_of_this_patient"
REASONS = "test_cards.py::test_every_override_reason_has_words"
ORDER = "test_service.py::test_an_order_is_named_and_weighed"
TWO = "test_orders.py::test_two_units_are_offered_beside_one_where_two_are_advised"
DECLINED = "test_service.py::test_a_refusal_becomes_the_patients_state"
ATTACKS = "test_tokens.py::test_an_attack_is_refused"
GOOD = "test_tokens.py::test_a_good_token_is_taken_once"
FETCHED = "test_fetch.py::test_everything_that_did_not_come_is_fetched_with_the_token"
UNMET = "test_service.py::test_without_hemoglobin_the_answer_is_412"
DATED = "test_service.py::test_every_dated_key_has_a_plain_one_beside_it"
PLAIN = "test_service.py::test_without_dated_keys_every_token_is_one_of_cds_hooks_2"
RESPONSES = "test_judge.py::test_responses"
PREFLIGHT = "test_service.py::test_preflight_is_answered_for_listed_origins_only"
SUBSETS = "test_prefetch.py::test_every_subset_of_the_keys_is_answered"
SIGNING = "test_service.py::test_signing_checks_once_more_what_was_warned_about_and_not_answered"

TLS = (
    "not applicable to the routes: TLS is set up where the service is bound, and a service that "
    "others can reach does not start without it (docs/how-to/cds-hooks.md); outgoing calls are "
    "https alone: "
    "test_fetch.py::test_outside_development_this_machine_is_not_asked_over_http"
)
AGREED = (
    "not applicable: an agreement between the service and its clients; the how-to page says which"
)
NO_ICON = (
    "not applicable: this optional element is not sent (test_cards.py checks every card strictly)"
)

Row = tuple[str, ...] | str

TRACE: dict[int, Row] = {
    1: (JSON, "test_service.py::test_the_body_must_say_that_it_is_json"),
    2: TLS,
    3: (CARDS, RESPONSES),
    4: (LIST,),
    5: (LIST,),
    6: (LIST, "test_judge.py::test_services"),
    7: (LIST,),
    9: (LIST,),
    10: (LIST, "test_judge.py::test_services"),
    13: (LIST,),
    16: (JSON, "test_service.py::test_a_service_that_does_not_exist"),
    29: (LIST, DATED),
    36: (DATED, SUBSETS),
    54: (UNMET, "test_fetch.py::test_without_what_is_needed_the_answer_is_412", SUBSETS),
    55: (PLAIN, "test_cli.py::test_templates_are_answered_from_the_resources"),
    56: (PLAIN, DATED),
    57: (PLAIN,),
    59: (PLAIN,),
    61: (FETCHED, "test_fetch.py::test_a_token_of_another_patient_is_not_used"),
    74: (JSON, "test_service.py::test_nothing_is_repeated_while_nothing_changed"),
    75: "not applicable: systemActions are not sent; nothing changes a chart without a person",
    80: (CARDS, "test_service.py::test_another_user_is_told_too"),
    83: (CARDS, "test_judge.py::test_strict_asks_more"),
    85: (
        "test_markdown.py::test_an_attack_is_shown_as_it_is",
        "test_markdown.py::test_any_text_is_one_paragraph_of_text",
        PARTS,
    ),
    87: (CARDS, COLORS),
    88: (COLORS, RESPONSES),
    89: (COLORS,),
    90: (CARDS, RESPONSES),
    92: (DRAFTS, JSON),
    93: (CARDS, RESPONSES),
    95: (TWO, RESPONSES),
    96: (CARDS, TWO),
    98: (REASONS,),
    100: (REASONS, RESPONSES),
    103: (JSON, CARDS),
    105: (CARDS, RESPONSES),
    107: NO_ICON,
    111: NO_ICON,
    115: (CARDS,),
    117: (JSON, CARDS),
    119: (CARDS, "test_kept.py::test_the_report_keeps_accepted_overridden_and_silent_apart"),
    121: (TWO, CARDS),
    124: (DRAFTS, CARDS),
    125: (TWO,),
    127: (ORDER, DECLINED, DRAFTS),
    128: (CARDS, DRAFTS),
    130: (DRAFTS, ORDER),
    131: (DRAFTS,),
    132: (ORDER,),
    133: (DECLINED, CARDS),
    134: (DECLINED,),
    135: (DECLINED,),
    136: (REASONS,),
    138: (JSON, CARDS),
    139: (JSON, CARDS),
    141: (JSON, CARDS),
    142: (JSON, RESPONSES),
    144: (JSON,),
    147: (CARDS, RESPONSES),
    168: TLS,
    176: (GOOD, ATTACKS),
    199: (GOOD, "test_tokens.py::test_keys_are_fetched_from_the_listed_address_and_kept"),
    201: (ATTACKS,),
    203: (ATTACKS,),
    208: (PREFLIGHT, "test_service.py::test_answers_and_refusals_say_who_may_read_them"),
    211: (LIST, SIGNING),
    213: AGREED,
    214: "not applicable: no extension is sent; those of others are ignored: "
    "test_service.py::test_unknown_fields_are_ignored",
    216: (REASONS, CARDS),
    217: (REASONS, CARDS),
    218: (REASONS, CARDS),
    219: (REASONS,),
    220: (CARDS,),
}

HEAD = """# CDS Hooks 2.0: requirement to test

Each requirement that binds a CDS service (SHALL, SHALL NOT), and the tests that hold it. Generated by
`python tests/cds/trace.py`; do not edit. The list of requirements is that of the Da Vinci CRD test kit
(inferno-framework, Apache-2.0); the numbers are its own. {count} requirements: {tested} tested, {other} not
applicable.

Requirement 56 allows no other prefetch tokens than fields of the context and the user's ids. Two keys carry
`today()` of CDS Hooks 3.0 beside a plain key for the same input, because clients that do not know a token
skip its key. `dated = false` leaves them out: then every token is one of 2.0.

| # | section | requirement | tests in tests/cds, or why not |
| --- | --- | --- | --- |
"""
LONGEST = 180


def requirements() -> list[dict[str, str]]:
    """The requirements that bind a service, in the order of the list."""
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [r for r in rows if "Service" in r["Actors"] and r["Conformance"].startswith("SHALL")]


def page() -> str:
    """The page as it has to be."""
    rows = requirements()
    tested = sum(not isinstance(TRACE[int(r["ID"])], str) for r in rows)
    head = HEAD.format(count=len(rows), tested=tested, other=len(rows) - tested)
    return head + "".join(_line(r) for r in rows)


def _line(row: dict[str, str]) -> str:
    section = urldefrag(row["URL"]).fragment
    text = " ".join(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", row["Requirement"]).split())
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition(" ")[0] + " ..."
    found = TRACE[int(row["ID"])]
    said = found if isinstance(found, str) else "<br>".join(f"`{t}`" for t in found)
    cells = (row["ID"], f"[{section}]({row['URL']})", text.replace("|", "\\|"), said)
    return f"| {' | '.join(cells)} |\n"


def named() -> Iterator[str]:
    """Every test that is named, also in the reasons."""
    for row in TRACE.values():
        text = row if isinstance(row, str) else " ".join(row)
        yield from re.findall(r"test_\w+\.py::test_\w+", text)


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"Written: {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
