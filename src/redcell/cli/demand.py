"""The command for red cells ahead of many people: demand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redcell.cli.options import EXIT_CODES, Command, now, options

if TYPE_CHECKING:
    from redcell.population.demand.question import Question
    from redcell.population.reading.ledger import Tally
    from redcell.population.reading.source import Form

    Shut = Callable[[date], frozenset[date]]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Days(click.ParamType):  # type: ignore[type-arg]
    """Days of the week as a comma list of ranges: `mon-fri`, `mon,wed,sat`."""

    name = "days"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[int]:
        """The numbers of the days, Monday 0."""
        if isinstance(value, frozenset):
            return value
        found: set[int] = set()
        for part in str(value).lower().split(","):
            first, _, last = part.strip().partition("-")
            if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
                self.fail(f"{part.strip()!r}: expected days such as mon-fri or mon,wed,sat.")
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            found.update((start + i) % 7 for i in range((end - start) % 7 + 1))
        return frozenset(found)


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source", type=click.Path(path_type=Path))
@options("at", "policy", "calibration")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The Parquet file to write (needed unless --backtest).",
)
@click.option(
    "--open",
    "open_days",
    type=Days(),
    metavar="DAYS",
    help="Weekdays on which red cells are given, for example mon-fri (default: every day).",
)
@click.option(
    "--closed",
    multiple=True,
    type=click.DateTime(("%Y-%m-%d",)),
    metavar="DATE",
    help="A day without transfusions; may be given several times.",
)
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the joint draws."
)
@options("workers", "from", "rejected")
@click.option(
    "--as-practiced",
    "practiced",
    is_flag=True,
    help="What the site gives, learned from its red cells of the last months (20 sessions or "
    "more), not what the policy would give.",
)
@click.option("--backtest", is_flag=True, help="Judge earlier forecasts instead.")
@click.option(
    "--moments",
    default=4,
    show_default=True,
    type=click.IntRange(1, 26),
    metavar="N",
    help="With --backtest: how many earlier moments, 28 days apart.",
)
@click.option(
    "--learn",
    "learned",
    default=6,
    show_default=True,
    type=click.IntRange(1, 26),
    metavar="N",
    help="How many moments before, 28 days apart, practice is learned from.",
)
def demand(
    source: Path,
    at: str | None,
    policy: Path | None,
    calibration: Path | None,
    out: Path | None,
    seed: int,
    workers: int | None,
    form: Form,
    rejected: Path | None,
    practiced: bool,
    backtest: bool,
    moments: int,
    learned: int,
    **days: Any,
) -> None:
    r"""Red-cell units and chair hours that everybody in a folder will need, day by day.

    SOURCE is a folder of FHIR Bulk Data NDJSON, gzipped or not, or an OMOP CDM. The table goes to
    FILE, a summary to standard output, progress and counts to standard error. With --backtest
    forecasts are made as of earlier moments, by the policy and as practiced, and judged by the
    red cells that were given.

    \b
    Examples:
      redcell demand export/ --at 2026-11-20T09:00:00Z --out demand.parquet --open mon-fri
      redcell demand export/ --at 2026-11-20T09:00:00Z --out demand.parquet --as-practiced
      redcell demand export/ --at 2026-11-20 --backtest --moments 6
    """
    from redcell.api import moment_of
    from redcell.forecasting import read_calibration
    from redcell.knowledge.load import knowledge
    from redcell.population.demand import table
    from redcell.population.demand.question import Question
    from redcell.population.files import check_place
    from redcell.population.progress import shown

    if out is not None:
        check_place(out)
        table.schema()
    elif not backtest:
        raise click.UsageError("Missing option '--out'. Expected a Parquet file to write.")
    asked = Question(
        source,
        moment_of(at or now()),
        knowledge(policy),
        calibration=read_calibration(calibration) if calibration else None,
        seed=seed,
        workers=workers,
        rejected=rejected,
        form=form,
        progress=shown,
    )
    shut = partial(closed_days, **days)
    if backtest:
        _judge(asked, shut, out, count=moments, learned=learned)
    else:
        assert out is not None  # noqa: S101  (asked for above)
        _foresee(asked, shut, out, learned if practiced else 0)


def closed_days(
    first: date, open_days: frozenset[int] | None, closed: tuple[date, ...]
) -> frozenset[date]:
    """The days of the horizon on which no red cells are given."""
    from redcell.population.demand import HORIZON

    days = [first + timedelta(days=i) for i in range(HORIZON)]
    named = {day.date() if hasattr(day, "date") else day for day in closed}
    usual = open_days if open_days is not None else frozenset(range(len(WEEKDAYS)))
    return frozenset(d for d in days if d in named or d.weekday() not in usual)


def _foresee(asked: Question, shut: Shut, out: Path, learned: int) -> None:
    """Write the demand ahead, and say it."""
    from redcell.population.demand import table
    from redcell.population.demand.outlook import look
    from redcell.population.demand.practiced import look_practiced
    from redcell.population.demand.text import text
    from redcell.population.parquet import write

    found, tally = look_practiced(asked, learned=learned) if learned else look(asked)
    closed = shut(found.first)
    made = table.table(found, closed)
    write(made, out)
    if learned and found.practice is None:
        click.echo("Too few sessions to learn practice from: these are the policy's totals.")
    click.echo(text(found, closed), nl=False)
    _told(tally)
    click.echo(f"Written: {out} ({made.height:,} rows).", err=True)


def _judge(asked: Question, shut: Shut, out: Path | None, *, count: int, learned: int) -> None:
    """Say how earlier forecasts fared, and write their days where that is asked for."""
    from redcell.population.demand import judged
    from redcell.population.demand.backtest import backtest
    from redcell.population.parquet import write

    past, tally = backtest(asked, count=count, learned=learned, closed=shut)
    click.echo(judged.text(past), nl=False)
    _told(tally)
    if out is not None:
        made = judged.table(past)
        write(made, out)
        click.echo(f"Written: {out} ({made.height:,} rows).", err=True)


def _told(tally: Tally) -> None:
    for line in tally.lines():
        click.echo(line, err=True)
