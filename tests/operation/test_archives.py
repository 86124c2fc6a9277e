"""F8: archives that reach outside, link, nest or swell, at each place where one is unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import resource
import tarfile
from pathlib import Path

import pytest

from redcell.clinic import backup
from redcell.errors import AuditError, StoreError
from redcell.feeds.bulk import forms
from redcell.population.reading.ndjson import RefusedFileError
from redcell.store.database import FILE
from redcell.web.fhir.body import gunzip
from redcell.web.fhir.outcome import FhirError

WORDS = b"site = 1\n"
OUTSIDE = (
    "../slipped.toml", "../../slipped.toml", "/tmp/slipped.toml", "a/../../slipped.toml",  # noqa: S108
    "./../slipped.toml", "policies/../../slipped.toml", "\0slipped.toml",
)  # fmt: skip


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes], named: dict[str, bytes]) -> Path:
    """An archive whose manifest names these contents, with these members in it."""
    manifest = {
        "made": "2026-11-22T09:00:00Z", "version": "1", "step": "1", "dialect": "sqlite",
        "head": {"seq": 0, "hash": "0" * 64},
        "members": {name: hashlib.sha256(body).hexdigest() for name, body in named.items()},
    }  # fmt: skip
    with tarfile.open(path, "w") as made:
        for info, body in (plain(backup.MANIFEST, json.dumps(manifest).encode()), *members):
            made.addfile(info, io.BytesIO(body))
    return path


def plain(name: str, body: bytes) -> tuple[tarfile.TarInfo, bytes]:
    """A file of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(body)
    return info, body


def other(name: str, kind: bytes, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """Something of an archive that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, b""


def refused(path: Path, folder: Path, match: str = ".") -> None:
    """It is refused in words, and nothing was written."""
    for dry_run in (True, False):
        with pytest.raises((StoreError, AuditError), match=match):
            backup.restore(path, folder, dry_run=dry_run)
        assert not folder.exists() or not [one for one in folder.rglob("*") if one.is_file()]
    assert not list(folder.parent.rglob("slipped*"))
    assert not Path("/tmp/slipped.toml").exists()  # noqa: S108


@pytest.mark.trust("F8")
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_that_would_lie_outside(tmp_path, name):
    path = archive(tmp_path / "a.tar", plain(name, WORDS), named={name: WORDS})
    refused(path, tmp_path / "in" / "data", "must not lie outside")


@pytest.mark.trust("F8")
@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"), (tarfile.SYMTYPE, "../../../etc/passwd"),
        (tarfile.SYMTYPE, "."), (tarfile.SYMTYPE, "redcell.toml"), (tarfile.LNKTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "redcell.toml"), (tarfile.DIRTYPE, ""), (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""), (tarfile.BLKTYPE, ""), (tarfile.CONTTYPE, ""), (b"Z", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["redcell.toml", FILE])
def test_a_member_that_is_no_file_of_its_own(tmp_path, kind, link, name):
    path = archive(tmp_path / "a.tar", other(name, kind, link), named={name: WORDS})
    refused(path, tmp_path / "in" / "data")


@pytest.mark.trust("F8")
def test_a_link_first_and_a_file_through_it_after(tmp_path):
    place = tmp_path / "elsewhere"
    place.mkdir()
    link = other("policies", tarfile.SYMTYPE, str(place))
    name = "policies/slipped.toml"
    path = archive(tmp_path / "a.tar", link, plain(name, WORDS), named={name: WORDS})
    refused(path, tmp_path / "in" / "data")
    assert not list(place.iterdir())


@pytest.mark.trust("F8")
@pytest.mark.parametrize("name", ["secret.key", "tls/server.key", "server.pem"])
def test_a_backup_brings_no_keys(tmp_path, name):
    path = archive(tmp_path / "a.tar", plain(name, WORDS), named={name: WORDS})
    refused(path, tmp_path / "in" / "data", "no private keys")


@pytest.mark.trust("F8")
def test_what_the_manifest_names_and_nobody_brings(tmp_path):
    refused(archive(tmp_path / "a.tar", named={FILE: b""}), tmp_path / "in" / "data", "lacks it")


@pytest.mark.trust("F8")
def test_a_nested_archive_is_a_file_that_is_not_opened(tmp_path):
    inner = archive(tmp_path / "inner.tar", plain("../slipped.toml", WORDS), named={}).read_bytes()
    path = archive(tmp_path / "a.tar", plain(FILE, inner), named={FILE: inner})
    refused(path, tmp_path / "in" / "data", "not a database|damaged")


@pytest.mark.trust("F8")
def test_a_member_with_holes_does_not_swell(tmp_path):
    size = 10 << 30
    info = tarfile.TarInfo("redcell.toml")
    info.size = 512
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "redcell.toml",
        "GNU.sparse.realsize": str(size),
    }
    holes = f"1\n{size}\n0\n".encode().ljust(512, b"\0")
    path = archive(tmp_path / "a.tar", (info, holes), named={"redcell.toml": b""})
    with tarfile.open(path) as made:
        assert made.getmember("redcell.toml").issparse()
    refused(path, tmp_path / "in" / "data", "not a plain file")


@pytest.mark.trust("F8")
@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_packed_archive_is_no_backup(tmp_path, kind):
    path = tmp_path / f"a.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as made:
        info, body = plain("x", b"y")
        made.addfile(info, io.BytesIO(body))
    refused(path, tmp_path / "in" / "data", "not a backup")


def bomb(size: int) -> bytes:
    """Zeros, packed a thousand to one."""
    return gzip.compress(b"\0" * size, 9)


@pytest.mark.trust("F8")
def test_bombs_stop_before_they_fill_the_memory(tmp_path, record_figure):
    packed = bomb(100 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FhirError):
        gunzip(packed)
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(packed)
    with pytest.raises(forms.UnusableFileError):
        forms.whole(path)
    with forms.opened(path) as stream:
        lines = forms.bounded(stream, path)
        with pytest.raises(RefusedFileError):
            list(iter(lambda: lines.readline(1 << 20), b""))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown <= 64
    record_figure("F8", f"100 MB of zeros in {len(packed) // 1024} kB: peak memory {grown:+.0f} MB")
