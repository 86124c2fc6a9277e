"""What every test shares: the seed of the property tests is fixed and printed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from redcell import clock

sys.path.insert(0, str(Path(__file__).parent))  # `from builder import patient` from any rootdir

settings.register_profile(
    "redcell",
    derandomize=True,  # the examples follow from the test's own text: the seed never moves
    deadline=None,
    max_examples=30,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("redcell")

pytest_plugins = ["databases", "sides", "trust_marks"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--renew-golden` writes the golden pages anew; read the diff before committing it."""
    parser.addoption("--renew-golden", action="store_true", default=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The pages come last: their browser keeps an event loop, and their clinic's clock stands, in
    this process until its end.
    """
    pages = Path(__file__).parent / "pages"
    items.sort(key=lambda item: pages in item.path.parents)


def pytest_report_header(config: pytest.Config) -> str:
    """Say which seed the property tests ran with."""
    return "hypothesis: profile redcell, derandomized (seed = hash of each test), 30 examples"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of documents and data beside the repository; skips where it is not there."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: the contract and the example patients live there")
    return folder


@pytest.fixture
def moving(monkeypatch) -> None:
    """The clock of this process goes on from a fixed moment, so that nothing ages."""
    began = time.monotonic_ns()
    start = clock.micros(clock.EPOCH.replace(year=2026, month=11, day=22, hour=9))
    monkeypatch.setattr(clock, "now", lambda: start + (time.monotonic_ns() - began) // 1000)
