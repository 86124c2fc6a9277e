"""The reader's language: chosen on the page, kept in a cookie; words from `translations/`.

A page is English unless its strings are in the language's file: a flat table of the English text
to the other one. What is missing stays English, so that nothing is ever left unsaid.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

FOLDER = Path(__file__).parent / "translations"
ENGLISH = "en"
COOKIE = "redcell-language"
NAMES = {"en": "English", "es": "Español"}
YEAR = 365 * 24 * 3600

router = APIRouter()


@cache
def languages() -> tuple[str, ...]:
    """Languages that there are words in."""
    return (ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.toml")))


def language_of(request: Request) -> str:
    """The language that this reader chose, or that their browser asks for."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in languages():
        return chosen
    asked = request.headers.get("accept-language", "")
    wanted = (part.partition(";")[0].strip()[:2].lower() for part in asked.split(","))
    return next((code for code in wanted if code in languages()), ENGLISH)


@cache
def _words(lang: str) -> dict[str, str]:
    path = FOLDER / f"{lang}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@cache
def translator(lang: str) -> Callable[..., str]:
    """`t("Signed in as {name}", name=...)`: the text in a language, filled."""
    words = _words(lang)

    def t(text: str, **values: object) -> str:
        said = words.get(text, text)
        return said.format(**values) if values else said

    return t


@router.get("/language/{code}", name="language", include_in_schema=False)
async def choose(request: Request, code: str, back: str = "/") -> Response:
    """Read on in another language."""
    local = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(local, status_code=303)
    if code in languages():
        answer.set_cookie(
            COOKIE, code, max_age=YEAR, httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return answer
