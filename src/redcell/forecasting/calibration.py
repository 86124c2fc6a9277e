"""A site's calibration: its noise, its priors, and how its probabilities came true."""

from __future__ import annotations

from math import exp, log
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from redcell.errors import CalibrationError
from redcell.erythropoiesis.priors import Model, Noise


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """What `redcell calibrate` wrote: replaces the published numbers of the model.

    `centers` are prior (median, spread) by name; `transfusion` is (a, b) of
    `logit p' = a + b logit p`.
    """

    name: str
    made: str
    people: int
    counts: int
    noise: Noise | None = None
    centers: dict[str, tuple[float, float]] = {}
    recalibration: tuple[float, float] | None = None

    def applied(self, m: Model) -> Model:
        """The model with this site's numbers."""
        found = replace(m, centers=m.centers | self.centers)
        return replace(found, noise=self.noise, quiet=None) if self.noise else found

    def transfusion(self, probability: float) -> tuple[float, float]:
        """The recalibrated probability, and the factor on expected units."""
        if self.recalibration is None or not 0.0 < probability < 1.0:
            return probability, 1.0
        a, b = self.recalibration
        logit = a + b * log(probability / (1.0 - probability))
        found = 1.0 / (1.0 + exp(-max(min(logit, 50.0), -50.0)))
        return found, found / probability


def read_calibration(path: Path) -> Calibration:
    """A calibration file.

    Raises:
        CalibrationError: it cannot be read or is not one.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except OSError as error:
        raise CalibrationError(f"{path}: {error.strerror or error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CalibrationError(
            f"{path}: {error}. Expected a file that redcell calibrate wrote."
        ) from error
