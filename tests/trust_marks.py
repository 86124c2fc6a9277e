"""Ties tests to the rows of the test plan: `@pytest.mark.trust("A1", "H3.1")`.

Unknown ids stop the run. How marked tests ended, and the figures that they measured with
`record_figure("A1", "5 kills: 0 lost")`, are kept in out/trust.json for docs/trust-report.md.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trust import book
from trust.rows import rows


class Seen:
    """Marked tests of this run, and how they ended."""

    def __init__(self) -> None:
        self.marked: set[str] = set()
        self.outcomes: dict[str, dict[str, int]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse ids that no row has."""
        unknown = set()
        for item in items:
            for mark in item.iter_markers("trust"):
                self.marked.add(item.nodeid)
                unknown |= {f"{one} ({item.nodeid})" for one in mark.args if one not in rows()}
        if unknown:
            raise pytest.UsageError(f"rows that the test plan does not have: {sorted(unknown)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of a test: its call, or a set-up that failed or skipped."""
        if report.nodeid not in self.marked or (report.when != "call" and report.passed):
            return
        counts = self.outcomes.setdefault(
            report.nodeid.partition("[")[0], {"passed": 0, "failed": 0, "skipped": 0}
        )
        counts[report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        """Keep what was seen."""
        if self.outcomes:
            book.keep_tests(self.outcomes)


def pytest_configure(config: pytest.Config) -> None:
    """Name the mark, and watch."""
    config.addinivalue_line("markers", "trust(*ids): proves these rows of tests/trust/rows.toml")
    config.pluginmanager.register(Seen(), "trust-seen")


@pytest.fixture
def record_figure(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Keeps what a test measured for a row, under the name of the test."""

    def record(row: str, says: str) -> None:
        book.keep_figure(row, says, by=f"pytest {request.node.nodeid}")

    return record
