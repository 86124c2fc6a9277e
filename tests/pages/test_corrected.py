"""Who acted on a value that was corrected later reads it on every page of theirs (D8, H7)."""

from __future__ import annotations

import pytest

from pages import site
from redcell import clock
from redcell.clinic import corrected, corrections, decisions
from redcell.clinic.decisions import Decision
from redcell.identity import accounts
from redcell.store import assessments


def decided_on(clinic, who: str = "doctor") -> None:
    """Somebody decides on Okafor's newest count, which is corrected afterwards."""
    count = site.hemoglobin("hb-now", "okafor", 7.4, clock.when(site.AT))
    site.take(clinic, [count], "count")
    site.assess(clinic, "okafor", clock.now())
    site.sign_in(clinic, who)
    with clinic.database.read() as connection:
        known = accounts.by_login(connection, who)
        stored = assessments.newest(connection, "okafor")
    assert known is not None
    assert stored is not None
    made = Decision(
        "okafor", "red-cells", "accept", "low", stored.id, "1 unit of red cells", (),
        known.id, known.name, clock.now(),
    )  # fmt: skip
    clinic.writer.write(lambda c: decisions.decide(c, made, key="k"))
    correct(
        clinic, count | {"status": "corrected", "valueQuantity": {"value": 9.4, "unit": "g/dL"}}
    )


def correct(clinic, count) -> None:
    """A later version of the count comes, and whoever acted is told."""
    later = clock.now() + clock.MINUTE
    site.take(clinic, [count], count["status"], later)
    assert clinic.writer.write(lambda c: corrections.tell(c, "okafor", at=later)) == 1


@pytest.mark.trust("D8", "H7.2")
def test_it_stands_on_every_page_until_it_was_seen(work, axe):
    decided_on(work.clinic)
    page = work("/today", "doctor", width=390)
    told = page.locator(".corrected")
    assert told.count() == 1
    said = told.inner_text()
    assert "Corrected after you acted on it: OKAFOR, Joy" in said
    assert "hemoglobin: 7.4 g/dL" in said
    assert "9.4 g/dL" in said
    assert "accepted “1 unit of red cells”" in said
    assert axe(page) == []
    for path in ("/messages", "/patients/okafor"):
        page.goto(work.address + path)
        assert "9.4 g/dL" in page.locator(".corrected").inner_text()
    page.get_by_role("button", name="I have seen it").click()
    assert page.url.endswith("/patients/okafor")
    assert "You have seen it" in page.locator(".corrected").inner_text()
    page.goto(work.address + "/today")
    assert page.locator(".corrected").count() == 0


def test_colleagues_read_it_in_the_chart_and_cannot_put_it_away(work):
    decided_on(work.clinic)
    page = work("/today", "nurse", js=False)
    assert page.locator(".corrected").count() == 0
    page.goto(work.address + "/patients/okafor")
    assert "Corrected after Dr. A. Rao acted on it" in page.locator(".corrected").inner_text()
    assert page.get_by_role("button", name="I have seen it").count() == 0
    with work.clinic.database.read() as connection:
        number = corrected.of_person(connection, ["okafor"])[0].id
    csrf = page.locator("[name=csrf]").first.input_value()
    answer = page.request.post(
        f"{work.address}/corrections/{number}/seen",
        form={"csrf": csrf, "for_person": "okafor"},
        headers={"origin": work.address},
    )
    assert answer.status == 404


def test_a_withdrawn_value_is_called_withdrawn(work):
    decided_on(work.clinic)
    gone = site.hemoglobin("hb-now", "okafor", 9.4, clock.when(site.AT), status="entered-in-error")
    correct(work.clinic, gone)
    page = work("/today", "doctor", js=False)
    assert "withdrawn" in page.locator(".corrected").first.inner_text()
