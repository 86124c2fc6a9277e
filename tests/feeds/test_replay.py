"""A piece of a large table is taken again by itself; the file came with the first piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from redcell.clinic import replay
from redcell.clinic.intake import Sender
from redcell.clinic.replay import NothingToReplayError
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.feeds.drop_folder import _parts
from redcell.sources.csv_labs.to_fhir import PIECE, translate_table
from redcell.store.arrivals import Arrival, add_arrival
from redcell.store.schema import facts

AT = 1_795_000_000_000_000
ADMIN = Sender("admin", "admin")
ROWS = PIECE - 200


@pytest.fixture
def clinic(tmp_path):
    folder = tmp_path / "data"
    make_store(folder, Settings())
    found = Clinic(folder, Settings())
    yield found
    found.close()


@dataclass
class Refused:
    numbers: list[int]
    sizes: list[int]


def refused(clinic: Clinic, *, with_file: bool = True) -> Refused:
    """A table that came in pieces, none of which was taken."""
    rows = [f"p{n},2026-11-20,Hb,9.1,g/dL\n" for n in range(ROWS)]
    data = ("patient_id,date,test,value,unit\n" + "".join(rows)).encode()
    table = translate_table("labs.csv", data, system=clinic.settings.feed("lab").authority)
    parts = list(_parts(table, data, "lab", AT))

    def write(connection: Any) -> list[int]:
        return [
            add_arrival(
                connection,
                Arrival("lab", p.form, p.key, f"hash-{p.key}", p.body, AT, "refused", "value", "x"),
            )
            for p in (parts if with_file else parts[1:])
        ]

    return Refused(clinic.writer.write(write), [len(piece) for piece in table.pieces])


def kept(clinic: Clinic) -> int:
    with clinic.database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(facts)) or 0


def test_each_piece_brings_what_is_its_own(clinic):
    found = refused(clinic)
    assert found.sizes == [PIECE, 2 * ROWS - PIECE]
    second = replay.replay(clinic, found.numbers[1], ADMIN, at=AT + 1)
    assert second.outcome == "accepted"
    assert kept(clinic) == found.sizes[1]
    with pytest.raises(NothingToReplayError):
        replay.replay(clinic, found.numbers[1], ADMIN, at=AT + 2)
    assert replay.replay(clinic, found.numbers[0], ADMIN, at=AT + 3).outcome == "accepted"
    assert kept(clinic) == sum(found.sizes)


def test_a_piece_without_its_table_says_so(clinic):
    found = refused(clinic, with_file=False)
    with pytest.raises(NothingToReplayError, match="table"):
        replay.replay(clinic, found.numbers[0], ADMIN, at=AT + 1)
