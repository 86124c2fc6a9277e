"""The whole text page of a synthetic patient, as a reviewed diff.

After a wanted change: python -m pytest tests/golden --renew-golden, then read the diff.
"""

from pathlib import Path

import pytest

import redcell

GOLDEN = Path(__file__).parent / "pages"
AT = {"okafor": "2026-11-22T09:00:00Z"}


@pytest.mark.trust("U7")
@pytest.mark.parametrize("name", sorted(AT))
def test_the_page_is_as_reviewed(name, request):
    page = redcell.assess(redcell.read(f"demo::{name}"), at=AT[name]).to_text()
    kept = GOLDEN / f"{name}.txt"
    if request.config.getoption("--renew-golden"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(page, encoding="utf-8")
    assert page == kept.read_text(encoding="utf-8")
