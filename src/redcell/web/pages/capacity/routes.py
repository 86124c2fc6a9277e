"""The capacity page, its forms and its exports."""

from __future__ import annotations

from datetime import date
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from redcell import clock
from redcell.clinic import chairs, inbox
from redcell.clinic.capacity import DAYS, GROUPS, SAMPLE_DAYS
from redcell.clinic.chairs import ChairsError, Single, Week
from redcell.identity.caller import STAFF
from redcell.store import audit
from redcell.web.pages import frame, restricted
from redcell.web.pages.capacity import export, picture, view
from redcell.web.pages.frame import Form, audited, caller_of, clinic_of, render, see_other

router = APIRouter()
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@router.get("/capacity", name="capacity", include_in_schema=False)
def page(request: Request) -> Response:
    """Units and chair hours by day, what helps on a full day, and whether it was right."""
    return _page(request)


def _outlook(request: Request) -> view.Outlook:
    now = clock.now()
    clinic, today = clinic_of(request), frame.today_of(request, now)
    with clinic.database.read() as connection:
        return view.outlook(clinic, connection, today, at=now)


def _page(request: Request, wrong: str = "", given: dict[str, str] | None = None) -> Response:
    clinic, caller, now = clinic_of(request), caller_of(request), clock.now()
    found = _outlook(request)
    people = [m.person for _, movable in found.full for m in movable]
    people += [held.person for held in found.samples]
    team = caller.has(*STAFF) and not caller.launched
    shown = list(dict.fromkeys(people)) if team else []
    with clinic.database.read() as connection:
        named = view.names(connection, shown)
        closed = restricted.sight_of(request, connection).closed() if shown else {}
        stock = found.plan.stock
        by = inbox.names(connection, {stock.by}) if stock else {}
        past = view.past(clinic, connection, found.first, people=found.people, at=now)
    detail = f"{len(shown)} people named: {' '.join(shown)}" if shown else "totals"
    audited(request, None, "capacity", detail=detail)
    context: dict[str, Any] = {
        "found": found,
        "units": picture.ahead(found.days, "units"),
        "hours": picture.ahead(found.days, "hours"),
        "past": past,
        "past_picture": picture.past(past.days) if past.days else None,
        "named": named,
        "closed": closed,
        "stock_by": by.get(stock.by, "") if stock else "",
        "day_names": DAY_NAMES,
        "groups": GROUPS,
        "sample_days": SAMPLE_DAYS,
        "wrong": wrong,
        "given": given or {},
        "now": now,
    }
    return render(request, "capacity/capacity.html.j2", status=422 if wrong else 200, **context)


@router.get("/capacity.csv", name="capacity-csv", include_in_schema=False)
def as_csv(request: Request) -> Response:
    """The days ahead as CSV."""
    found = _outlook(request)
    audited(request, None, "capacity as CSV")
    headers = {"Content-Disposition": 'attachment; filename="capacity.csv"'}
    return Response(export.as_csv(found), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/capacity.parquet", name="capacity-parquet", include_in_schema=False)
def as_parquet(request: Request) -> Response:
    """The days ahead as Parquet."""
    found = _outlook(request)
    try:
        body = export.as_parquet(found)
    except ImportError:
        return _page(request, "Parquet needs the extra `frames`; take the CSV, or install it.")
    audited(request, None, "capacity as Parquet")
    headers = {"Content-Disposition": 'attachment; filename="capacity.parquet"'}
    return Response(body, media_type="application/vnd.apache.parquet", headers=headers)


# -- what is entered -------------------------------------------------------------------------------


@router.post("/capacity/week", name="capacity-week", include_in_schema=False)
def week(request: Request, form: Form) -> Response:
    """The usual week: chairs and hours."""
    try:
        entered = Week(
            tuple(int(_number(form, f"chairs-{n}", 0)) for n in range(7)),
            tuple(_number(form, f"hours-{n}", 0) for n in range(7)),
        )
        _write(request, "usual week", lambda c, who, at: chairs.set_week(
            c, entered, actor=who, at=at))  # fmt: skip
    except ChairsError as error:
        return _page(request, str(error), form)
    return see_other(request, "capacity")


@router.post("/capacity/days", name="capacity-days", include_in_schema=False)
def days(request: Request, form: Form) -> Response:
    """Single days: closed, chair hours that differ, what others have booked."""
    today = frame.today_of(request, clock.now())
    with clinic_of(request).database.read() as connection:
        before = chairs.read(connection).single
    try:
        entered: dict[date, Single] = {}
        for day in chairs.days_ahead(today, DAYS):
            name = day.isoformat()
            one = Single(
                f"closed-{name}" in form,
                _hours(form, f"open-{name}"),
                _hours(form, f"booked-{name}"),
            )
            if one != before.get(name, Single()):
                entered[day] = one
        _write(request, f"{len(entered)} days", lambda c, who, at: chairs.set_days(
            c, entered, actor=who, at=at))  # fmt: skip
    except ChairsError as error:
        return _page(request, str(error), form)
    return see_other(request, "capacity")


@router.post("/capacity/stock", name="capacity-stock", include_in_schema=False)
def stock(request: Request, form: Form) -> Response:
    """Units in stock by group."""
    try:
        units = {group: int(_number(form, f"stock-{group}", 0)) for group in GROUPS}
        _write(request, "stock", lambda c, who, at: chairs.set_stock(
            c, units, actor=who, at=at))  # fmt: skip
    except ChairsError as error:
        return _page(request, str(error), form)
    return see_other(request, "capacity")


def _write(request: Request, what: str, act: Any) -> None:
    caller = caller_of(request)
    entry = frame.entry_of(request, None, f"capacity: {what}", action="U")

    def write(connection: sa.Connection) -> None:
        act(connection, caller.account, entry.at)
        audit.append(connection, [entry])

    clinic_of(request).writer.write(write)


def _hours(form: dict[str, str], name: str) -> float | None:
    return _number(form, name, None) if form.get(name, "").strip() else None


def _number(form: dict[str, str], name: str, otherwise: float | None) -> Any:
    text = form.get(name, "").strip().replace(",", ".")
    if not text:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:  # noqa: PLR2004  (any number that people type)
        raise ChairsError(f"{text[:20]!r} is no number from 0 on.")
    return value
