"""Where compiled code is kept: the user's own closed folder, another one, or nowhere."""

from __future__ import annotations

import os
import sys

import pytest

from redcell.forecasting import compiled

pytest.importorskip("jax")


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """As in a process that has not imported JAX, in an empty home."""
    monkeypatch.delitem(sys.modules, "jax", raising=False)
    for name in (compiled.FOLDER, *compiled.SETTINGS):
        monkeypatch.setenv(name, "")  # so that what is set here is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def folder():
    with compiled.keeping() as found:
        return found


def test_it_is_kept_in_the_users_own_folder(tmp_path):
    before = dict(os.environ)
    with compiled.keeping() as found:
        assert found.parent == tmp_path / "cache" / "redcell" / "compiled"
        assert os.environ[compiled.FOLDER] == str(found)
        assert found.stat().st_mode & 0o777 == 0o700
    assert dict(os.environ) == before


@pytest.mark.parametrize("chosen", ["", "/somewhere/else"])
def test_the_users_own_choice_stands(monkeypatch, tmp_path, chosen):
    monkeypatch.setenv(compiled.FOLDER, chosen)
    assert folder() is None
    assert os.environ[compiled.FOLDER] == chosen
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path):
    found = folder()
    found.chmod(0o770)
    assert folder() is None
    found.rmdir()
    found.symlink_to(tmp_path)
    assert folder() is None


def test_another_processor_has_a_folder_of_its_own(monkeypatch, tmp_path):
    other = tmp_path / "cpuinfo"
    other.write_text("model name : other\nflags : sse2\n\nprocessor : 1\n")
    first = folder()
    monkeypatch.setattr(compiled, "PROCESSOR", other)
    assert folder() not in (None, first)


def test_without_a_place_nothing_is_kept(monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert folder() is None
