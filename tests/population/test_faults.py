"""Disks that fail or are full, folders that cannot be read, two runs at once: told, never hidden."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from redcell.api import moment_of
from redcell.errors import RedcellError, UnreadableSourceError
from redcell.knowledge.load import knowledge
from redcell.population import cohort as engine
from redcell.population.checkpoint import checkpoint
from redcell.population.cohort import cohort
from redcell.population.files import replacing
from redcell.population.hemoglobin import hemoglobin
from redcell.population.pool import pool
from redcell.population.reading import pieces
from redcell.population.reading.ndjson import files_of
from redcell.population.reading.pieces import pieces_of

AT = moment_of("2026-11-20T09:00:00Z")


def lines(people):
    for n in range(people):
        yield {"resourceType": "Patient", "id": f"p{n}", "gender": "female", "birthDate": "1970"}
        yield {
            "resourceType": "Observation",
            "id": f"o{n}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"reference": f"Patient/p{n}"},
            "effectiveDateTime": "2026-11-18T08:00:00Z",
            "valueQuantity": {"value": 7.6, "unit": "g/dL"},
            "note": [{"text": "x" * n}],
        }


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "bulk"
    folder.mkdir()
    (folder / "all.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines(60)))
    return folder


def run(source, **more):
    return cohort(source, AT, knowledge(), **{"workers": 1, "forecasts": False} | more)


# -- a disk that fails while it is read ------------------------------------------------------------


class Failing:
    """A file whose bytes from one place on cannot be read."""

    def __init__(self, file, at):
        self._file, self._at = file, at

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def _checked(self, data):
        if self._file.tell() > self._at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return data

    def read1(self, size):
        return self._checked(self._file.read1(size))

    def readline(self, size=-1):
        return self._checked(self._file.readline(size))


@pytest.fixture
def failing(source, monkeypatch):
    """The second half of the file cannot be read; it is read in pieces of some lines."""
    whole, place = Path.open, source / "all.ndjson"
    half = place.stat().st_size // 2

    def opened(self, *args, **more):
        file = whole(self, *args, **more)
        return Failing(file, half) if self == place else file

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(pieces, "BLOCK", 1000)
    for module in (engine, "redcell.population.hemoglobin"):
        name = f"{module}.pieces_of" if isinstance(module, str) else None
        cut = lambda source: pieces_of(source, 4000)  # noqa: E731
        monkeypatch.setattr(name, cut) if name else monkeypatch.setattr(module, "pieces_of", cut)
    return source


def test_lines_that_were_lost_in_a_later_piece_are_told_once(failing):
    assert len(pieces_of(failing, 4000)) > 3
    table, tally = run(failing)
    assert 10 < table.height < 50
    assert tally.rejected == {"file-not-readable": 1}


def test_the_scan_tells_of_them_too(failing):
    with pytest.warns(UserWarning, match="all.ndjson: Input/output error") as told:
        scan = hemoglobin(failing, AT, knowledge(), workers=1)
    assert 10 < scan.height < 50
    assert len(told) == 1


# -- a disk that is full ---------------------------------------------------------------------------


@contextmanager
def room(size):
    """No file may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 10, 1000, 5000, 9000, 12_000])
def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_later(source, tmp_path, size):
    out, rejected, resume = tmp_path / "a.parquet", tmp_path / "r.ndjson", tmp_path / "run"
    (source / "more.ndjson").write_text('{"\n' * 300)
    whole, tally = run(source)
    with room(size), pytest.raises(RedcellError, match="cannot be written"):
        run(source, out=out, rejected=rejected, resume=resume)
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    table, again = run(source, out=out, rejected=rejected, resume=resume)
    assert table.equals(whole)
    assert again.rejected == tally.rejected == {"not-readable": 300}
    assert len(rejected.read_bytes().splitlines()) == 300
    assert not resume.exists()


def test_what_was_done_is_kept_until_the_table_is_written(source, tmp_path, monkeypatch):
    out, rejected, resume = tmp_path / "a.parquet", tmp_path / "r.ndjson", tmp_path / "run"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            run(source, out=out, rejected=rejected, resume=resume)
    assert resume.is_dir()
    monkeypatch.setattr(engine, "assess_partition", killed)
    table, _ = run(source, out=out, rejected=rejected, resume=resume)
    assert table.height == 60
    assert out.is_file()
    assert not resume.exists()


# -- a run that is killed --------------------------------------------------------------------------


class Idle:
    """Nothing to make ready."""

    def make(self):
        return self


def _pid(idle, part):
    return os.getpid()


def _with_workers(said):
    with pool(Idle(), 2) as hands:
        said.send(set(hands.answers(_pid, range(20))))
        said.recv()


def _is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"  # nobody may be there to ask a dead orphan how it ended


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_the_workers_of_a_killed_run_end_with_it():
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe()
    run = context.Process(target=_with_workers, args=(said,))
    run.start()
    assert heard.poll(60)
    workers = heard.recv()
    assert any(map(_is_there, workers))
    run.kill()
    run.join()
    until = time.monotonic() + 60
    while any(map(_is_there, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(_is_there, workers))


def test_a_run_that_was_killed_while_it_cleared_up_is_still_known(source, tmp_path, monkeypatch):
    resume, out = tmp_path / "run", tmp_path / "a.parquet"

    def killed(folder):
        (folder / "run").unlink(missing_ok=True)  # files go in any order
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("redcell.population.checkpoint.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            run(source, out=out, resume=resume)
    assert out.is_file()
    assert resume.is_dir()
    assert run(source, out=out, resume=resume)[0].height == 60
    assert not resume.exists()


# -- two runs at once ------------------------------------------------------------------------------


def _hold(folder, said):
    with checkpoint(folder, "one"):
        said.send("held")
        said.recv()


def test_two_runs_never_share_a_folder(source, tmp_path):
    context = multiprocessing.get_context("spawn")
    (heard, said), folder = context.Pipe(), tmp_path / "run"
    other = context.Process(target=_hold, args=(folder, said))
    other.start()
    try:
        assert heard.poll(60)
        with pytest.raises(RedcellError, match="another run is at work"):
            run(source, resume=folder)
        assert (folder / "run").read_bytes() == b"redcell run one"
        other.kill()
        other.join()
        assert folder.is_dir()
        assert run(source, resume=folder)[0].height == 60
        assert not folder.exists()
    finally:
        other.kill()
        other.join()


def test_a_folder_that_is_gone_when_it_is_held_is_made_anew(tmp_path, monkeypatch):
    from redcell.population import files as module

    folder, whole, times = tmp_path / "run", module._lock, []

    def locked(held, place):
        if not times:
            place.rmdir()  # the run that held it has ended
        times.append(held)
        whole(held, place)

    monkeypatch.setattr(module, "_lock", locked)
    with checkpoint(folder, "two") as kept:
        kept.keep("answer", [1])
        assert kept.answer("answer", list[int]) == [1]
    assert len(times) == 2


def _interrupted(path, keep):
    with replacing(path, keep_on_error=keep) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_what_a_killed_run_left_of_a_file_is_overwritten(tmp_path):
    path = tmp_path / "rejected"
    (tmp_path / ".rejected.part").write_text("of a run that was killed" * 9)
    with replacing(path) as file:
        file.write(b"whole")
        with pytest.raises(RedcellError, match="another run is at work"), replacing(path):
            pass
    assert path.read_bytes() == b"whole"
    assert [one.name for one in tmp_path.iterdir()] == ["rejected"]
    for keep, found in ((False, b"whole"), (True, b"half")):
        with pytest.raises(KeyboardInterrupt):
            _interrupted(path, keep)
        assert path.read_bytes() == found
    assert [one.name for one in tmp_path.iterdir()] == ["rejected"]


# -- folders ---------------------------------------------------------------------------------------


def test_links_are_followed_and_never_in_circles(source, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (elsewhere / "b.ndjson").write_text("{}")
    (elsewhere / "back").symlink_to(source)
    (source / "linked").symlink_to(elsewhere.parent)
    (source / "circle").symlink_to(source)
    (source / "file.ndjson").symlink_to(elsewhere / "b.ndjson")
    names = [str(path.relative_to(source)) for path in files_of(source)]
    assert names == ["all.ndjson", "file.ndjson", "linked/deep/b.ndjson"]
    assert run(source)[0].height == 60


def test_a_link_that_leads_nowhere_is_a_file_that_cannot_be_read(source, tmp_path):
    (source / "lost.ndjson").symlink_to(tmp_path / "nothing")
    table, tally = run(source, resume=tmp_path / "run")
    assert table.height == 60
    assert tally.rejected == {"file-not-readable": 1}


def test_a_folder_that_cannot_be_read_ends_the_run(source, monkeypatch):
    (source / "closed").mkdir()
    whole = Path.iterdir

    def listed(self):
        if self.name == "closed":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", listed)
    with pytest.raises(UnreadableSourceError, match=r"closed: .*Permission denied"):
        run(source)
