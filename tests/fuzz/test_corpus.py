"""Inputs that once reached far or failed: each reader takes them again; `make fuzz` finds new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.targets import TARGETS

KEPT = sorted((Path(__file__).parent / "corpus").glob("*/*"))


@pytest.mark.trust("F1", "F2", "F3")
@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_kept_input_is_answered(path):
    TARGETS[path.parent.name](path.read_bytes())


def test_every_reader_has_kept_inputs():
    assert {path.parent.name for path in KEPT} == set(TARGETS)


@pytest.mark.trust("F2")
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_cut_and_every_odd_byte_is_answered(name):
    (first, *_) = sorted((Path(__file__).parent / "corpus" / name).iterdir())
    data = first.read_bytes()[:4000]
    step = max(1, len(data) // (4 if name == "omop" else 12))
    for place in range(0, len(data), step):
        TARGETS[name](data[:place])
        TARGETS[name](data[:place] + b"\xff\x00" + data[place + 2 :])
