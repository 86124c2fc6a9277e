"""The site's policy, changed by two people: one proposes with reason and source, another approves.

What is in force is the newest event `policy` (`clinic.service.POLICY`), or the file that the
settings name. Before anybody approves, the rules are run for a sample of the people under both
texts, to see how many would need action the same day.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from redcell.clinic import refresh
from redcell.clinic.acts import TODAY_LEVEL
from redcell.clinic.fold import fold
from redcell.clinic.intake import ASSESS
from redcell.clinic.lines import LEVELS
from redcell.clinic.refresh import Basis
from redcell.clinic.service import POLICY
from redcell.errors import PolicyError, RedcellError
from redcell.knowledge.load import Knowledge, knowledge
from redcell.store import events, jobs
from redcell.store.events import Event
from redcell.store.schema import accounts, worklist

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

PROPOSED, WITHDRAWN = "policy-proposed", "policy-withdrawn"
SAMPLE = 80
"""People for whom both texts are tried."""
CELLS = ("emergency", "recommend", "consider")
LONGEST_TEXT, LONGEST = 100_000, 1000


class ProposalError(RedcellError):
    """A policy cannot be changed like this; the message says what is missing."""


class Predicted(Struct, frozen=True):
    """How many need action the same day, under the text in force and under the proposed one."""

    sample: int
    people: int
    nurses: int
    before: int
    after: int
    changed: int
    """People of the sample whose urgency or decision about red cells differs."""
    cells_before: int = 0
    """People of the sample for whom red cells are advised or considered."""
    cells_after: int = 0

    def per_nurse(self, found: int) -> float:
        """Same-day lines for each nurse, scaled from the sample to everybody."""
        return found / max(self.sample, 1) * self.people / max(self.nurses, 1)


class Proposal(Struct, frozen=True):
    """A text that somebody proposed."""

    text: str
    reason: str
    source: str
    before: str
    by: str = ""
    at: int = 0
    id: int = 0
    predicted: Predicted | None = None


class InForce(Struct, frozen=True):
    """The text in force, and how it came to be."""

    text: str
    event: Event | None
    """The approval; none where the text is the settings' file, or there is none."""


def in_force(clinic: Clinic, connection: Connection) -> InForce:
    """What is in force now."""
    found = events.select(connection, POLICY, newest_first=True, limit=1)
    if found:
        return InForce(str(found[0].body["text"]), found[0])
    name = clinic.settings.site.policy
    path = clinic.folder / name
    text = path.read_text(encoding="utf-8") if name and path.is_file() else ""
    return InForce(text, None)


def read(text: str) -> Knowledge:
    """The knowledge under a text.

    Raises:
        ProposalError: with one line for each problem.
    """
    if not text.strip():
        return knowledge()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.toml"
        path.write_text(text, encoding="utf-8")
        try:
            return Knowledge(path)
        except PolicyError as error:
            raise ProposalError(str(error).replace(f"{path}: ", "")) from error


def with_number(text: str, key: str, value: float, source: str, *, site: str) -> str:
    """The text with one number changed; a text without a head gets one."""
    if not text.strip():
        text = f"[policy]\nname = {_quoted(site + ' policy')}\n"
    block = f"[{key}]\nvalue = {value:g}\nsource = {_quoted(source)}\n"
    section = re.compile(rf"^\[{re.escape(key)}\]\s*$.*?(?=^\[|\Z)", re.M | re.S)
    if section.search(text):
        return section.sub(lambda _: block + "\n", text, count=1).rstrip() + "\n"
    return f"{text.rstrip()}\n\n{block}"


def _quoted(text: str) -> str:
    return msgspec.json.encode(" ".join(text.split())).decode()


def predict(clinic: Clinic, connection: Connection, text: str, *, at: int) -> Predicted:
    """Run the rules for a sample under both texts, without forecasts."""
    people = list(connection.scalars(sa.select(worklist.c.person).order_by(worklist.c.person)))
    step = max(1, len(people) // SAMPLE)
    chosen = people[::step][:SAMPLE]
    bases = [Basis(clinic.basis().knowledge), Basis(read(text))]
    counts, cells, sample, changed = [0, 0], [0, 0], 0, 0
    for person in chosen:
        found = [_state(connection, person, basis, at) for basis in bases]
        if None in found:
            continue
        sample += 1
        changed += found[0] != found[1]
        for n, state in enumerate(found):
            level, decision = state or (len(LEVELS), "")
            counts[n] += level <= TODAY_LEVEL
            cells[n] += decision in CELLS
    return Predicted(
        sample, len(people), _nurses(connection), counts[0], counts[1], changed, cells[0], cells[1]
    )


def _state(connection: Connection, person: str, basis: Basis, at: int) -> tuple[int, str] | None:
    """Urgency and decision about red cells; `None` for somebody who is not assessed."""
    folded = fold(connection, person, basis.knowledge)
    if folded is None:
        return None
    out = refresh.assess_folded(folded, basis, at=at).out
    if not out:
        return None
    return LEVELS.index(out["urgency"]["level"]), str(out["transfusion"]["decision"])


def _nurses(connection: Connection) -> int:
    rows = connection.scalars(sa.select(accounts.c.roles).where(accounts.c.disabled.is_(None)))
    return sum("nurse" in roles.split() for roles in rows)


# -- two people ------------------------------------------------------------------------------------


def propose(connection: Connection, clinic: Clinic, proposal: Proposal, *, key: str) -> None:
    """Propose a text.

    Raises:
        ProposalError: it is not valid, changes nothing, or has no reason or source.
    """
    if not proposal.reason.strip() or not proposal.source.strip():
        raise ProposalError("Give the reason and the source: both are kept with the change.")
    if len(proposal.text) > LONGEST_TEXT:
        raise ProposalError(f"A policy has at most {LONGEST_TEXT} characters.")
    if proposal.text.strip() == in_force(clinic, connection).text.strip():
        raise ProposalError("This text is in force already: nothing would change.")
    read(proposal.text)
    body: dict[str, Any] = {
        "text": proposal.text,
        "reason": proposal.reason.strip()[:LONGEST],
        "source": proposal.source.strip()[:LONGEST],
        "before": proposal.before,
        "predicted": msgspec.to_builtins(proposal.predicted),
    }
    events.add(connection, [Event(PROPOSED, proposal.at, proposal.by, None, "", key, body)])


def open_proposals(connection: Connection) -> list[Proposal]:
    """Proposals that wait for a second reader, the newest first."""
    done = {e.subject for e in events.select(connection, POLICY, WITHDRAWN)}
    found = events.select(connection, PROPOSED, newest_first=True)
    return [_proposal(e) for e in found if str(e.id) not in done]


def proposal_of(connection: Connection, number: int) -> Proposal | None:
    """One proposal, open or not."""
    found = events.select(connection, PROPOSED, after=number - 1, limit=1)
    return _proposal(found[0]) if found and found[0].id == number else None


def _proposal(event: Event) -> Proposal:
    made = {**event.body, "by": event.actor, "at": event.at, "id": event.id}
    return msgspec.convert(made, Proposal)


def approve(connection: Connection, clinic: Clinic, number: int, *, actor: str, at: int) -> None:
    """Put a proposal in force, and ask for everybody's assessment.

    Raises:
        ProposalError: it is not open, is one's own, or rests on a text that is no longer in force.
    """
    found = next((p for p in open_proposals(connection) if p.id == number), None)
    if found is None:
        raise ProposalError("This proposal is not open any more.")
    if found.by == actor:
        raise ProposalError("A second reader must approve: not the account that proposed it.")
    if found.before != in_force(clinic, connection).text:
        raise ProposalError("Another text came into force meanwhile: propose the change again.")
    body = {
        "text": found.text,
        "reason": found.reason,
        "source": found.source,
        "proposed_by": found.by,
    }
    key = f"proposal-{number}"
    events.add(connection, [Event(POLICY, at, actor, None, str(number), key, body)])
    people = connection.scalars(sa.select(worklist.c.person))
    jobs.request(connection, ASSESS, people, at=at)


def withdraw(connection: Connection, number: int, *, actor: str, at: int, reason: str) -> None:
    """Take a proposal off the list.

    Raises:
        ProposalError: no reason.
    """
    if not reason.strip():
        raise ProposalError("Say why it is taken back or refused.")
    body = {"reason": reason.strip()[:LONGEST]}
    key = str(number)
    events.add(connection, [Event(WITHDRAWN, at, actor, None, str(number), key, body)])


def history(connection: Connection) -> list[Event]:
    """Texts that were in force, the newest first."""
    return events.select(connection, POLICY, newest_first=True)


def difference(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The lines that differ with a few around them: `+`, `-` or a blank, and the line."""
    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(found):
        if number > 1 and not line.startswith("@@"):
            yield line[:1], line[1:]
