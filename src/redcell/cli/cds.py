"""Commands for CDS Hooks: judge documents, withhold prefetch from a service, report feedback."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from redcell.cli.options import EXIT_CODES, Command
from redcell.errors import InvalidDocumentError, RedcellError, UnreadableSourceError

if TYPE_CHECKING:
    from redcell.web.cds.judge import Form
    from redcell.web.cds.simulate import Answered, Asking, Target

FORMS = ("request", "response", "services")
WIDTHS = (8, 28, 6, 8, 5)
MOST_BYTES = 1 << 26


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("file")
@click.option("--as", "form", type=click.Choice(FORMS), help="What FILE is (default: it shows).")
@click.option(
    "--strict", is_flag=True, help="Also what the specification asks in words, for example length."
)
def validate(file: str, form: str | None, strict: bool) -> None:
    r"""Judge a CDS Hooks request, response or list of services as HL7's validator does.

    FILE is JSON; - is standard input. Prints a FHIR OperationOutcome, without an issue when nothing
    is wrong. Ends with 11 when an issue is an error.

    \b
    Examples:
      redcell cds-validate response.json
      redcell cds-validate --strict --as request - < call.json
    """
    from redcell.web.cds.judge import judge, outcome, refuses

    found = judge(_read(file), cast("Form | None", form), strict=strict)
    click.echo(json.dumps(outcome(found), indent=2))
    if refuses(found):
        wrong = sum(refuses([issue]) for issue in found)
        raise InvalidDocumentError(f"{file}: {wrong} error{'s' if wrong > 1 else ''}.")


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES)
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UnreadableSourceError(f"{file}: {error.strerror or error}.") from error


# -- simulate --------------------------------------------------------------------------------------


@click.command(cls=Command, epilog=EXIT_CODES)
@click.argument("url")
@click.argument("source", default="demo::okafor")
@click.option("--service", metavar="ID", help="Which service (default: the first on the hook).")
@click.option("--hook", default="patient-view", show_default=True)
@click.option("--patient", metavar="ID", help="Which patient, when SOURCE holds several.")
@click.option("--orders", metavar="FILE", help="A Bundle of draft orders, for order hooks.")
@click.option(
    "--way",
    "ways",
    multiple=True,
    type=click.Choice(("absent", "null", "empty", "outcome", "paged")),
    help="How each key is withheld (default: every way).",
)
@click.option("--subsets", is_flag=True, help="Also every subset of the keys.")
@click.option("--fhir-server", default="", metavar="URL", help="Named in each call.")
@click.option("--token", envvar="REDCELL_CDS_TOKEN", default="", help="Bearer token of the client.")
@click.option("--fhir-token", envvar="REDCELL_FHIR_TOKEN", default="", help="For --fhir-server.")
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text")
def simulate(
    url: str,
    source: str,
    service: str | None,
    hook: str,
    patient: str | None,
    orders: str | None,
    ways: tuple[str, ...],
    subsets: bool,
    fhir_server: str,
    token: str,
    fhir_token: str,
    form: str,
) -> None:
    r"""Call a CDS service as a client that withholds prefetch, and judge its answers.

    URL is the address before /cds-services of any CDS service. SOURCE is a FHIR Bundle, from which
    the service's own prefetch templates are answered. Each key is left out, sent as null, as an
    empty page, as an OperationOutcome, and as the first page of several. An answer of 200 with
    valid cards or of 412 is good; ends with 11 when there is another one.

    \b
    Examples:
      redcell simulate http://127.0.0.1:8000 demo::okafor
      redcell simulate https://cds.example.org bundle.json --way absent --subsets
    """
    from redcell.web.cds.simulate import WAYS, Asking, run, tries

    target = _target(url, service, hook, token)
    name, resources = _resources(source, patient)
    drafts = json.loads(_read(orders)) if orders else None
    asking = Asking(name, resources, drafts, fhir_server, fhir_token)
    found = tries(asking.prefetch(target), ways or WAYS, subsets=subsets)
    answers = list(_shown(run(target, asking, found), form, asking, target))
    bad = sum(not one.good for one in answers)
    if bad:
        raise InvalidDocumentError(f"{bad} of {len(answers)} answers are not good.")


def _target(url: str, service: str | None, hook: str, token: str) -> Target:
    from redcell.web.cds.simulate import discover

    found = discover(url, token=token)
    fitting = [t for t in found if t.hook == hook and service in (None, t.id)]
    if not fitting:
        known = ", ".join(f"{t.id} ({t.hook})" for t in found) or "none"
        raise RedcellError(f"No such service on the hook {hook}. There are: {known}")
    return fitting[0]


def _resources(source: str, patient: str | None) -> tuple[str, tuple[dict[str, Any], ...]]:
    """The patient's id, and the resources of a Bundle."""
    from redcell.sources.read import demo

    path = demo(source.removeprefix("demo::")) if source.startswith("demo::") else Path(source)
    try:
        bundle = json.loads(_read(str(path)))
        found = tuple(entry["resource"] for entry in bundle["entry"] if "resource" in entry)
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableSourceError(f"{source}: expected a FHIR Bundle with entries.") from error
    patients = [r["id"] for r in found if r.get("resourceType") == "Patient"]
    chosen = patient or (patients[0] if len(patients) == 1 else None)
    if chosen is None:
        raise UnreadableSourceError(
            f"{source}: it holds {len(patients)} patients. Choose one with --patient ID."
        )
    return chosen, found


def _shown(answers: Any, form: str, asking: Asking, target: Target) -> Any:
    """Each answer, printed as it comes."""
    if form == "text":
        click.echo(f"{target.base}  {target.id} ({target.hook})  patient {asking.patient}")
        click.echo(_line("way", "key", "status", "ms", "cards", "what it says"))
    for one in answers:
        click.echo(_row(one) if form == "text" else json.dumps(_plain(one)))
        yield one


def _row(one: Answered) -> str:
    said = "; ".join(one.issues) or one.summary
    key = one.key if len(one.key) < WIDTHS[1] else one.key[: WIDTHS[1] - 2] + "\u2026"
    status = str(one.status) if one.good else f"{one.status} !"
    return _line(one.way, key, status, f"{one.milliseconds:.0f}", str(one.cards), said)


def _line(*cells: str) -> str:
    padded = [f"{c:<{w}}" for c, w in zip(cells, WIDTHS, strict=False)]
    return " ".join([*padded, cells[-1]]).rstrip()


def _plain(one: Answered) -> Any:
    import msgspec

    return msgspec.to_builtins(one)


# -- report ----------------------------------------------------------------------------------------


@click.command(cls=Command, epilog=EXIT_CODES)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("redcell-data"),
    show_default=True,
    metavar="DIR",
    help="The data folder.",
)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text")
def report(data: Path, form: str) -> None:
    r"""What became of the cards that were shown: accepted, overridden, silent.

    A card of which nothing was told is silent: that is neither acceptance nor override.

    \b
    Examples:
      redcell cds-feedback --data /var/lib/redcell
    """
    import msgspec

    from redcell.clinic.service import Clinic
    from redcell.web.cds.feedback import report as tally
    from redcell.web.cds.kept import everything

    clinic = Clinic(data)
    try:
        with clinic.database.read() as connection:
            found = tally(*everything(connection))
    finally:
        clinic.close()
    if form == "json":
        click.echo(json.dumps(msgspec.to_builtins(found), indent=1))
        return
    if not found:
        click.echo("No card was shown yet.")
    for one in found:
        click.echo(
            f"{one.service}, {one.kind} cards, {one.indicator}: shown {one.shown}, "
            f"accepted {one.accepted}, overridden {one.overridden}, silent {one.silent}"
        )
        for name, number in one.suggestions.items():
            click.echo(f"  accepted: {name or 'a suggestion that is not known'} {number}")
        for name, number in one.reasons.items():
            click.echo(f"  overridden: {name.rpartition('|')[2] or 'without a reason'} {number}")
