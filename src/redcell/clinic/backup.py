"""Backups: one file with the whole store, while the service runs, and the way back.

The file is a tar archive: `manifest.json`, the store (`redcell.db`, or `store.dump` of PostgreSQL),
`redcell.toml`, and the policy and calibration files. Private keys are left out, and named. The
manifest holds the head of the audit as it is in the copy, and a hash of every member, so a backup
that was changed, or that is not what it says, is refused before anything is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from redcell import clock
from redcell.clinic.settings import FILE as SETTINGS
from redcell.clinic.settings import load_settings
from redcell.errors import AuditError, StoreError
from redcell.store import audit, dump, migrate
from redcell.store.audit import Head
from redcell.store.database import FILE, Database, open_database
from redcell.version import __version__

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic

MANIFEST, DUMP = "manifest.json", "store.dump"
CHUNK = 1024 * 1024
LARGEST_MANIFEST = 16 * CHUNK
KEYS = frozenset({".key", ".pem"})
"""Endings of files that no backup holds: who brings one would choose the secrets of the service."""
DIALECTS = {"sqlite": FILE, "postgresql": DUMP}


class Manifest(Struct, frozen=True):
    """What a backup says of itself."""

    made: str
    version: str
    step: str
    dialect: str
    head: Head
    members: dict[str, str]
    """Name -> SHA-256."""
    left_out: tuple[str, ...] = ()


def backup(clinic: Clinic, out: Path, *, at: int) -> Manifest:
    """Write a backup of a clinic; what is in it.

    Raises:
        StoreError: it cannot be written, or a program that it needs is missing.
        AuditError: the copy does not hold the audit that the store held when the copy began.
    """
    if out.exists():
        raise StoreError(f"{out} exists already. Choose another name.")
    with clinic.database.read() as connection:
        before = audit.head(connection)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".redcell-backup-") as name:
            return _write(clinic, Path(name), out, before, at)
    except OSError as error:
        raise StoreError(f"{out}: {error.strerror}.") from error


def _write(clinic: Clinic, work: Path, out: Path, before: Head, at: int) -> Manifest:
    dialect = clinic.database.dialect
    store = work / DIALECTS[dialect]
    if dialect == "sqlite":
        head = _copy_sqlite(clinic.folder / FILE, store, before)
    else:
        head = dump.write(clinic.settings.database, store)
    files = {store.name: store, **_files(clinic)}
    manifest = Manifest(
        made=clock.iso(at),
        version=__version__,
        step=migrate.newest(),
        dialect=dialect,
        head=head,
        members={name: _hash(path) for name, path in files.items()},
        left_out=tuple(sorted(_private(clinic))),
    )
    part = work / "part"
    with tarfile.open(part, "w") as archive:
        _add(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        for name, path in files.items():
            archive.add(path, arcname=name, recursive=False, filter=_anonymous)
    _flush(part)
    part.chmod(0o600)
    part.replace(out)
    return manifest


def _copy_sqlite(source: Path, target: Path, before: Head) -> Head:
    """Copy by SQLite's own online backup: writers go on, the copy is of one moment."""
    with _sqlite(source) as here, _sqlite(target) as there:
        here.backup(there, pages=-1)  # in one step: in WAL mode it delays no writer
        there.execute("PRAGMA journal_mode=DELETE")
    return _check_sqlite(target, before)


def _check_sqlite(path: Path, before: Head) -> Head:
    with _sqlite(path) as copy:
        said = copy.execute("PRAGMA quick_check").fetchone()[0]
        if said != "ok":
            raise StoreError(f"the copy of the store is damaged: {said}.")
        row = copy.execute("SELECT hash FROM audit WHERE seq = ?", (before.seq,)).fetchone()
        newest = copy.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    if before.seq and (row is None or row[0] != before.hash):
        raise AuditError(
            f"the copy lacks audit entry {before.seq}: it is not a copy of this store."
        )
    return Head(*newest) if newest else before


class _sqlite:  # noqa: N801  (a connection that is closed at the end of its block)
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _files(clinic: Clinic) -> dict[str, Path]:
    """What belongs to the store besides: settings, policies, calibration, others' public keys."""
    folder, site = clinic.folder, clinic.settings.site
    public = [one.keys for one in clinic.settings.cds.issuers if _is_public(folder / one.keys)]
    named = [SETTINGS, site.policy, site.calibration, *public]
    kept = [str(p.relative_to(folder)) for p in sorted((folder / "policies").glob("*.toml"))]
    inside = (folder / name for name in dict.fromkeys([*named, *kept]) if name)
    return {
        str(p.relative_to(folder)): p
        for p in inside
        if p.is_file() and p.resolve().is_relative_to(folder.resolve())
    }


def _is_public(path: Path) -> bool:
    """Is this a JWK Set without a private part?"""
    try:
        keys = json.loads(path.read_bytes())["keys"]
        return all(isinstance(key, dict) and not SECRET_PARTS & key.keys() for key in keys)
    except (OSError, ValueError, KeyError, TypeError):
        return False


SECRET_PARTS = frozenset({"d", "k", "p", "q"})


def _private(clinic: Clinic) -> Iterator[str]:
    """Files that hold private keys: they are left out."""
    settings = clinic.settings
    named = {"secret.key", settings.tls.key, *(ehr.key for ehr in settings.ehr)}
    yield from (name for name in named if name and (clinic.folder / name).is_file())


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    import io

    member = tarfile.TarInfo(name)
    member.size, member.mode = len(body), 0o600
    archive.addfile(member, io.BytesIO(body))


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


# -- the way back ----------------------------------------------------------------------------------


def read_manifest(archive: tarfile.TarFile) -> Manifest:
    """What a backup says of itself.

    Raises:
        StoreError: it is not a backup.
    """
    try:
        with _plain(archive, MANIFEST) as member:
            return msgspec.json.decode(member.read(LARGEST_MANIFEST), type=Manifest)
    except (StoreError, msgspec.MsgspecError, UnicodeDecodeError, tarfile.TarError) as error:
        raise StoreError("this is not a backup of redcell: it has no manifest.") from error


def _plain(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A member as it lies in the archive: neither a link nor a file with holes.

    Raises:
        StoreError: there is none, or it is of another kind.
    """
    try:
        found = archive.getmember(name)
    except KeyError:
        raise StoreError(f"{name}: the manifest names it, the archive lacks it.") from None
    content = archive.extractfile(found) if found.isreg() and not found.issparse() else None
    if content is None:
        raise StoreError(f"{name}: not a plain file.")
    return content


def restore(file: Path, folder: Path, *, dry_run: bool, database: str = "") -> Manifest:
    """Bring a backup back into a folder that has no store; what is in it.

    Args:
        file: the backup.
        folder: where to; made when it is not there.
        dry_run: check everything that can be checked, and write nothing.
        database: for a backup of PostgreSQL: an empty database, unless the settings name it.

    Raises:
        StoreError: the file is not a backup, was changed, or there is a store already.
        AuditError: its audit does not verify.
    """
    try:
        with tarfile.open(file, "r:") as archive:
            manifest = read_manifest(archive)
            with tempfile.TemporaryDirectory(dir=_place(folder, dry_run)) as name:
                work = Path(name)
                _unpack(archive, manifest, work)
                _restore(manifest, work, folder, dry_run, database)
    except tarfile.TarError as error:
        raise StoreError(f"{file}: not a backup of redcell: {error}.") from error
    except OSError as error:
        raise StoreError(f"{error.filename or file}: {error.strerror}.") from error
    return manifest


def _place(folder: Path, dry_run: bool) -> Path | None:
    """Where to unpack: beside the data, so that the end is a rename; elsewhere for a dry run."""
    if dry_run:
        return None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _unpack(archive: tarfile.TarFile, manifest: Manifest, work: Path) -> None:
    for name, seal in manifest.members.items():
        if "\0" in name or not (work / name).resolve().is_relative_to(work.resolve()):
            raise StoreError(f"{name!r}: a member of a backup must not lie outside of it.")
        if Path(name).suffix in KEYS:
            raise StoreError(f"{name}: a backup holds no private keys.")
        target = work / name
        with _plain(archive, name) as member:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                shutil.copyfileobj(member, out, CHUNK)
        if _hash(target) != seal:
            raise StoreError(f"{name} is not what was backed up: its hash differs.")


def _restore(manifest: Manifest, work: Path, folder: Path, dry_run: bool, address: str) -> None:
    if manifest.dialect == "sqlite":
        _verify(open_database(work), manifest)
        if dry_run:
            return
        if (folder / FILE).exists():
            raise StoreError(f"{folder / FILE} exists already. Restore into an empty folder.")
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            if (work / name).exists():
                _flush(work / name)
                (work / name).replace(folder / name)
        _put(manifest, work, folder)
        return
    if dry_run:
        dump.check(work / DUMP)
        return
    _put(manifest, work, folder)
    address = address or load_settings(folder).database
    dump.read(work / DUMP, address)
    _verify(open_database(address), manifest)


def _verify(database: Database, manifest: Manifest) -> None:
    """The whole chain, and that it ends where the manifest says."""
    try:
        with database.read() as connection:
            head = audit.verify(connection)
    finally:
        database.close()
    if head != manifest.head:
        raise AuditError(f"the audit ends at entry {head.seq}, not at {manifest.head.seq}.")


def _put(manifest: Manifest, work: Path, folder: Path) -> None:
    """Settings and policies: those that are there already stay."""
    for name in _others(manifest.members):
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            (work / name).replace(target)
            target.chmod(0o600)


def _others(members: Iterable[str]) -> list[Any]:
    return [name for name in members if name not in DIALECTS.values()]
