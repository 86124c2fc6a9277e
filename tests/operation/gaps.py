"""Does the time of a refused sign-in tell whether an account exists?

    python tests/operation/gaps.py --tries 200

Known and unknown logins are tried in turn with a wrong password, each from an address of its own,
so that no try has to wait. What counts is the middle time of each kind: hours of tries see no more.
"""

from __future__ import annotations

import argparse
import random  # noqa: TID251  (seeded)
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from identity.web import Browser, account
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.identity import passwords
from redcell.web.app import Options, create_app
from trust import book

LIMIT = 5.0
"""Milliseconds between the middle times."""
REFUSED = 401


def one(app: object, login: str, address: str) -> tuple[float, float]:
    """Milliseconds of a refused try, by the clock and of the processor."""
    browser = Browser(app, address)
    field = browser.field()
    wall, work = time.perf_counter(), time.process_time()
    answer = browser.post("/sign-in", data={"csrf": field, "login": login, "password": "x" * 16})
    took = (time.perf_counter() - wall) * 1000, (time.process_time() - work) * 1000
    if answer.status_code != REFUSED:
        raise SystemExit(f"{login} was answered with {answer.status_code}")
    return took


def measure(app: object, tries: int) -> dict[str, list[tuple[float, float]]]:
    """Times of tries with known and with unknown logins, in turn, which one first by chance."""
    dice = random.Random(1)  # noqa: S311  (seeded)
    found: dict[str, list[tuple[float, float]]] = {"known": [], "unknown": []}
    for n in range(tries):
        for kind in dice.sample(sorted(found), 2):
            login = f"person{n}" if kind == "known" else f"nobody{n}"
            address = f"10.{kind == 'known':d}.{n // 250}.{n % 250 + 1}"
            found[kind].append(one(app, login, address))
    return found


def main() -> int:
    """Measure, print and keep the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=200, help="of each kind")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="redcell-gaps-") as name:
        make_store(Path(name), Settings())
        clinic = Clinic(Path(name), Settings())
        hashed = passwords.hasher().hash("a long enough password")
        for n in range(asked.tries):
            account(clinic, f"person{n}", "nurse", password=hashed)
        app = create_app(clinic, Options(works=False))
        for n in range(5):
            one(app, f"warm{n}", f"10.2.0.{n + 1}")
        found = measure(app, asked.tries)
        clinic.close()
    middle = {
        kind: [statistics.median(times) for times in zip(*rows, strict=True)]
        for kind, rows in found.items()
    }
    wall, work = (a - b for a, b in zip(middle["known"], middle["unknown"], strict=True))
    said = (
        f"{asked.tries} refused tries of each kind: middle time {middle['known'][0]:.1f} ms for an "
        f"account that exists, {middle['unknown'][0]:.1f} ms for one that does not, {wall:+.1f} ms "
        f"apart ({work:+.1f} ms of processor time)"
    )
    print(said)  # noqa: T201
    good = abs(wall) < LIMIT
    book.keep_figure("S10", said, by=book.command(), good=good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
