"""The command line: assess, why, check, knowledge. Results on stdout, messages on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redcell import __version__
from redcell.errors import RedcellError, SetAsideError

if TYPE_CHECKING:
    from redcell.api import Review
    from redcell.record.record import Record

SOURCE_HELP = """\
SOURCE is a FHIR R4 Bundle or resource (JSON), NDJSON, HL7 v2 results, or a CSV of laboratory
results; any of them gzipped; a folder of them; - for standard input; or demo::NAME for a bundled
patient (demo::okafor).
"""

EXIT_CODES = """\
\b
Exit codes: 0 done; 2 unreadable source, bad use, or a deceased patient; 3 patient under 18;
4 policy file not valid; 5 several patients, none chosen; 6 --strict and something set aside;
7 no such rule or finding ran.
"""


class Verbs(click.Group):
    """A group that suggests the nearest verb."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, or an error that names the nearest one."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.version_option(__version__, prog_name="redcell")
def cli() -> None:
    r"""The care loop for anemia in people with metastatic breast cancer.

    One patient's record goes in; out comes whether they are anemic and how badly, why, and what to
    consider doing, each statement with its evidence and its source. For professionals, who decide.
    Not cleared as a medical device.

    \b
    Examples:
      redcell assess demo::okafor --at 2026-11-22T09:00:00Z
      redcell why demo::okafor S-R9 --at 2026-11-22T09:00:00Z
    """


def _options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    known = {
        "at": click.option(
            "--at", metavar="TIME", help="Assess as known at this moment (default: now, UTC)."
        ),
        "patient": click.option(
            "--patient", metavar="ID", help="Which patient, when there are several."
        ),
        "policy": click.option(
            "--policy",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="The site's own numbers and settings (TOML), laid over the published ones.",
        ),
        "strict": click.option("--strict", is_flag=True, help="Fail when anything was set aside."),
    }

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            function = known[name](function)
        return function

    return decorate


FORMATS = ("text", "json", "html", "fhir")


@cli.command(epilog=EXIT_CODES)
@click.argument("source")
@_options("at", "patient", "policy", "strict")
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
    strict: bool,
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
    record, review = _review(source, at, patient, policy)
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

        click.echo(page(review.steps, color=_color(), width=_width()), color=True, nl=False)


@cli.command(epilog=EXIT_CODES)
@click.argument("source")
@click.argument("name", metavar="RULE-or-FINDING")
@_options("at", "patient", "policy")
def why(source: str, name: str, at: str | None, patient: str | None, policy: Path | None) -> None:
    r"""Print the tree of reasons under a rule or finding, down to resources and cited numbers.

    NAME is a clinical rule (S-R9, T11), a finding number of the JSON output (f3), or a rule's own
    name (low_count).

    \b
    Examples:
      redcell why demo::okafor T11 --at 2026-11-22T09:00:00Z
      redcell why bundle.json f3 --at 2026-11-20T09:00:00Z
    """
    _, review = _review(source, at, patient, policy)
    click.echo(review.why(name))


@cli.command(epilog=EXIT_CODES)
@click.argument("source")
@_options("patient", "strict")
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


@cli.command("knowledge", epilog=EXIT_CODES)
@click.argument("query", required=False, default="")
@_options("policy")
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


def _review(
    source: str, at: str | None, patient: str | None, policy: Path | None
) -> tuple[Record, Review]:
    from redcell.api import assess as run
    from redcell.api import read

    record = read(source, patient=patient, policy=policy)
    return record, run(record, at=at or _now(), policy=policy)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).replace(microsecond=0).isoformat()  # noqa: TID251  (the edge of the program)


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((96, 24)).columns


def main() -> None:
    """Run the command; every expected error is one clear message and its own exit code."""
    try:
        cli.main(prog_name="redcell", standalone_mode=False)
    except RedcellError as error:
        click.echo(f"redcell: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
