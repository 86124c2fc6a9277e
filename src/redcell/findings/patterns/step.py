"""S1 Surveillance: read the whole blood picture of one patient."""

from __future__ import annotations

from redcell.findings.case import PARP, Case
from redcell.findings.patterns.destruction import (
    acute_hemolysis,
    coagulation,
    disseminated,
    hemolysis,
    hemolytic_pattern,
    incomplete_microangiopathy,
    microangiopathy,
)
from redcell.findings.patterns.picks import (
    LEFT_SHIFT,
    comparable,
    count_at_hold,
    indirect_bilirubin_high,
    macrocytosis_drugs,
    mcv_before_treatment,
    positive_antiglobulin,
    previous,
    proven_deficiency,
    recent_growth_factor,
    triples,
    usable_ferritin,
)
from redcell.findings.patterns.picture import BloodPicture, Coagulation, Hemolysis
from redcell.findings.patterns.rules import (
    cytopenia,
    dense_cells,
    drug_macrocytosis,
    leukoerythroblastic,
    lifelong_microcytosis,
    megaloblastic,
    microcytosis,
    mixed_sizes,
    parallel_change,
    persisting_cytopenia,
    reactive,
    red_cell_aplasia,
    several_lines,
    underproduction,
)
from redcell.findings.surveillance import Surveillance
from redcell.record.measured import Coded
from redcell.rule import Finding


class Film:
    """The counts and the smear of one patient as the pattern rules need them."""

    def __init__(self, case: Case, survey: Surveillance) -> None:
        self.case, self.k, self.index = case, case.knowledge, survey.production_index
        self.anemic = survey.anemic
        get = self.get = case.with_count
        self.mcv, self.reticulocytes = get("mcv"), get("reticulocytes")
        self.leukocytes, self.platelets = get("leukocytes"), get("platelets")
        self.few = cytopenia(self.k, self.leukocytes, self.platelets)
        self.fragments = case.seen("schistocytes")
        self.oval, self.lobed = case.seen("macroovalocytes"), case.seen("hypersegmented")
        self.ldh, self.ldh_high = case.current("ldh"), case.above("ldh")
        self.haptoglobin = case.current("haptoglobin")
        self.haptoglobin_low = case.below("haptoglobin")
        self.bilirubin_high = indirect_bilirubin_high(case)

    def seen(self, *names: str) -> tuple[Coded, ...]:
        """Smear findings that are present."""
        return tuple(s for s in map(self.case.seen, names) if s is not None)

    def large(self) -> tuple[Finding[bool], Finding[bool]]:
        """Drug macrocytosis (M3) and the megaloblastic picture (M4)."""
        drugs = macrocytosis_drugs(self.case)
        return (
            drug_macrocytosis(self.k, self.mcv, drugs),
            megaloblastic(self.k, self.mcv, self.oval, self.lobed),
        )

    def young_cells(self) -> Finding[bool]:
        """The leukoerythroblastic film (M6)."""
        shift = tuple(m for m in map(self.get, LEFT_SHIFT) if m is not None)
        return leukoerythroblastic(
            self.k,
            self.get("nucleated-rbc"),
            self.case.above("nucleated-rbc-absolute"),
            shift,
            self.get("immature-granulocytes"),
            self.case.seen("teardrops"),
            recent_growth_factor(self.case),
        )

    def breaking(self) -> tuple[Finding[bool], Finding[bool]]:
        """Microangiopathy complete (M8), and incomplete (S-R19)."""
        platelets = self.case.current("platelets")
        whole = microangiopathy(
            self.k,
            self.fragments,
            platelets,
            self.ldh,
            self.ldh_high,
            self.haptoglobin,
            self.haptoglobin_low,
        )
        tested = self.ldh is not None and self.haptoglobin is not None
        normal = tested and self.ldh_high is None and self.haptoglobin_low is None
        part = incomplete_microangiopathy(self.k, self.fragments, platelets, whole, normal)
        return whole, part

    def hemolysis(self) -> tuple[Finding[Hemolysis], Finding[bool]]:
        """Hemolysis by its laboratory findings (W-a), and whether it is acute."""
        limit = self.case.limits(self.ldh)[1] if self.ldh else None
        found = hemolysis(
            self.k,
            self.index,
            self.reticulocytes,
            self.haptoglobin,
            self.ldh,
            limit,
            self.bilirubin_high,
            self.seen("spherocytes", "schistocytes"),
            positive_antiglobulin(self.case),
        )
        megaloblasts = self.oval is not None or self.lobed is not None
        acute = acute_hemolysis(
            self.k,
            found,
            self.case.hemoglobin,
            self.case.earlier_hemoglobin,
            comparable(self.case),
            self.case.has("dark-urine", "jaundice"),
            proven_deficiency(self.case) and megaloblasts,
            self.case.diagnosis("inherited-hemolytic-anemia", "sickle-cell-disease"),
        )
        return found, acute

    def hemolytic_picture(self) -> Finding[bool]:
        """The whole pattern of hemolysis on the film (M9)."""
        round_cells = self.seen("spherocytes", "polychromasia")
        return hemolytic_pattern(
            self.k,
            round_cells,
            self.index,
            self.reticulocytes,
            self.ldh_high,
            self.haptoglobin,
            self.bilirubin_high,
        )

    def clotting(self) -> Finding[Coagulation]:
        """The DIC score (M14)."""
        tests = ("platelets", "d-dimer", "prothrombin-time", "inr", "fibrinogen")
        antagonists = self.case.contributors("anticoagulant-vka")
        return coagulation(self.k, *map(self.case.current, tests), antagonists)

    def lifelong(self) -> Finding[bool]:
        """Small cells for life (M15)."""
        ferritin, tsat = usable_ferritin(self.case), self.case.current("tsat")
        before = mcv_before_treatment(self.case)
        coded = self.case.diagnosis("thalassemia")
        return lifelong_microcytosis(
            self.k, self.mcv, self.get("rbc"), before, ferritin, tsat, coded
        )


def read_blood(case: Case, survey: Surveillance) -> BloodPicture:
    """Pick the counts and read the whole blood picture."""
    f, k = Film(case, survey), case.knowledge
    drug_large, megaloblasts = f.large()
    leuko, (whole, part) = f.young_cells(), f.breaking()
    hemolytic, acute = f.hemolysis()
    aplasia = red_cell_aplasia(k, f.reticulocytes, f.leukocytes, f.platelets)
    clotting, lifelong = f.clotting(), f.lifelong()
    return BloodPicture(
        patterns=(
            microcytosis(k, f.mcv),
            underproduction(k, f.mcv, f.index, f.few),
            drug_large,
            megaloblasts,
            mixed_sizes(k, f.get("rdw"), previous(case, "rdw"), f.mcv),
            leuko,
            several_lines(k, f.anemic, f.few),
            whole,
            f.hemolytic_picture(),
            aplasia,
            dense_cells(k, f.get("mchc")),
            parallel_change(k, triples(case)),
            reactive(k, f.get("neutrophils"), f.leukocytes, f.platelets),
            disseminated(k, clotting),
            lifelong,
        ),
        cytopenia=f.few,
        hemolysis=hemolytic,
        acute_hemolysis=acute,
        microangiopathy=whole,
        incomplete_microangiopathy=part,
        coagulation=clotting,
        leukoerythroblastic=leuko,
        aplasia=aplasia,
        lifelong=lifelong,
        persisting_cytopenia=_persisting(case),
    )


def _persisting(case: Case) -> Finding[bool]:
    held = tuple(
        t
        for slug, t in case.treatments.items()
        if slug in case.knowledge.drugs and case.drug_class(slug) == PARP and t.held_since
    )
    since = min((t.held_since for t in held if t.held_since), default=None)
    return persisting_cytopenia(
        case.knowledge,
        held,
        case.at,
        case.hemoglobin,
        count_at_hold(case, since) if since else None,
        case.current("platelets"),
        case.current("neutrophils"),
    )
