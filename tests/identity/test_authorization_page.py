"""The reference page says what the table says."""

from __future__ import annotations

from pathlib import Path

from redcell.identity.table import TABLE
from redcell.identity.table.page import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "authorization.md"


def test_the_page_is_the_table(request):
    made = page()
    if request.config.getoption("--renew-golden"):
        PAGE.write_text(made, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == made, "renew it: pytest --renew-golden " + __file__
    for name in TABLE:
        assert f"`{name}`" in made
