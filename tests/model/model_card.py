"""The tables of docs/model.md, made from the program and its knowledge base.

    python tests/model/model_card.py            # renews them
    python tests/model/model_card.py --check    # 1 when one is stale

A table stands between `<!-- table: name -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from redcell.erythropoiesis import attribute, dynamics, fit, gaussian, predict, priors
from redcell.erythropoiesis.schedule import MOST_IRRADIATED, MOST_LOST
from redcell.forecasting.forecast import FARTHEST
from redcell.forecasting.telling import MONTH
from redcell.knowledge.load import Knowledge, knowledge

PAGE = Path(__file__).parents[2] / "docs" / "model.md"
BLOCK = re.compile(r"(<!-- table: ([a-z]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
FILLED = re.compile(r"\{\w+\}")
"""A number that the sentence of a flag is filled with."""

TOPIC = "erythropoiesis."
PRIOR = TOPIC + "prior_"

SYMBOLS = {
    "progenitor_days": "TAU_P",
    "marrow_days": "TAU_M",
    "stem_days": "TAU_S",
    "marrow_share_of_kill": "q",
    "reticulocyte_maturation": "m1, m2, m3, m4, m5",
    "reticulocyte_residence": "TAU_R",
    "inflammation_effect": "i1, i2, i3",
    "prior_set_point_women": "Hset",
    "prior_set_point_men": "Hset",
    "prior_lifespan": "L",
    "prior_feedback": "g",
    "prior_most_production": "Fmax",
    "prior_start_imbalance": "etac",
    "prior_drift": "rho",
    "prior_drift_infiltration": "rho",
    "prior_first_hemoglobin": "h0",
    "prior_transfusion_efficacy": "kappa",
    "radiation_full": "G1",
    "radiation_recovery_days": "TAU_G",
    "radiation_permanent": "G2, G3",
    "noise": "s_e, s_v, tau_v, s_u, tau_u",
    "noise_shares": "share, weights",
    "scale_strength": "a0",
    "esa_equivalent": "esa",
    "transfusion.unit_hemoglobin_low": "Gu",
}
"""The letters of the equations, by the end of the key."""


def numbers(k: Knowledge) -> str:
    """Constants, noise and limits."""
    keys = [key for key in _own(k) if not key.startswith(PRIOR)]
    return _numbers(k, [*keys, "transfusion.unit_hemoglobin_low"])


def traits(k: Knowledge) -> str:
    """Priors of a person's traits."""
    return _numbers(k, [key for key in _own(k) if key.startswith(PRIOR)])


def _own(k: Knowledge) -> list[str]:
    every = k.keys()
    return [key for key in every if key.startswith(TOPIC)]


def _numbers(k: Knowledge, keys: Sequence[str]) -> str:
    rows = []
    for key in keys:
        n = k.number(key)
        value = str(n) if n.rows else f"{n.value:g}"
        symbol = SYMBOLS.get(key.removeprefix(TOPIC), "")
        entry = k.entry(key)
        source = k.cite(entry.source, entry.locator)
        rows.append((f"`{key}`", symbol, value, n.unit, n.means, source, n.mark))
    return _table(("key", "symbol", "value", "unit", "meaning", "source", "mark"), rows)


def drugs(k: Knowledge) -> str:
    """Kinetics classes."""
    rows = []
    for name, e in k.kinetics.items():
        doses = f"{e.doses:g} in {e.days:g} d" if e.doses else f"daily, {e.days:g} d"
        parts = [f"{drug} {share:g}" for drug, share in e.parts.items()]
        said = "; ".join([*e.drugs, *(["together: " + ", ".join(parts)] if parts else [])])
        figures = (f"{x:g}" for x in (e.k, e.eps, e.s, e.w))
        rows.append((f"`{name}`", said, *figures, doses, k.cite(e.source, e.locator), e.mark))
    head = ("class", "drugs", "k, 1/d", "eps", "s", "w", "reference amount", "source", "mark")
    return _table(head, rows)


def flags(k: Knowledge) -> str:
    """Every flag with what it says."""
    said = k.wording("forecast")["flag"]
    rows = ((f"`{code}`", FILLED.sub("N", text)) for code, text in said.items())
    return _table(("flag", "meaning"), rows)


def withheld(k: Knowledge) -> str:
    """Every reason to withhold, and what would bring a forecast."""
    said = k.wording("forecast")
    rows = ((f"`{c}`", text, said["brings"][c]) for c, text in said["withheld"].items())
    return _table(("reason", "meaning", "what helps"), rows)


def assumed(k: Knowledge) -> str:
    """What an answer to a what-if question takes for granted."""
    said = k.wording("forecast")["assumed"]
    return _table(("assumption", "meaning"), ((f"`{code}`", text) for code, text in said.items()))


def settings(_: Knowledge) -> str:
    """Numbers of the method, which stand in the code."""
    rows: Iterable[tuple[str, object]] = (
        ("states; drug slots; age classes", f"{dynamics.STATES}; {dynamics.SLOTS}; {dynamics.CLASSES}"),
        ("standardized parameters", priors.SIZE),
        ("least Hset; least h0; most h0 - Hset, g/dL; least Fmax", "; ".join(
            f"{x:g}" for x in (priors.LOWEST_SET_POINT, priors.LOWEST_FIRST, priors.ABOVE_SET_POINT, priors.LEAST_MOST)
        )),
        ("least F(h0) in c0", dynamics.LEAST_ASKED),
        ("most of the blood volume lost in a day; most of the marrow irradiated by one course", f"{MOST_LOST:g}; {MOST_IRRADIATED:g}"),
        ("forward difference", f"{fit.NUDGE:g}"),
        ("dampings tried in one pass", ", ".join(f"{x:g}" for x in fit.DAMPING)),
        ("longest step of one z", gaussian.LONGEST),
        ("the search ends at a step below; a gain below; passes", f"{fit.SMALL_STEP:g}; {fit.SMALL_GAIN:g}; {fit.MOST_PASSES}"),
        ("draws that check the approximation; where they raise doubt", f"{predict.FIRST_CHECKS}; {predict.CHECKS}"),
        ("share of effective draws that raises doubt", predict.DOUBT),
        ("joint courses ahead", predict.DRAWS),
        ("draws of the attribution; most causes in every order", f"{attribute.DRAWS}; {attribute.MOST_CAUSES}"),
        ("days ahead: printed sums; at most", f"{MONTH}; {FARTHEST}"),
    )  # fmt: skip
    return _table(("setting", "value"), ((name, str(value)) for name, value in rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


TABLES: dict[str, Callable[[Knowledge], str]] = {
    "numbers": numbers,
    "traits": traits,
    "drugs": drugs,
    "flags": flags,
    "withheld": withheld,
    "assumed": assumed,
    "settings": settings,
}


def renewed(text: str) -> str:
    """The page with every table made anew."""
    k = knowledge()
    return BLOCK.sub(lambda m: f"{m[1]}\n{TABLES[m[2]](k)}\n\n{m[4]}", text)


def main(arguments: Sequence[str]) -> int:
    """Renew or check."""
    before = PAGE.read_text(encoding="utf-8")
    after = renewed(before)
    if "--check" in arguments:
        return int(after != before)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
