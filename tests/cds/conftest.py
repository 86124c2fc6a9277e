"""Fixtures of the CDS tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cds.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """The service without a store, open to this machine."""
    found = World()
    yield found
    found.close()
