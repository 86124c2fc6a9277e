"""Takes in many arrivals in one go: what they have in common is looked up and written once.

The same rules as taking them in one by one: a name counts once, other content under a known name is
held, and what cannot be used is kept with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from redcell.clinic.intake import ASSESS
from redcell.clinic.sensitivity.carried import FORM, carried
from redcell.store import adding, arrivals, assessments, audit, jobs, persons
from redcell.store.arrivals import Arrival
from redcell.store.facts import Kept, Version

CONFLICT = "conflicting-identifier"
ROLE = "feed"
"""Of a feed in the audit."""
OTHER_CONTENT = "this identifier came before with another content; the first one counts"


class Brought(Struct, frozen=True):
    """An arrival with the versions that were made of it, or why there are none."""

    arrival: Arrival
    versions: tuple[Version, ...] = ()
    refused: tuple[str, str] | None = None
    """Code and words."""

    @property
    def name(self) -> tuple[str, str]:
        """By which it is known."""
        return (self.arrival.feed, self.arrival.key)

    @property
    def speaks(self) -> bool:
        """Is it a message, which says only what changed?"""
        return self.arrival.form == FORM


def take_together(connection: Connection, brought: Sequence[Brought]) -> list[str]:
    """Keep them; the outcome of each: `accepted`, `duplicate`, `held` or `refused`."""
    decided = _decide(connection, brought)
    rows = [_row(one, outcome) for one, (outcome, _) in zip(brought, decided, strict=True)]
    fresh = [n for n, (_, new) in enumerate(decided) if new]
    numbers = dict(
        zip(fresh, arrivals.add_arrivals(connection, [rows[n] for n in fresh]), strict=True)
    )
    taken = {n: brought[n] for n in fresh if rows[n].outcome == "accepted"}
    people = _keep(connection, taken, numbers)
    _audit(connection, [(rows[n], numbers[n], people.get(n, frozenset())) for n in fresh])
    return [outcome for outcome, _ in decided]


def _decide(connection: Connection, brought: Sequence[Brought]) -> list[tuple[str, bool]]:
    """The outcome of each, and whether that is new: a row is written once for what comes again."""
    known: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for feed in sorted({one.arrival.feed for one in brought}):
        keys = (one.arrival.key for one in brought if one.arrival.feed == feed)
        found = arrivals.known_arrivals(connection, feed, keys)
        known.update({(feed, key): before for key, before in found.items()})
    decided: list[tuple[str, bool]] = []
    for one in brought:
        before = known.setdefault(one.name, [])
        outcome = _outcome(one, before)
        new = outcome != "duplicate" and (one.arrival.hash, outcome) not in before
        if new:
            before.append((one.arrival.hash, outcome))
        decided.append((outcome, new))
    return decided


def _outcome(one: Brought, before: Sequence[tuple[str, str]]) -> str:
    counted = [seal for seal, outcome in before if outcome == "accepted"]
    if one.arrival.hash in counted:
        return "duplicate"
    if one.refused is not None:
        return "refused"
    return "held" if counted else "accepted"


def _row(one: Brought, outcome: str) -> Arrival:
    if outcome == "held":
        return replace(one.arrival, outcome="held", code=CONFLICT, text=OTHER_CONTENT)
    code, why = one.refused or ("", "")
    return replace(one.arrival, outcome=outcome, code=code, text=why[:2000])


def _keep(
    connection: Connection, taken: dict[int, Brought], numbers: dict[int, int]
) -> dict[int, frozenset[str]]:
    """Keep the versions of what is accepted; the persons that each of them is about."""
    listed = [(n, v) for n, one in taken.items() if not one.speaks for v in one.versions]
    said = [(n, v) for n, one in taken.items() if one.speaks for v in one.versions]
    listed += carried(connection, said)
    versions = [version for _, version in listed]
    kept = adding.add(connection, versions, [numbers[n] for n, _ in listed])
    before = {k.owner for k in kept if k.owner}  # a correction may give one to somebody else
    changed = [v for v, k in zip(versions, kept, strict=True) if _matters(k)]
    touched = _touched(connection, changed, before)
    people = persons.people_of(connection, (v.patient for v in versions if v.patient))
    jobs.request(connection, ASSESS, touched, at=_newest(taken.values()))
    found: dict[int, set[str]] = {n: set() for n in taken}
    for n, version in listed:
        if version.patient:
            found[n].add(people[version.patient])
    return {n: frozenset(names) for n, names in found.items()}


def _matters(kept: Kept) -> bool:
    return kept.new and kept.changed


def _newest(taken: Iterable[Brought]) -> int:
    return max((one.arrival.received for one in taken), default=0)


def _touched(connection: Connection, changed: Sequence[Version], before: set[str]) -> set[str]:
    """The persons whose record may differ now."""
    if not changed:
        return set()
    patients = {v.rid for v in changed if v.kind == persons.PATIENT}
    found = persons.relink(connection, patients) if patients else set()
    owners = {v.patient for v in changed if v.patient} | before
    found |= set(persons.people_of(connection, owners).values())
    now = persons.people_of(connection, found)
    gone = sorted(person for person in found if now[person] != person)
    assessments.drop_lines(connection, gone)
    return found - set(gone)


def _audit(connection: Connection, kept: Sequence[tuple[Arrival, int, frozenset[str]]]) -> None:
    entries = [
        audit.Entry(
            at=arrival.received,
            actor=arrival.feed,
            role=ROLE,
            action="C",
            what=f"{arrival.form} from {arrival.feed}",
            person=person,
            detail=f"arrival {number} {arrival.outcome}",
        )
        for arrival, number, people in kept
        for person in sorted(people) or [None]  # type: ignore[list-item]
    ]
    audit.append(connection, entries)
