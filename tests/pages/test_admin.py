"""Administration: users, feeds, the audit, rules with a second reader, models, backups, safety."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from pages import site
from redcell import clock
from redcell.clinic import intake, policies, safety
from redcell.identity import accounts, links
from redcell.store import audit, events, jobs
from redcell.store.schema import audit as entries

PAGES = ("", "/users", "/feeds", "/rules", "/models", "/audit", "/backups", "/safety")


def login_of(clinic, login: str) -> accounts.Account | None:
    """An account by its login."""
    with clinic.database.read() as connection:
        return accounts.by_login(connection, login)


@pytest.mark.trust("S1")
@pytest.mark.parametrize("path", [*PAGES, "/disclosures?person=okafor", "/audit.ndjson"])
@pytest.mark.parametrize("who", ["nurse", "doctor", "joy"])
def test_for_administrators_alone(look, path, who):
    page = look("", who)
    assert page.request.get(look.address + "/admin" + path).status in (403, 404)


# -- users -----------------------------------------------------------------------------------------


def test_an_account_is_made_linked_changed_and_closed(work):
    page = work("/admin/users", "admin", js=False)
    page.get_by_label("Login").fill("ndiaye")
    page.get_by_label("Name, as colleagues").fill("Awa Ndiaye")
    page.get_by_label("nurse", exact=True).check()
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#link").input_value()
    made = login_of(work.clinic, "ndiaye")
    assert made is not None
    token = link.partition("token=")[2]
    used = work.clinic.writer.write(lambda c: links.use(c, token, at=clock.now()))
    assert used is not None
    assert used.id == made.id
    page.get_by_label("physician", exact=True).check()
    page.get_by_role("button", name="Change the roles").click()
    page.get_by_role("button", name="Close the account").click()
    changed = login_of(work.clinic, "ndiaye")
    assert changed is not None
    assert (changed.roles, changed.open) == ({"nurse", "physician"}, False)
    page.get_by_role("button", name="Open it again").click()
    reopened = login_of(work.clinic, "ndiaye")
    assert reopened is not None
    assert reopened.open


def test_nobody_locks_themselves_out(work):
    page = work("/admin/users", "admin", js=False)
    page.get_by_role("link", name="admin", exact=True).click()
    assert page.get_by_role("button", name="Close the account").count() == 0
    page.get_by_label("admin", exact=True).uncheck()
    page.get_by_label("nurse", exact=True).check()
    page.get_by_role("button", name="Change the roles").click()
    assert "by another administrator" in page.locator("[role=alert]").inner_text()


def test_a_proxy_is_let_see_somebody_who_is_known(work):
    work.clinic.writer.write(
        lambda c: accounts.add(c, "son", "A son", ["proxy"], at=clock.now())
    )  # fmt: skip
    page = work("/admin/users", "admin", js=False)
    page.get_by_role("link", name="son").click()
    page.get_by_label("Let a proxy see").fill("nobody")
    page.get_by_role("button", name="Let see").click()
    assert "No person of this id" in page.locator("[role=alert]").inner_text()
    page.get_by_label("Let a proxy see").fill("okafor")
    page.get_by_role("button", name="Let see").click()
    son = login_of(work.clinic, "son")
    assert son is not None
    with work.clinic.database.read() as connection:
        assert accounts.people(connection, son, at=clock.now()) == {"okafor"}
    page.get_by_role("button", name="Take back okafor").click()
    with work.clinic.database.read() as connection:
        assert accounts.people(connection, son, at=clock.now()) == frozenset()


# -- feeds -----------------------------------------------------------------------------------------


def test_what_was_held_is_read_taken_again_or_dismissed(work):
    count = site.hemoglobin("late", "okafor", 7.4, clock.when(site.AT))
    good = site.put_by(work.clinic, count, "held", "one")
    site.put_by(work.clinic, {"resourceType": "Nonsense<script>", "id": "x"}, "refused", "two")
    page = work("/admin/feeds", "admin", js=False)
    assert "2 waiting for a person" in page.locator("main").inner_text()
    page.get_by_role("link", name=str(good), exact=True).click()
    assert '"resourceType"' in page.locator(".payload").inner_text()
    page.get_by_role("button", name="Take it again").click()
    assert "put right" in page.locator("main").inner_text()
    page.goto(work.address + "/admin/feeds")
    page.locator("tbody th a").click()
    assert "Nonsense<script>" in page.locator(".payload").inner_text()
    page.get_by_role("button", name="Take it again").click()
    assert "Refused again" in page.locator("[role=alert]").inner_text()
    page.get_by_label("Nothing more is needed").fill("Sent by mistake")
    page.get_by_role("button", name="Dismiss").click()
    assert "Nothing waits" in page.locator("main").inner_text()


# -- audit -----------------------------------------------------------------------------------------


@pytest.mark.trust("S12", "H9.3")
def test_the_audit_is_filtered_verified_and_exported(work):
    work("/patients/okafor", "nurse")
    page = work("/admin/audit", "admin", js=False)
    page.get_by_label("Who").fill("chen")
    page.get_by_label("Patient id or MRN").fill("00417733")
    page.get_by_role("button", name="Show").click()
    rows = page.locator("tbody tr")
    assert rows.count() == 1
    assert "chart: overview" in rows.first.inner_text()
    page.goto(work.address + "/admin/audit")
    page.get_by_role("button", name="Verify the chain now").click()
    assert "Chain verified to #" in page.locator(".title").inner_text()
    export = page.request.get(work.address + "/admin/audit.ndjson").text().splitlines()
    assert {json.loads(line)["resourceType"] for line in export} == {"AuditEvent"}


@pytest.mark.trust("S12", "H9.3")
def test_a_broken_chain_is_said(work):
    with work.clinic.database.write() as connection:
        connection.exec_driver_sql("drop trigger if exists audit_no_update")
        names = connection.exec_driver_sql(
            "select name from sqlite_master where type = 'trigger' and tbl_name = 'audit'"
        ).scalars().all()  # fmt: skip
        for name in names:
            connection.exec_driver_sql(f'drop trigger "{name}"')
        connection.execute(update(entries).where(entries.c.seq == 2).values(actor="nobody"))
    page = work("/admin/audit", "admin", js=False)
    page.get_by_role("button", name="Verify the chain now").click()
    assert "Chain broken: audit entry 2" in page.locator(".title").inner_text()


@pytest.mark.trust("P7")
def test_an_accounting_of_disclosures(work):
    work("/patients/okafor", "nurse")
    page = work("/admin/disclosures", "admin", js=False)
    page.get_by_label("Patient id or MRN").fill("00417733")
    page.get_by_role("button", name="Show").click()
    assert "M. Chen RN" in page.locator("tbody").inner_text()
    table = page.request.get(work.address + "/admin/disclosures?person=okafor&form=csv").text()
    assert table.splitlines()[0] == "at,who,role,what,purpose,from"


# -- rules -----------------------------------------------------------------------------------------


@pytest.mark.trust("S7.2")
def test_a_threshold_needs_reason_source_and_a_second_reader(work):
    page = work("/admin/rules", "admin", js=False)
    page.get_by_label("Number", exact=True).select_option("transfusion.restrictive_hb")
    page.get_by_label("New value").fill("9")
    page.get_by_label("Reason", exact=True).first.fill("Committee of March")
    page.get_by_label("Source of the number").fill("Transfusion committee, section 3")
    page.get_by_role("button", name="Propose", exact=True).click()
    with work.clinic.database.read() as connection:
        (proposal,) = policies.open_proposals(connection)
    assert proposal.predicted is not None
    assert proposal.predicted.sample > 3
    assert proposal.predicted.changed > 0
    page.get_by_role("link", name=f"Proposal {proposal.id}").click()
    assert "another account must approve" in page.locator("main").inner_text()
    assert "+ value = 9" in page.locator(".diff").inner_text()
    assert "Alerts per nurse and day" in page.locator("main").inner_text()
    assert work.clinic.basis().knowledge.value("transfusion.restrictive_hb") == 7.0
    me = login_of(work.clinic, "admin")
    assert me is not None
    with pytest.raises(policies.ProposalError, match="second reader"):
        work.clinic.writer.write(
            lambda c: policies.approve(c, work.clinic, proposal.id, actor=me.id, at=clock.now())
        )
    other = work(f"/admin/rules/{proposal.id}", "second", js=False)
    other.get_by_role("button", name="Approve as second reader").click()
    assert work.clinic.basis().knowledge.value("transfusion.restrictive_hb") == 9.0
    assert "second reader N. Ito" in other.locator("main").inner_text()
    with work.clinic.database.write() as connection:
        due = jobs.claim(connection, "w", at=clock.now(), kinds=(intake.ASSESS,), most=50)
    assert {"okafor", "alvarez"} <= {job.key for job in due}


@pytest.mark.parametrize(
    ("value", "source", "said"),
    [("94", "", "needs a source"), ("x", "s", "as a number"), ("1e9", "s", "")],
)
def test_what_is_refused(work, value, source, said):
    page = work("/admin/rules", "admin", js=False)
    page.get_by_label("Number", exact=True).select_option("urgency.spo2_limit")
    page.get_by_label("New value").fill(value)
    page.get_by_label("Reason", exact=True).first.fill("r")
    page.get_by_label("Source of the number").fill(source)
    page.locator("#change form").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Propose", exact=True).click()
    if said:
        assert said in page.locator("[role=alert]").inner_text()
    with work.clinic.database.read() as connection:
        assert (policies.open_proposals(connection) == []) or not said


def test_one_number_is_changed_in_a_text():
    text = policies.with_number("", "a.b", 7.5, 'our "book"', site="Main")
    assert (
        text == '[policy]\nname = "Main policy"\n\n[a.b]\nvalue = 7.5\nsource = "our \\"book\\""\n'
    )
    again = policies.with_number(text + "\n[c.d]\nvalue = 1\n", "a.b", 8, "s", site="Main")
    assert again.count("[a.b]") == 1
    assert "value = 8" in again
    assert "[c.d]\nvalue = 1" in again


# -- models, backups, safety -----------------------------------------------------------------------


def test_models_are_judged_by_the_counts_that_followed(work):
    page = work("/admin/models", "admin", js=False)
    page.get_by_role("button", name="Work it out now").click()
    said = page.locator("main").inner_text()
    assert "Inside the 90 % range" in said
    assert "Miss of the last count (CRPS)" in said


@pytest.mark.trust("A5")
def test_backup_and_drill(work):
    page = work("/admin/backups", "admin", js=False)
    page.get_by_role("button", name="Back up now").click()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("button", name="Restore drill").click()
    assert "whole, audit to #" in page.locator(".title").inner_text()
    with work.clinic.database.read() as connection:
        audit.verify(connection)
        assert len(events.select(connection, "restore-drill")) == 1


def test_the_safety_log(work):
    page = work("/admin/safety", "admin", js=False)
    page.get_by_label("What happened").fill("A count was shown under okafor a day late.")
    page.get_by_label("Near miss").check()
    page.get_by_label("Hazard of the risk file").fill("H4")
    page.get_by_role("button", name="Keep the entry").click()
    assert "near miss" in page.locator("tbody").inner_text()
    with work.clinic.database.read() as connection:
        (entry,) = safety.entries(connection)
    assert (entry.hazard, entry.harm) == ("H4", "near miss")
