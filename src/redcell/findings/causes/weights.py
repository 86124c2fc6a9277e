"""S3 Causes: starting weights, and the running product of likelihood ratios."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from redcell.findings.causes.names import ANY_DRUG, BACKGROUND, DRUG, EVERY_CAUSE, ORDER, SPECIMEN
from redcell.knowledge.load import Cited
from redcell.quantity import half_up
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule


class Support(Struct, frozen=True):
    """One piece of evidence as it bears on one cause: the finding and its likelihood ratio."""

    finding: Finding[Any]
    factor: float


class Attribution(Struct, frozen=True):
    """One cause with its weight's share of the sum and everything that moved it."""

    cause: str
    probability: float
    support: tuple[Support, ...]

    @property
    def drug(self) -> str | None:
        """The drug's slug, when the cause is a drug."""
        return self.cause.removeprefix(DRUG) if self.cause.startswith(DRUG) else None

    @property
    def strongest(self) -> float:
        """The largest likelihood ratio in favor."""
        return max((s.factor for s in self.support), default=1.0)


class Causes(Struct, frozen=True):
    """Every cause, the most probable first, and what was not tested."""

    ranked: tuple[Attribution, ...]
    not_assessed: tuple[str, ...]
    started: dict[str, Finding[float]]

    @property
    def leading(self) -> Attribution | None:
        """The first cause."""
        return self.ranked[0] if self.ranked else None

    @property
    def top_two(self) -> tuple[Attribution, ...]:
        """The first two causes."""
        return self.ranked[:2]

    @property
    def drug_share(self) -> float:
        """Probability of all drugs together."""
        return sum(a.probability for a in self.ranked if a.drug is not None)

    def among_top_two(self, *causes: str) -> bool:
        """Is one of these among the first two causes?"""
        return any(a.cause in causes for a in self.top_two)


class Weights:
    """The running product of likelihood ratios per cause, with the evidence behind each."""

    def __init__(self) -> None:
        self.weight: dict[str, float] = {}
        self.support: dict[str, list[Support]] = {}
        self.started: dict[str, Finding[float]] = {}

    def start(self, cause: str, prior: Finding[float]) -> None:
        """Begin a cause at its starting weight."""
        self.weight[cause] = prior.value
        self.support[cause] = []
        self.started[cause] = prior

    def apply(self, finding: Finding[Any], factor: float, *causes: str) -> None:
        """Multiply these causes by a likelihood ratio because of a finding."""
        for cause in self._expand(causes):
            self.weight[cause] *= factor
            self.support[cause].append(Support(finding, factor))

    def _expand(self, causes: Iterable[str]) -> list[str]:
        named: list[str] = []
        for cause in causes:
            if cause == ANY_DRUG:
                named += [c for c in self.weight if c.startswith(DRUG)]
            elif cause == EVERY_CAUSE:
                named += [c for c in self.weight if c != SPECIMEN]
            elif cause in self.weight:
                named.append(cause)
        return named

    def ranked(self) -> tuple[Attribution, ...]:
        """Causes by probability; ties by the order of the list, drugs first and by name."""
        total = sum(self.weight.values())
        found = [
            Attribution(cause, half_up(weight / total, 4), tuple(self.support[cause]))
            for cause, weight in self.weight.items()
        ]
        return tuple(sorted(found, key=lambda a: (-self.weight[a.cause], _place(a.cause), a.cause)))


def _place(cause: str) -> int:
    return -1 if cause.startswith(DRUG) else ORDER.index(cause)


@rule("D2", background="attribution.background", other="attribution.other")
def starting_weight(cause: str, *, background: Cited, other: Cited) -> float:
    """With which weight does a cause that is not a drug start?"""
    return background.value if cause == BACKGROUND else other.value


@rule(
    "D1",
    base="attribution.base_rate",
    cap="attribution.drug_cap",
    floor="attribution.drug_floor",
    endocrine="attribution.other",
    brisk="pattern.rpi_weak",
    neutral="attribution.background",
)
def drug_weight(
    treatment: Treatment,
    is_endocrine: bool,
    rate_percent: float | None,
    index: Finding[float | None],
    *,
    base: Cited,
    cap: Cited,
    floor: Cited,
    endocrine: Cited,
    brisk: Cited,
    neutral: Cited,
) -> float:
    """With which weight does a drug inside its exposure window start?

    Its own rate of anemia of grade 3 or worse over the base rate. With enough young red cells the
    marrow is not suppressed, and the drug starts no higher than the background.
    """
    if is_endocrine:
        return endocrine.value
    ratio = neutral.value if rate_percent is None else rate_percent / base.value
    ratio = min(max(ratio, floor.value), cap.value)
    if index.value is not None and index.value >= brisk.value:
        return min(ratio, neutral.value)
    return ratio
