"""Commands about one patient: assess, why, check, knowledge."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redcell.cli.options import EXIT_CODES, Command, color, now, options, width
from redcell.errors import RedcellError, SetAsideError

FORMATS = ("text", "json", "html", "fhir")


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source")
@options("at", "patient", "policy", "calibration", "seed", "strict")
@click.option(
    "--forecast/--no-forecast", default=True, help="Whether the red-cell model looks ahead."
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--for",
    "reader",
    type=click.Choice(("team", "patient")),
    default="team",
    show_default=True,
    help="With --format html: the report, or the letter in plain language.",
)
def assess(
    source: str,
    at: str | None,
    patient: str | None,
    policy: Path | None,
    calibration: Path | None,
    seed: int | None,
    strict: bool,
    forecast: bool,
    form: str,
    reader: str,
) -> None:
    r"""Run the whole care loop over one patient's record.

    \b
    Examples:
      redcell assess demo::okafor --at 2026-11-22T09:00:00Z
      redcell assess bundle.json --at 2026-11-20 --format json > assessment.json
      redcell assess bundle.json --format html --for patient > letter.html
      cat export.ndjson.gz | redcell assess - --policy our-hospital.toml
    """
    from redcell.api import assess as run
    from redcell.api import read

    record = read(source, patient=patient, policy=policy)
    review = run(
        record,
        at=at or now(),
        policy=policy,
        forecast=forecast and reader == "team",
        calibration=calibration,
        seed=seed,
    )
    if strict and record.set_aside:
        raise SetAsideError(
            f"{len(record.set_aside)} problem(s) in the source. List them: redcell check {source}"
        )
    if form == "json":
        sys.stdout.buffer.write(review.to_json())
    elif form == "fhir":
        from redcell.outputs.fhir import to_json

        sys.stdout.buffer.write(to_json(review.steps))
    elif form == "html":
        click.echo(review.to_html(for_patient=reader == "patient"))
    elif reader == "patient":
        raise click.UsageError("--for patient needs --format html.")
    else:
        from redcell.outputs.text import page

        click.echo(page(review.steps, color=color(), width=width()), color=True, nl=False)


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source")
@click.argument("name", metavar="RULE-or-FINDING")
@options("at", "patient", "policy")
def why(source: str, name: str, at: str | None, patient: str | None, policy: Path | None) -> None:
    r"""Print the tree of reasons under a rule or finding, down to resources and cited numbers.

    NAME is a clinical rule (S-R9, T11), a finding number of the JSON output (f3), or a rule's own
    name (low_count).

    \b
    Examples:
      redcell why demo::okafor T11 --at 2026-11-22T09:00:00Z
      redcell why bundle.json f3 --at 2026-11-20T09:00:00Z
    """
    from redcell.api import assess as run
    from redcell.api import read

    record = read(source, patient=patient, policy=policy)
    click.echo(run(record, at=at or now(), policy=policy).why(name))


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("source")
@options("patient", "strict")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def check(source: str, patient: str | None, strict: bool, form: str) -> None:
    r"""Say what was read from a source, what was set aside, and why.

    \b
    Examples:
      redcell check demo::okafor
      redcell check export-folder --patient 417733 --format json
    """
    from redcell.api import read
    from redcell.outputs.inventory import as_json, as_text

    record = read(source, patient=patient)
    if form == "json":
        sys.stdout.buffer.write(as_json(record))
    else:
        click.echo(as_text(record), nl=False)
    if strict and record.set_aside:
        raise SetAsideError(f"{len(record.set_aside)} problem(s) in the source.")


@click.command("knowledge", cls=Command, epilog=EXIT_CODES)
@click.argument("query", required=False, default="")
@options("policy")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
def browse(query: str, policy: Path | None, form: str) -> None:
    r"""Browse the numbers, rules and drugs with their sources and how far each was checked.

    QUERY is a rule id (T11), a key or its beginning (transfusion.), a drug, or any words.

    \b
    Examples:
      redcell knowledge transfusion.restrictive_hb
      redcell knowledge talazoparib
      redcell knowledge "delta check"
    """
    from redcell.knowledge.load import knowledge
    from redcell.outputs.browse import as_json, as_text, search

    found = search(knowledge(policy), query)
    if not found:
        raise RedcellError(f"Nothing about {query!r}. Try a rule id (T11), a drug, or one word.")
    if form == "json":
        sys.stdout.buffer.write(as_json(found))
    else:
        click.echo(as_text(found), nl=False)
