"""After a power loss SQLite opens with all that was acknowledged; the long form is `make torture`."""

from __future__ import annotations

import ctypes.util
import sqlite3

import pytest

from operation.power import recorded, replay


def shared_library() -> bool:
    """Does Python use the system's SQLite, into which the recorder can look?"""
    name = ctypes.util.find_library("sqlite3")
    if name is None:
        return False
    library = ctypes.CDLL(name)
    library.sqlite3_libversion.restype = ctypes.c_char_p
    return library.sqlite3_libversion().decode() == sqlite3.sqlite_version


@pytest.mark.trust("A2", "P1")
@pytest.mark.skipif(not shared_library(), reason="Python has a SQLite of its own inside")
def test_every_image_of_a_power_loss_opens_with_what_was_acknowledged(tmp_path, record_figure):
    log = recorded(tmp_path, units=120)
    report = replay(tmp_path, log, images=60, seed=1)
    assert report.good, report.wrong
    assert report.checkpoints
    record_figure("A2", str(report))
    unsynced = [entry for entry in log if entry[0] != "sync"]
    assert not replay(tmp_path, unsynced, images=8, seed=1).good, "the judge sees what is lost"
