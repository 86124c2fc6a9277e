"""Backups while the service writes, the way back, and what is refused."""

from __future__ import annotations

import json
import tarfile
import threading
import time
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from operation.samples import fill, hemoglobin, settle, take
from redcell import clock
from redcell.clinic import backup as backups
from redcell.clinic import setup
from redcell.clinic.service import Clinic
from redcell.clinic.settings import Cds, Issuer
from redcell.errors import AuditError, StoreError
from redcell.store import audit, dump
from redcell.store.database import open_database
from redcell.store.schema import metadata


def made(clinic, path: Path) -> backups.Manifest:
    return backups.backup(clinic, path, at=clock.now())


def back(path: Path, folder: Path, request, dialect: str) -> tuple[backups.Manifest, str]:
    """Restore into an empty store of the same kind; what was in it, and where it is now."""
    where = ""
    if dialect == "postgresql":
        where = request.getfixturevalue("postgres_server").new_database()
    return backups.restore(path, folder, dry_run=False, database=where), where or str(folder)


def rows_of(database) -> dict[str, list]:
    with database.read() as connection:
        return {
            t.name: sorted(map(repr, connection.execute(sa.select(t)).all()))
            for t in metadata.sorted_tables
        }


@pytest.mark.trust("A5")
def test_what_comes_back_is_what_was_there(clinic, tmp_path, request):
    fill(clinic)
    settle(clinic)
    (clinic.folder / "redcell.toml").write_text('[site]\nname = "Here"\n')
    (clinic.folder / "policies").mkdir(exist_ok=True)
    (clinic.folder / "policies" / "abc.toml").write_text("")
    (clinic.folder / "secret.key").write_text("00")
    out = tmp_path / "backup.tar"
    manifest = made(clinic, out)
    assert manifest.left_out == ("secret.key",)
    assert out.stat().st_mode & 0o077 == 0
    folder = tmp_path / "back"
    found, where = back(out, folder, request, clinic.database.dialect)
    restored = open_database(where)
    assert (found.head, rows_of(restored)) == (manifest.head, rows_of(clinic.database))
    restored.close()
    assert (folder / "redcell.toml").read_text() == '[site]\nname = "Here"\n'
    assert (folder / "policies" / "abc.toml").is_file()
    assert not (folder / "secret.key").exists()
    with pytest.raises(StoreError, match="already"):
        backups.restore(out, folder, dry_run=False, database=where if "://" in where else "")


@pytest.mark.trust("A5", "H9.4")
def test_a_restored_store_is_served_and_is_still_append_only(clinic, tmp_path, request):
    fill(clinic)
    out = tmp_path / "backup.tar"
    made(clinic, out)
    folder = tmp_path / "back"
    _, where = back(out, folder, request, clinic.database.dialect)
    settings = msgspec.structs.replace(clinic.settings, database=where if "://" in where else "")
    restored = Clinic(folder, settings)
    try:
        settle(restored)
        with pytest.raises(Exception, match="append-only"), restored.database.write() as c:
            c.execute(sa.text("update facts set kind = 'x'"))
    finally:
        restored.close()


@pytest.mark.trust("A5", "P1")
def test_a_backup_under_load_is_of_one_moment(clinic, tmp_path, request):
    halt = threading.Event()
    sent: list[int] = []

    def send() -> None:
        for n in range(100_000):
            if halt.is_set():
                return
            take(
                clinic,
                hemoglobin(f"h{n}a", f"p{n % 9}", 8),
                hemoglobin(f"h{n}b", "p", 9),
                key=str(n),
            )
            sent.append(n)

    fill(clinic)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        for number in range(2):
            while len(sent) < 10 * (number + 1):
                time.sleep(0.01)
            before = len(sent)
            out = tmp_path / f"{number}.tar"
            manifest = made(clinic, out)
            _, where = back(out, tmp_path / f"back{number}", request, clinic.database.dialect)
            restored = open_database(where)
            with restored.read() as connection:
                held = set(connection.scalars(sa.text("select rid from facts where rid like 'h%'")))
                head = audit.verify(connection)
            restored.close()
            numbers = {int(rid[1:-1]) for rid in held}
            assert numbers == set(range(len(numbers))), "a prefix of what was committed"
            assert len(held) == 2 * len(numbers), "whole transactions"
            assert len(numbers) >= before
            assert head == manifest.head
    finally:
        halt.set()
        thread.join()


def test_a_dry_run_checks_and_writes_nothing(clinic, tmp_path):
    fill(clinic)
    out = tmp_path / "backup.tar"
    manifest = made(clinic, out)
    folder = tmp_path / "back"
    assert backups.restore(out, folder, dry_run=True) == manifest
    assert not folder.exists()
    with pytest.raises(StoreError, match="exists already"):
        made(clinic, out)


def changed(out: Path, to: Path, name: str, how) -> Path:
    """A backup with one member changed."""
    import io

    with tarfile.open(out) as source, tarfile.open(to, "w") as target:
        for member in source.getmembers():
            body = source.extractfile(member).read()
            if member.name == name:
                body = how(body)
            member.size = len(body)
            target.addfile(member, io.BytesIO(body))
    return to


@pytest.mark.trust("A7", "S12")
def test_a_backup_that_was_changed_is_refused(clinic, tmp_path):
    fill(clinic)
    out = tmp_path / "backup.tar"
    made(clinic, out)
    store = backups.DIALECTS[clinic.database.dialect]
    bad = changed(out, tmp_path / "bad.tar", store, lambda b: b[:-1] + bytes([b[-1] ^ 1]))
    with pytest.raises(StoreError, match="hash differs"):
        backups.restore(bad, tmp_path / "x", dry_run=True)

    def outside(body: bytes) -> bytes:
        found = msgspec.json.decode(body)
        found["members"]["../evil"] = "0"
        return msgspec.json.encode(found)

    bad = changed(out, tmp_path / "outside.tar", backups.MANIFEST, outside)
    with pytest.raises(StoreError, match="outside"):
        backups.restore(bad, tmp_path / "x", dry_run=True)
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(StoreError, match="not a backup"):
        backups.restore(tmp_path / "text.tar", tmp_path / "x", dry_run=True)
    with pytest.raises(StoreError, match="No such file"):
        backups.restore(tmp_path / "none.tar", tmp_path / "x", dry_run=True)


@pytest.mark.trust("S12")
def test_a_manifest_with_another_head_is_refused(clinic, tmp_path):
    if clinic.database.dialect != "sqlite":
        pytest.skip("a dump is verified after it was read")
    fill(clinic)
    out = tmp_path / "backup.tar"
    made(clinic, out)

    def other(body: bytes) -> bytes:
        found = msgspec.json.decode(body)
        found["head"]["seq"] += 1
        return msgspec.json.encode(found)

    bad = changed(out, tmp_path / "bad.tar", backups.MANIFEST, other)
    with pytest.raises(AuditError, match="ends at entry"):
        backups.restore(bad, tmp_path / "x", dry_run=True)


def test_without_pg_dump_it_says_what_to_install(clinic, tmp_path, monkeypatch):
    if clinic.database.dialect != "postgresql":
        pytest.skip("of PostgreSQL alone")
    monkeypatch.setattr(dump.shutil, "which", lambda _: None)
    with pytest.raises(StoreError, match="postgresql-client"):
        made(clinic, tmp_path / "x.tar")


def test_a_password_goes_by_the_environment(monkeypatch):
    seen = {}

    def run(command, **kw):
        seen.update(command=command, env=kw["env"])

    monkeypatch.setattr(dump.subprocess, "run", run)
    dump._run(["pg_dump"], "postgresql://u:secret@h/d")
    assert "secret" not in " ".join(seen["command"])
    assert seen["env"]["PGPASSWORD"] == "secret"


def test_public_keys_of_callers_come_along_and_private_ones_do_not(clinic, tmp_path, request):
    for name, key in (("public.json", {"kty": "EC"}), ("private.json", {"kty": "EC", "d": "x"})):
        (clinic.folder / name).write_text(json.dumps({"keys": [key]}))
    issuers = tuple(
        Issuer(iss=f"https://{n}", keys=n) for n in ("public.json", "private.json", "none.json")
    )
    clinic.settings = replace(clinic.settings, cds=Cds(issuers=issuers))
    found, _ = back_of(clinic, tmp_path, request)
    assert "public.json" in found.members
    assert "private.json" not in found.members


def back_of(clinic, tmp_path, request):
    out = tmp_path / "keys.tar"
    made(clinic, out)
    return back(out, tmp_path / "back", request, clinic.database.dialect)


@pytest.mark.trust("A7")
def test_where_a_store_was_none_is_begun_without_a_word(tmp_path):
    folder = tmp_path / "data"
    assert list(setup.init_if_new(folder))
    (folder / "audit-anchor.jsonl").write_text('{"seq": 7}\n')
    assert list(setup.init_if_new(folder)) == []
    for name in ("redcell.db-wal", "redcell.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "redcell.db").write_bytes(b"")
    for begin in (setup.init_if_new, setup.init):
        with pytest.raises(StoreError, match="there was a store here"):
            list(begin(folder))
