"""S3 Causes: what the evidence rows of one patient share."""

from __future__ import annotations

from math import sqrt

from redcell.findings.case import (
    CONJUGATE,
    CYTOTOXIC,
    Case,
)
from redcell.findings.marrow_fields import Irradiation
from redcell.findings.patterns import (
    BloodPicture,
    macrocytosis_drugs,
    usable_ferritin,
)
from redcell.findings.red_flags import RedFlags
from redcell.findings.surveillance import Surveillance
from redcell.record.measured import Measured


class Facts:
    """What the evidence rows of one case share."""

    def __init__(
        self,
        case: Case,
        survey: Surveillance,
        blood: BloodPicture,
        fields: Irradiation,
        flags: RedFlags,
    ) -> None:
        self.case = case
        self.k = case.knowledge
        self.survey = survey
        self.blood = blood
        self.fields = fields
        self.flags = flags
        self.index = survey.production_index
        self.mcv = case.with_count("mcv")
        self.ferritin = usable_ferritin(case)
        self.tsat = case.current("tsat")
        self.bone = case.diagnosis("bone-metastasis")
        self.macro = macrocytosis_drugs(case)
        self.nadir = self._dosed(CYTOTOXIC, CONJUGATE)
        self.recent_cytotoxic = self._dosed(CYTOTOXIC)
        self.smear = tuple(
            s for s in (case.seen("macroovalocytes"), case.seen("hypersegmented")) if s is not None
        )

    def _dosed(self, *classes: str) -> bool:
        now = self.case.hemoglobin.time if self.case.hemoglobin else self.case.at
        since = now.plus(-self.k.value("attribution.nadir_days"))
        return any(t.exposed_between(since, now) for t in self.case.of_class(*classes))

    def softened(self, factor: float, *samples: Measured | None) -> float:
        """The factor, or its square root when a sample was taken soon after red cells (W-b)."""
        window = self.k.value("attribution.donor_cells_days")
        distorted = any(s is not None and self.case.after_red_cells(s, window) for s in samples)
        return sqrt(factor) if distorted else factor

    def lr(self, name: str) -> float:
        """A likelihood ratio of section 3.2."""
        return self.k.value(f"attribution.{name}")
