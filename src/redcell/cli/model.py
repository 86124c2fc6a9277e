"""Commands of the red-cell model: forecast, with or without a change of plan."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command, color, now, options, width


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source")
@options("at", "patient", "policy", "calibration", "seed")
@click.option(
    "--days",
    type=click.IntRange(28, 84),
    default=28,
    show_default=True,
    help="How many days ahead.",
)
@click.option(
    "--what-if",
    "questions",
    multiple=True,
    metavar="CHANGE",
    help="Another plan beside the recorded one; several of them act together.",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def forecast(
    source: str,
    at: str | None,
    patient: str | None,
    policy: Path | None,
    calibration: Path | None,
    seed: int | None,
    days: int,
    questions: tuple[str, ...],
    form: str,
) -> None:
    r"""Forecast hemoglobin and the next transfusion, and split the loss among its causes.

    CHANGE is for example "delay carboplatin 7d", "reduce talazoparib 25%", "stop capecitabine",
    "transfuse 1 unit 2026-11-24", or an event that the record lacks: "bleed 500 mL 2026-11-02".

    \b
    Examples:
      redcell forecast demo::okafor --at 2026-11-22T09:00:00Z
      redcell forecast demo::okafor --at 2026-11-22T09:00:00Z --what-if "delay capecitabine 7d"
      redcell forecast bundle.json --days 56 --format json
    """
    from redcell.api import forecast as run
    from redcell.api import read
    from redcell.outputs import forecast as written
    from redcell.prediction import Prediction

    record = read(source, patient=patient, policy=policy)
    found = run(
        record, at=at or now(), days=days, seed=seed, policy=policy, calibration=calibration
    )
    answer = found.what_if(*questions) if questions else found.prediction
    if isinstance(answer, Prediction):
        if form == "json":
            sys.stdout.buffer.write(written.forecast_json(answer, found.steps))
        else:
            page = written.forecast_page(answer, found.steps, color=color(), width=width())
            click.echo(page, color=True, nl=False)
    elif form == "json":
        sys.stdout.buffer.write(written.what_if_json(answer))
    else:
        known = found.steps.case.knowledge
        page = written.what_if_page(answer, knowledge=known, color=color(), width=width())
        click.echo(page, color=True, nl=False)
