"""A worklist line as it is read: what is said first."""

from __future__ import annotations

from datetime import date

from redcell.clinic.acts import Standing
from redcell.clinic.lines import Detail, Reason
from redcell.clinic.worklist import Head, Row
from redcell.knowledge.load import knowledge
from redcell.web.pages.today.view import ASSESSED, LineView, view_of


def test_what_makes_somebody_urgent_is_said_first_and_held_results_beside_it():
    flag, held = Reason("S-R1", "Reported: breathless at rest."), Reason("O1", "It differs. So.")
    twice = Reason("O2", "Both moved. Dilution.")
    detail = Detail(reasons=(flag, Reason("T12", "Below 8.")), held=(held, twice))
    aside = "Held, not used: It differs; Both moved."

    def seen(urgency: str) -> LineView:
        head = Head("p", 1, 0, 0, urgency, ASSESSED, "n", "", 7.0, 0, 2, "", None, None, 2, "s")
        row = Row(head, detail, Standing(), hidden=False)
        return view_of(row, knowledge(), at=0, today=date(2026, 11, 20), account="")

    urgent, quiet = seen("emergency"), seen("routine")
    assert [r.text for r in urgent.reasons] == [flag.text, aside]
    assert [r.text for r in quiet.reasons] == [aside, flag.text]
    assert [r.rule for r in urgent.more] == ["T12"], "each has a page of its own"
