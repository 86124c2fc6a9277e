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
from redcell.findings.patterns.picture import BloodPicture, Coagulation
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
from redcell.rule import Finding


def read_blood(case: Case, survey: Surveillance) -> BloodPicture:
    """Pick the counts and read the whole blood picture."""
    k = case.knowledge
    get = case.with_count
    mcv, index = get("mcv"), survey.production_index
    leukocytes, platelets = get("leukocytes"), get("platelets")
    reticulocytes = get("reticulocytes")
    few = cytopenia(k, leukocytes, platelets)
    oval, lobed = case.seen("macroovalocytes"), case.seen("hypersegmented")
    fragments = case.seen("schistocytes")
    spheres = tuple(s for s in (case.seen("spherocytes"), fragments) if s is not None)
    chips = case.current("ldh"), case.above("ldh"), case.current("haptoglobin")
    angiopathy = microangiopathy(
        k, fragments, case.current("platelets"), *chips, case.below("haptoglobin")
    )
    in_range = (
        chips[0] is not None
        and chips[1] is None
        and chips[2] is not None
        and case.below("haptoglobin") is None
    )
    hemolytic = hemolysis(
        k,
        index,
        reticulocytes,
        chips[2],
        chips[0],
        case.limits(chips[0])[1] if chips[0] else None,
        indirect_bilirubin_high(case),
        spheres,
        positive_antiglobulin(case),
    )
    megaloblasts = megaloblastic(k, mcv, oval, lobed)
    leuko = leukoerythroblastic(
        k,
        get("nucleated-rbc"),
        case.above("nucleated-rbc-absolute"),
        tuple(m for m in map(get, LEFT_SHIFT) if m is not None),
        get("immature-granulocytes"),
        case.seen("teardrops"),
        recent_growth_factor(case),
    )
    aplasia = red_cell_aplasia(k, reticulocytes, leukocytes, platelets)
    lifelong = lifelong_microcytosis(
        k, mcv, get("rbc"), mcv_before_treatment(case), usable_ferritin(case), case.current("tsat")
    )
    large = drug_macrocytosis(k, mcv, macrocytosis_drugs(case))
    clotting = coagulation(
        k,
        case.current("platelets"),
        case.current("d-dimer"),
        case.current("prothrombin-time"),
        case.current("inr"),
        case.current("fibrinogen"),
        case.contributors("anticoagulant-vka"),
    )
    round_cells = tuple(
        s for s in (case.seen("spherocytes"), case.seen("polychromasia")) if s is not None
    )
    return BloodPicture(
        patterns=(
            microcytosis(k, mcv),
            underproduction(k, mcv, index, few),
            large,
            megaloblasts,
            mixed_sizes(k, get("rdw"), previous(case, "rdw"), mcv),
            leuko,
            several_lines(k, survey.anemic, few),
            angiopathy,
            hemolytic_pattern(
                k,
                round_cells,
                index,
                reticulocytes,
                chips[1],
                chips[2],
                indirect_bilirubin_high(case),
            ),
            aplasia,
            dense_cells(k, get("mchc")),
            parallel_change(k, triples(case)),
            reactive(k, get("neutrophils"), leukocytes, platelets),
            _positive(k, clotting),
            lifelong,
        ),
        cytopenia=few,
        hemolysis=hemolytic,
        acute_hemolysis=acute_hemolysis(
            k,
            hemolytic,
            case.hemoglobin,
            comparable(case),
            case.has("dark-urine", "jaundice"),
            proven_deficiency(case) and (oval is not None or lobed is not None),
            case.diagnosis("inherited-hemolytic-anemia", "sickle-cell-disease"),
        ),
        microangiopathy=angiopathy,
        incomplete_microangiopathy=incomplete_microangiopathy(
            k, fragments, case.current("platelets"), angiopathy, in_range
        ),
        coagulation=clotting,
        leukoerythroblastic=leuko,
        aplasia=aplasia,
        megaloblasts=megaloblasts,
        lifelong=lifelong,
        persisting_cytopenia=_persisting(case),
        drug_macrocytosis=large,
    )


def _positive(k: object, clotting: Finding[Coagulation]) -> Finding[bool]:
    return disseminated(k, clotting)  # type: ignore[arg-type]


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
        case.with_count("platelets"),
        case.with_count("neutrophils"),
    )
