"""Ten thousand valid inputs of each kind, read here and by another library: do they agree?

    python tests/operation/agree.py --inputs 10000

FHIR: every leaf that the reader takes from the resources of invented people, against
`fhir.resources`. HL7 v2: every component of every segment of random messages, against python-hl7.
Units: random values in each unit that `ucumvert` understands too; the units on which the two differ
stand on a reviewed list (tests/unit/test_units.py).
"""

from __future__ import annotations

import argparse
import importlib
import json
import random  # noqa: TID251  (seeded)
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec
from ucumvert import PintUcumRegistry

from builder import AT
from feeds.messages import adt, cbc, obx, pid
from feeds.test_hl7v2_segments import alike
from redcell.population.synthesize import people
from redcell.quantity import half_up
from redcell.sources.fhir.resources import DECODERS
from trust import book
from unit.test_units import ANALYTES, ANOTHER_FACTOR, OTHER_IN_UCUM, PAIRS, TERMS

SIGNS = 'AZaz019 .,-+"|^~\\&<>/%äµ漢'
CLOSE = 1e-9
ROUNDED = 0.0051
"""Hemoglobin is rounded to two decimals."""


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value inside, with where it stands; what is not there is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))
    elif value not in (None, "", False):
        yield path, value


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What stands there in the other library's reading."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def resources(number: int, seed: int) -> tuple[int, int, list[str]]:
    """FHIR resources and leaves that were compared, and where the readings differ."""
    done = compared = 0
    differs: list[str] = []
    for one in people(number, seed=seed, at=AT):
        for resource in one.resources:
            kind = resource["resourceType"]
            if kind not in DECODERS:
                continue
            here = msgspec.to_builtins(DECODERS[kind].decode(json.dumps(resource).encode()))
            model = getattr(importlib.import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
            there = json.loads(model.model_validate(resource).model_dump_json())
            done += 1
            for path, value in leaves(here):
                compared += 1
                if at(there, path) != value:
                    differs.append(f"{kind}.{'.'.join(map(str, path))}")
            if done == number:
                return done, compared, differs
    return done, compared, differs


def messages(number: int, seed: int) -> list[str]:
    """HL7 v2 messages of random fields whose segments the two split differently."""
    dice, differs = random.Random(seed), []  # noqa: S311  (seeded)

    def text() -> str:
        return "".join(dice.choices(SIGNS, k=dice.randrange(24)))

    for n in range(number):
        rows = [obx(), *(f"OBX|{k}|{text()}" for k in range(dice.randrange(6)))]
        more = [f"NTE|{k}||{text()}" for k in range(dice.randrange(3))]
        data = cbc(*rows, *more) if n % 4 else adt("A08", pid(f"{n}^^^HOSP^MR"), f"PV1|1|{text()}")
        try:
            alike(data.decode())
        except AssertionError:
            differs.append(f"message {n} of seed {seed}")
    return differs


def units(number: int, seed: int) -> tuple[int, list[str]]:
    """Pairs of analyte and unit that both understand, and values that they convert differently."""
    dice, registry = random.Random(seed), PintUcumRegistry()  # noqa: S311  (seeded)
    known = []
    for analyte, unit in PAIRS:
        try:
            here = 1 * registry.from_ucum(ANALYTES[analyte].unit)
            factor = float((1 * registry.from_ucum(unit) / here).to("").magnitude)
        except Exception:  # noqa: S112  (not UCUM there, or of another dimension: the test lists them)
            continue
        if unit not in OTHER_IN_UCUM and unit not in ANOTHER_FACTOR and unit != "[degF]":
            known.append((analyte, unit, factor))
    differs = []
    for n in range(number):
        analyte, unit, factor = known[n % len(known)]
        value = half_up(dice.uniform(0.01, 400) / factor, 4)
        here, there = TERMS.read((analyte, value, unit)), value * factor
        limits = ANALYTES[analyte].plausible or (0.0, float("inf"))
        if isinstance(here, str):
            bad = limits[0] <= there <= limits[1] and not ANALYTES[analyte].plausible_as_sent
        else:
            bad = abs(here - there) > (ROUNDED if analyte == "hemoglobin" else CLOSE * abs(there))
        if bad:
            differs.append(f"{analyte} {value} {unit}: {here} here, {there} there")
    return len(known), differs


def main() -> int:
    """Compare, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="of each kind")
    parser.add_argument("--seed", type=int, default=20261129)
    asked, bad = parser.parse_args(), 0
    done, compared, first = resources(asked.inputs, asked.seed)
    second = messages(asked.inputs, asked.seed)
    pairs, third = units(asked.inputs, asked.seed)
    for name, what, differs in (
        ("fhir.resources", f"{done} FHIR resources ({compared} values)", first),
        ("python-hl7", f"{asked.inputs} HL7 v2 messages", second),
        ("ucumvert", f"{asked.inputs} values in {pairs} units", third),
    ):
        said = f"{what} read as {name} reads them, {len(differs)} otherwise (seed {asked.seed})"
        print(said, *differs[:10], sep="\n")  # noqa: T201
        book.keep_figure("F10", said, by=f"{book.command()} ({name})", good=not differs)
        bad += bool(differs)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
