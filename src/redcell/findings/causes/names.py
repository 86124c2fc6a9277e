"""S3 Causes: the names of the causes, their order, and the groups that evidence speaks of."""

from __future__ import annotations

RADIOTHERAPY = "radiotherapy"


INFILTRATION = "marrow-infiltration"


IRON_ABSOLUTE = "iron-deficiency-absolute"


IRON_FUNCTIONAL = "iron-deficiency-functional"


INFLAMMATION = "inflammation"


BLEEDING = "bleeding"


IMMUNE = "hemolysis-immune"


FRAGMENTATION = "hemolysis-microangiopathic"


KIDNEY = "kidney-disease"


B12 = "vitamin-b12-deficiency"


FOLATE = "folate-deficiency"


THYROID = "hypothyroidism"


NEOPLASM = "myeloid-neoplasm"


APLASIA = "red-cell-aplasia"


INHERITED = "inherited-anemia"


DIC = "disseminated-intravascular-coagulation"


SPECIMEN = "specimen-error"


BACKGROUND = "background"


ALWAYS = (
    INFILTRATION,
    IRON_ABSOLUTE,
    IRON_FUNCTIONAL,
    INFLAMMATION,
    BLEEDING,
    IMMUNE,
    FRAGMENTATION,
    KIDNEY,
    B12,
    FOLATE,
    THYROID,
    NEOPLASM,
    APLASIA,
)


ORDER = (RADIOTHERAPY, *ALWAYS, INHERITED, DIC, SPECIMEN, BACKGROUND)
"""The causes that are not drugs, in the order that breaks ties (drugs come first, by name)."""


IRON = (IRON_ABSOLUTE, IRON_FUNCTIONAL)


HEMOLYSIS = (IMMUNE, FRAGMENTATION)


MARROW_ONLY = (RADIOTHERAPY, INFILTRATION, NEOPLASM, APLASIA)


DRUG = "drug:"


ANY_DRUG = "drug:*"


EVERY_CAUSE = "*"
