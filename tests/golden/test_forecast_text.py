"""The forecast's own pages, from fixed numbers, as a reviewed diff.

After a wanted change: python -m pytest tests/golden --renew-golden, then read the diff.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

import redcell
from predictions import OKAFOR_AT, prediction, what_if, withheld
from redcell.outputs.forecast import forecast_page, what_if_page

GOLDEN = Path(__file__).parent / "pages"


def okafor():
    steps = redcell.assess(redcell.read("demo::okafor"), at=OKAFOR_AT).steps
    return replace(steps, forecast=None)


PAGES = {
    "forecast": lambda: forecast_page(prediction(), okafor()),
    "forecast-withheld": lambda: forecast_page(withheld(), okafor()),
    "what-if": lambda: what_if_page(what_if()),
}


@pytest.mark.trust("U7")
@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_as_reviewed(name, request):
    page = PAGES[name]()
    kept = GOLDEN / f"{name}.txt"
    if request.config.getoption("--renew-golden"):
        kept.write_text(page, encoding="utf-8")
    assert page == kept.read_text(encoding="utf-8")
