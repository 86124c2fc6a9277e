"""S2 Symptoms: what the patient reports, how much anemia explains, what else could."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from redcell.findings.case import CDK, CHECKPOINT, Case
from redcell.findings.red_flags import RedFlags, high_calcium
from redcell.findings.stores import Stores
from redcell.knowledge.load import Cited
from redcell.record.disease import Diagnosis
from redcell.record.measured import Measured
from redcell.record.symptoms import Answer
from redcell.record.therapies import Treatment
from redcell.rule import Finding, rule

Contribution = Literal["likely", "plausible", "unlikely"]
STEPS: tuple[Contribution, ...] = ("unlikely", "plausible", "likely")


class SymptomFinding(Struct, frozen=True):
    """One answered symptom with the share of anemia in it and its other causes."""

    answer: Answer
    contribution: Finding[Contribution]
    other_causes: tuple[str, ...]


class SymptomReview(Struct, frozen=True):
    """Every current answer, whether the patient has no symptoms, and the rivals of anemia."""

    symptoms: tuple[SymptomFinding, ...]
    asymptomatic: Finding[bool | None]
    rivals: Finding[tuple[str, ...]]
    unconfirmed: tuple[Answer, ...]


@rule("S-R13")
def asymptomatic(
    core: tuple[Answer | None, ...],
    anemia_symptoms: tuple[Answer, ...],
    answered: tuple[Answer, ...],
) -> bool | None:
    """Does the patient have no symptoms? Only when fatigue, dyspnea, dizziness and palpitations
    were all answered and every answer is no.
    """
    if anemia_symptoms:
        return False
    asked = all(reply is not None for reply in core)
    if not asked or any(reply.present for reply in answered):
        return None
    return True


@rule("S-R18", likely="urgency.hemoglobin_low", plausible="urgency.hemoglobin_moderate")
def contribution(
    hemoglobin: Measured | None,
    reply: Answer,
    most: str,
    rival_present: bool,
    *,
    likely: Cited,
    plausible: Cited,
) -> Contribution:
    """How much can anemia explain of this symptom? Never exclusively, and never more than `most`.

    One step less for the symptoms that a rival cause in the record explains as well.
    """
    if not reply.present or hemoglobin is None or hemoglobin.value >= plausible.value:
        return "unlikely"
    step = STEPS.index("likely" if hemoglobin.value < likely.value else "plausible")
    if rival_present:
        step -= 1
    return STEPS[min(step, STEPS.index(most))]


@rule(
    "T13b",
    tsh_high="alternatives.tsh_high",
    limit="urgency.spo2_limit",
    margin="urgency.spo2_margin",
)
def rivals(
    infection: tuple[Answer | Measured | Diagnosis, ...],
    oxygen: Measured | None,
    own_limit: Measured | None,
    signs: tuple[Answer, ...],
    lung_injury: bool,
    coded_lung: Diagnosis | None,
    tsh: Measured | None,
    calcium: Measured | None,
    brain: tuple[Diagnosis | Answer, ...],
    *,
    tsh_high: Cited,
    limit: Cited,
    margin: Cited,
) -> tuple[str, ...]:
    """Which rival causes of the symptoms are in the record?

    A symptom that nobody asked about is unknown, not a rival cause.
    """
    least = (own_limit.value if own_limit is not None else limit.value) + margin.value
    claims = {
        "infection": bool(infection),
        "low oxygen": oxygen is not None and oxygen.value < least,
        "chest or bleeding sign": bool(signs),
        "lung injury": lung_injury or coded_lung is not None,
        "thyroid": tsh is not None and tsh.value > tsh_high.value,
        "calcium": calcium is not None,
        "brain metastasis": bool(brain),
    }
    return tuple(name for name, holds in claims.items() if holds)


def asymptomatic_answer(case: Case) -> Finding[bool | None]:
    """Pick the answers and ask whether the patient has no symptoms."""
    dyspnea = next((r for n in DYSPNEA if (r := case.reply(n)) is not None), None)
    core = (case.reply("fatigue"), dyspnea, case.reply("dizziness"), case.reply("palpitations"))
    return asymptomatic(
        case.knowledge, core, case.has(*case.named("article")), tuple(case.answers.values())
    )


def review_symptoms(
    case: Case, stores: Stores, flags: RedFlags, calm: Finding[bool | None]
) -> SymptomReview:
    """Answer, for every symptom that was answered, what anemia and what else can explain."""
    k = case.knowledge
    lung = any("lung_drug" in f.value.clauses for f in flags.fired("S-R7"))
    against = _rivals(case, lung_injury=lung)
    lowered = (*case.named("attributable"), "headache")
    deficient = stores.low_or_untested
    found = []
    for name, entry in k.symptoms.items():
        reply = case.reply(name)
        if reply is None:
            continue
        most = "unlikely" if entry.while_deficient and not deficient else entry.anemia
        share = contribution(
            k, case.hemoglobin, reply, most, name in lowered and bool(against.value)
        )
        others = other_causes(case, reply) if reply.present else ()
        found.append(SymptomFinding(reply, share, others))
    return SymptomReview(
        symptoms=tuple(found),
        asymptomatic=calm,
        rivals=against,
        unconfirmed=tuple(r for r in case.answers.values() if r.unconfirmed),
    )


DYSPNEA = ("dyspnea", "dyspnea-exertional", "dyspnea-at-rest")


def _rivals(case: Case, *, lung_injury: bool) -> Finding[tuple[str, ...]]:
    infection: list[Answer | Measured | Diagnosis] = [*case.has("fever", "rigors", "cough")]
    if case.hot is not None:
        infection.append(case.hot)
    coded = case.diagnosis("active-infection")
    if coded is not None:
        infection.append(coded)
    swelling = case.reply("leg-swelling")
    signs = [*case.has("chest-pain", "pleuritic-pain"), *case.has(*case.named("bleeding_site"))]
    if swelling is not None and swelling.present and swelling.new_or_worse:
        signs.append(swelling)
    brain = case.diagnosis("brain-metastasis")
    pressure = case.has("headache", "vomiting")
    return rivals(
        case.knowledge,
        tuple(infection),
        case.current("oxygen-saturation"),
        case.newest("spo2-limit"),
        tuple(signs),
        lung_injury,
        case.diagnosis("interstitial-lung-disease", "pulmonary-embolism", "pleural-effusion"),
        case.current("tsh"),
        high_calcium(case),
        (brain, *pressure) if brain is not None and pressure else (),
    )


def other_causes(case: Case, reply: Answer) -> tuple[str, ...]:
    """Rival causes of one symptom: those with evidence in the record first, then in list order."""
    listed = list(case.knowledge.symptoms[reply.symptom].rivals)
    if reply.symptom in DYSPNEA:
        if reply.new_or_worse:
            listed.append("pulmonary-embolism")
        if lung_inflaming(case):
            listed.append("interstitial-lung-disease")
    if reply.symptom == "headache" and case.diagnosis("brain-metastasis"):
        listed.append("brain-metastasis")
    order: list[str] = case.knowledge.file("symptoms")["other_causes"]["order"]
    evident = in_record(case)
    return tuple(
        sorted(dict.fromkeys(listed), key=lambda name: (name not in evident, order.index(name)))
    )


def lung_inflaming(case: Case) -> tuple[Treatment, ...]:
    """Drugs inside their window that make interstitial lung disease a rival of breathlessness."""
    return tuple(
        t
        for slug, t in case.cancer_drugs.items()
        if case.knowledge.drugs[slug].lung_injury or case.drug_class(slug) in (CDK, CHECKPOINT)
    )


def in_record(case: Case) -> frozenset[str]:
    """Rival causes that this record holds evidence for."""
    low_platelets = case.below("platelets")
    b12, folate, ferritin = (case.below(n) for n in ("vitamin-b12", "folate", "ferritin"))
    tsh = case.above("tsh")
    claims = {
        "interstitial-lung-disease": case.diagnosis("interstitial-lung-disease")
        or lung_inflaming(case),
        "pulmonary-embolism": case.diagnosis("pulmonary-embolism", "venous-thromboembolism"),
        "pleural-effusion": case.diagnosis("pleural-effusion"),
        "heart-failure": case.diagnosis("heart-failure"),
        "acute-coronary-syndrome": case.diagnosis("acute-coronary-syndrome"),
        "infection": case.diagnosis("active-infection") or case.has("fever", "rigors") or case.hot,
        "brain-metastasis": case.diagnosis("brain-metastasis"),
        "spinal-cord-compression": case.diagnosis("bone-metastasis"),
        "hypercalcemia": high_calcium(case),
        "hypothyroidism": tsh,
        "thrombocytopenia": low_platelets,
        "bleeding": case.has(*case.named("bleeding_site")),
        "disseminated-intravascular-coagulation": case.diagnosis(
            "disseminated-intravascular-coagulation"
        ),
        "hemolysis": case.above("ldh") and case.below("haptoglobin"),
        "thrombotic-microangiopathy": case.seen("schistocytes"),
        "iron-deficiency": ferritin,
        "vitamin-b12-deficiency": b12,
        "folate-deficiency": folate,
        "kidney-disease": case.diagnosis("chronic-kidney-disease"),
        "lung-disease": case.diagnosis("severe-lung-disease"),
        "liver-dysfunction": case.above("alt"),
        "cancer-treatment": case.cancer_drugs,
        "cancer": case.diagnosis("breast-cancer"),
    }
    return frozenset(name for name, evidence in claims.items() if evidence)
