"""Writes down what SQLite writes, syncs and cuts while results are taken in: the log of a disk.

    python tests/operation/power_record.py FOLDER UNITS

Run as a program of its own: the methods of SQLite's file layer are replaced in this process, by
ones that note each call and pass it on. The log goes to FOLDER/log.pickle beside FOLDER/base.db,
the store as it was before.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import pickle
import shutil
import sqlite3
import sys
import threading
from pathlib import Path

from redcell.clinic import intake
from redcell.clinic.intake import Sender, arrived
from redcell.store.database import FILE, open_database
from redcell.store.migrate import upgrade
from redcell.store.writer import Writer

AT = 1_763_802_000_000_000
BY = Sender("lab", "feed")
VOID, INT, LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
OPEN = ctypes.CFUNCTYPE(INT, VOID, VOID, VOID, INT, VOID)  # SQLite keeps the name's address
WRITE = ctypes.CFUNCTYPE(INT, VOID, VOID, INT, LONG)
CUT = ctypes.CFUNCTYPE(INT, VOID, LONG)
SYNC = ctypes.CFUNCTYPE(INT, VOID, INT)


class Vfs(ctypes.Structure):
    """The head of sqlite3_vfs, as far as xOpen."""

    _fields_ = [
        ("version", INT),
        ("file_size", INT),
        ("longest_path", INT),
        ("next", VOID),
        ("name", ctypes.c_char_p),
        ("data", VOID),
        ("open", VOID),
    ]


class Methods(ctypes.Structure):
    """sqlite3_io_methods of version 3."""

    _fields_ = [
        ("version", INT),
        *((name, VOID) for name in ("close", "read", "write", "truncate", "sync")),
        *((f"other{n}", VOID) for n in range(13)),
    ]


class Recorder:
    """Notes what is done to the store's files from the moment it is made."""

    def __init__(self) -> None:
        self.log: list[tuple] = []
        self.lock = threading.Lock()
        self.kept: list[object] = []  # what C code points at must not be collected
        library = ctypes.CDLL(ctypes.util.find_library("sqlite3"))
        library.sqlite3_libversion.restype = ctypes.c_char_p
        if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
            raise SystemExit("Python has a SQLite of its own: nothing to look into")
        library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
        self.vfs = library.sqlite3_vfs_find(None)
        self.open = OPEN(self.vfs.contents.open)
        self._opened = OPEN(self.on_open)
        self.vfs.contents.open = ctypes.cast(self._opened, VOID)

    def stop(self) -> None:
        """Note no further files; those that were noted are closed by now."""
        self.vfs.contents.open = ctypes.cast(self.open, VOID)

    def note(self, *entry: object) -> None:
        """Add to the log."""
        with self.lock:
            self.log.append(entry)

    def on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        """Open as SQLite would, and put the noting methods in place."""
        code = self.open(vfs, name, file, flags, out)
        base = ctypes.string_at(name).decode().rpartition("/")[2] if name else ""
        if code == 0 and base.startswith(FILE):
            place = ctypes.cast(file, ctypes.POINTER(VOID))
            methods = Methods.from_address(place[0])
            place[0] = ctypes.addressof(self.noting(methods, base))
        return code

    def noting(self, methods: Methods, base: str) -> Methods:
        """The methods of a file, with those that change it noted."""
        new = Methods()
        ctypes.pointer(new)[0] = methods
        write, cut, sync = WRITE(methods.write), CUT(methods.truncate), SYNC(methods.sync)

        def on_write(file: int, data: int, size: int, offset: int) -> int:
            self.note("write", base, offset, ctypes.string_at(data, size))
            return write(file, data, size, offset)

        def on_cut(file: int, size: int) -> int:
            self.note("cut", base, size)
            return cut(file, size)

        def on_sync(file: int, flags: int) -> int:
            code = sync(file, flags)
            if code == 0:
                self.note("sync", base)
            return code

        own = (WRITE(on_write), CUT(on_cut), SYNC(on_sync))
        new.write, new.truncate, new.sync = (ctypes.cast(f, VOID) for f in own)
        self.kept += [new, own, write, cut, sync]
        return new


def unit(number: int) -> list[dict]:
    """What one acknowledgment is for: two results, now and then a long one."""
    return [
        {
            "resourceType": "Observation",
            "id": f"u{number}-{n}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            "subject": {"reference": f"Patient/p{number % 9}"},
            "effectiveDateTime": f"2026-11-{1 + number % 20:02}T08:00:00Z",
            "valueQuantity": {"value": 7 + number % 50 / 10, "unit": "g/dL", "code": "g/dL"},
            "note": [{"text": "x" * (9000 if number % 7 == 0 else 20)}],
        }
        for n in (1, 2)
    ]


def record(folder: Path, units: int) -> None:
    """Take units in by two senders at once, and keep the log."""
    data = folder / "data"
    database = open_database(data)
    upgrade(database)
    database.close()
    shutil.copy(data / FILE, folder / "base.db")
    recorder = Recorder()
    database = open_database(data)
    writer = Writer(database)

    def send(numbers: range) -> None:
        for number in numbers:
            found = unit(number)
            arrival = arrived("lab", "fhir", f"k{number}", json.dumps(found).encode(), AT + number)
            writer.write(lambda c, a=arrival, f=found: intake.take(c, a, f, BY))
            recorder.note("acknowledged", f"k{number}")

    threads = [threading.Thread(target=send, args=(range(n, units, 2),)) for n in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with recorder.lock:
        (folder / "log.pickle").write_bytes(pickle.dumps(recorder.log))
    writer.close()
    database.close()
    recorder.stop()


if __name__ == "__main__":
    record(Path(sys.argv[1]), int(sys.argv[2]))
