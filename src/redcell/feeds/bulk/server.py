"""A server's bulk export: asked for, waited for, fetched file by file, taken in, reconciled.

What was reached is kept in a file, so that a run that was killed goes on where it was. Files are
taken in like files of a folder: what an earlier run took in already is passed over.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

from redcell import clock
from redcell.errors import UnreadableSourceError
from redcell.feeds.bulk.asking import Answer, Asker, AskingError
from redcell.feeds.bulk.forms import whole
from redcell.feeds.bulk.load import Loader
from redcell.feeds.bulk.withdraw import withdraw
from redcell.sources.fhir.deletions import deletion_of

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

FOLDER = "bulk"
OK, ACCEPTED, BUSY, SERVER = 200, 202, 429, 500
GONE = frozenset({404, 410})
SHORTEST, LONGEST, USUAL = 1.0, 300.0, 10.0
TRIES = 6
FHIR_JSON = "application/fhir+json"
NDJSON = "application/fhir+ndjson"

Wait = Callable[[float], None]


class Wanted(Struct, frozen=True):
    """What is asked for."""

    level: str = "Patient"
    """`Patient`, `Group/ID`, or nothing for the whole server."""
    types: tuple[str, ...] = ()
    since: str = ""

    def path(self) -> str:
        """The address of the kick-off, after the base."""
        query = {"_outputFormat": NDJSON}
        if self.types:
            query["_type"] = ",".join(self.types)
        if self.since:
            query["_since"] = self.since
        return f"{self.level}/$export?{urlencode(query)}".lstrip("/")


class State(Struct):
    """How far an export got."""

    status: str = ""
    """Where the server tells how far it is."""
    manifest: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    since: str = ""
    """The server's time of the last export that was taken in whole."""


class Reconciled(Struct, frozen=True):
    """One file: how many lines the server promised, and how many came."""

    type: str
    promised: int | None
    came: int

    @property
    def fits(self) -> bool:
        """Are they the same?"""
        return self.promised is None or self.promised == self.came


class Export:
    """One export of one server into one clinic."""

    def __init__(
        self,
        clinic: Clinic,
        asker: Asker,
        wanted: Wanted,
        loader: Loader,
        *,
        wait: Wait = time.sleep,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.asker, self.wanted, self.loader = asker, wanted, loader
        self.clinic, self.wait, self.say = clinic, wait, say
        name = f"{asker.base}|{wanted.level}|{','.join(wanted.types)}"
        self._home = clinic.folder / FOLDER / hashlib.sha256(name.encode()).hexdigest()[:16]
        self._file = self._home / "state.json"
        self.state = self._read()
        self.files: list[Reconciled] = []
        self.withdrawn = 0

    def run(self) -> list[Reconciled]:
        """Ask for the export (or go on with one), take everything in, and compare the counts.

        Raises:
            AskingError: the server refused, or did not answer.
        """
        manifest = self.state.manifest or self._manifest()
        for number, one in enumerate(_files(manifest, "output")):
            self._output(number, one, manifest)
        for one in _files(manifest, "deleted"):
            self._deleted(one, manifest)
        for one in _files(manifest, "error"):
            self._error(one, manifest)
        self.loader.finish()
        self._end(str(manifest.get("transactionTime", "")))
        return self.files

    def cancel(self) -> bool:
        """Tell the server that the export is not wanted any more; was there one?"""
        if not self.state.status:
            return False
        answer = self.asker.ask("DELETE", self.state.status)
        if answer.status not in (ACCEPTED, OK, 204) and answer.status not in GONE:
            raise AskingError(f"the server did not cancel the export: {answer.status}.")
        self._keep(State(since=self.state.since))
        return True

    # -- asking and waiting ------------------------------------------------------------------------

    def _manifest(self) -> dict[str, Any]:
        status = self.state.status
        answer = self._poll(status) if status else None
        if answer is None:
            status = self._kick_off()
            answer = self._poll(status)
        if answer is None:
            raise AskingError("the server forgot the export that it began.")
        manifest = answer.json()
        if not isinstance(manifest.get("output"), list):
            raise AskingError("the server's manifest has no output.")
        self.state.manifest = manifest
        self._keep(self.state)
        return manifest

    def _kick_off(self) -> str:
        headers = {"Accept": FHIR_JSON, "Prefer": "respond-async"}
        url = f"{self.asker.base}/{self.wanted.path()}"
        answer = self._patient(lambda: self.asker.ask("GET", url, headers))
        status = answer.headers.get("content-location", "")
        if answer.status != ACCEPTED or not status:
            raise AskingError(f"the server did not begin an export: {answer.status}.")
        self.asker.allow(status)
        self.state.status, self.state.done = status, []
        self._keep(self.state)
        return status

    def _poll(self, status: str) -> Answer | None:
        """The manifest when it is ready; `None` when the server does not know the export."""
        while True:
            answer = self._patient(
                lambda: self.asker.ask("GET", status, {"Accept": "application/json"})
            )
            if answer.status == OK:
                return answer
            if answer.status in GONE:
                return None
            if answer.status != ACCEPTED:
                raise AskingError(f"the export failed at the server: {answer.status}.")
            self.say(f"waiting for the server: {_plain(answer.headers.get('x-progress', ''))}")
            self.wait(seconds_of(answer.headers.get("retry-after", ""), USUAL))

    def _patient(self, ask: Callable[[], Answer]) -> Answer:
        """An answer, after waiting as long as a busy server asks."""
        pause = USUAL
        for _ in range(TRIES):
            answer = ask()
            if answer.status != BUSY and answer.status < SERVER:
                return answer
            self.wait(seconds_of(answer.headers.get("retry-after", ""), pause))
            pause = min(pause * 2, LONGEST)
        raise AskingError(f"the server is busy or failing: {answer.status}.")

    # -- files -------------------------------------------------------------------------------------

    def _output(self, number: int, one: dict[str, Any], manifest: dict[str, Any]) -> None:
        url, kind = _url(one), _plain(str(one.get("type", "")))
        promised = one.get("count") if isinstance(one.get("count"), int) else None
        if url in self.state.done:
            return
        path = self._fetch(number, url, manifest)
        before = self.loader.tally.read
        self.loader.file(path, f"{kind}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.ndjson")
        self.files.append(Reconciled(kind, promised, self.loader.tally.read - before))
        self._finished(url, path)

    def _fetch(self, number: int, url: str, manifest: dict[str, Any]) -> Path:
        self._home.mkdir(parents=True, exist_ok=True)
        path = self._home / f"{number:05}.ndjson"
        authorize = manifest.get("requiresAccessToken") is True
        answer = self._patient(lambda: self.asker.download(url, path, authorize=authorize))
        if answer.status != OK:
            raise AskingError(f"a file of the export was not given: {answer.status}.")
        return path

    def _finished(self, url: str, path: Path) -> None:
        self.loader.finish()
        self.state.done.append(url)
        self._keep(self.state)
        path.unlink(missing_ok=True)

    def _deleted(self, one: dict[str, Any], manifest: dict[str, Any]) -> None:
        url = _url(one)
        if url in self.state.done:
            return
        path = self._fetch(90_000, url, manifest)
        found = (deletion_of(line) for line in whole(path).splitlines())
        names = [name for bundle in found if bundle is not None for name in bundle.names]
        self.withdrawn += withdraw(self.clinic, self.loader.feed, names, at=clock.now())
        self._finished(url, path)

    def _error(self, one: dict[str, Any], manifest: dict[str, Any]) -> None:
        url = _url(one)
        if url in self.state.done:
            return
        path = self._fetch(99_999, url, manifest)
        self.loader.problem(f"error-{hashlib.sha256(url.encode()).hexdigest()[:12]}", whole(path))
        self._finished(url, path)

    # -- what was reached --------------------------------------------------------------------------

    def _read(self) -> State:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (msgspec.MsgspecError, OSError) as error:
            raise UnreadableSourceError(f"{self._file}: not a state file; remove it.") from error

    def _keep(self, state: State) -> None:
        self.state = state
        self._home.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(state))
        new.replace(self._file)

    def _end(self, at: str) -> None:
        """The server may forget the files; the next export may begin where this one ended."""
        if self.state.status:
            try:
                self.asker.ask("DELETE", self.state.status)
            except AskingError:
                self.say("the server was not told that its files are not needed any more.")
        self._keep(State(since=at or self.state.since))


def _files(manifest: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = manifest.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _url(one: dict[str, Any]) -> str:
    url = one.get("url")
    if not isinstance(url, str):
        raise AskingError("the manifest names a file without an address.")
    return url


def _plain(text: str) -> str:
    return "".join(sign for sign in text if sign.isascii() and sign.isprintable())[:80]


def seconds_of(header: str, usual: float) -> float:
    """How long a Retry-After asks to wait, within reason."""
    if not header:
        return usual
    if header.isascii() and header.isdecimal():
        return min(max(float(header[:6]), SHORTEST), LONGEST)
    try:
        at = clock.micros(parsedate_to_datetime(header))
    except (ValueError, TypeError):
        return usual
    return min(max((at - clock.now()) / clock.SECOND, SHORTEST), LONGEST)
