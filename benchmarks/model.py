"""Speed and agreement of the red-cell model on this machine, beside general tools, in one run.

Run with `make bench-model`; `--only peers,one,many,agree` picks sections. Nothing here is a test.

Method: one pinned core, one thread. What is compared takes turns (A B C A B C ...), so that a
drifting machine shifts all; medians of CPU seconds (user and system) of this process, and of wall
seconds beside them. Compilation is timed apart. See docs/benchmarks-model.md.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import platform
import resource
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from msgspec.structs import replace
from peers import Diffrax, Task, scipy_course, scipy_fit
from timing import Times, has, header, in_turn, ms, peak_mebibytes, row, timed

from redcell.api import moment_of
from redcell.erythropoiesis import simulate as numpy_driver
from redcell.erythropoiesis.fit import fit, lanes_of
from redcell.erythropoiesis.history import Count, Dose, Given, History
from redcell.erythropoiesis.priors import SIZE, Model, model, prior
from redcell.erythropoiesis.schedule import schedule
from redcell.forecasting import Forecaster
from redcell.forecasting.fitted import Fitted
from redcell.forecasting.history import see, usable_counts
from redcell.forecasting.many import forecast_many
from redcell.knowledge import knowledge
from redcell.loop import Situation, run
from redcell.prediction import Prediction
from redcell.sources.read import read

AT = "2026-11-22T09:00:00Z"
RUNS = 7
HORIZON = 28
PEOPLE = 32
DAY = 180
SEED = 1
COHORT = 128
"""Patients that the cohort command hands over at once."""

SECTIONS = ("peers", "one", "many", "agree")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", default=",".join(SECTIONS))
    options.add_argument("--patients", type=int, default=200, help="generated, for agreement")
    options.add_argument("--cohort", type=int, default=1280, help="fitted and scaled to 10,000")
    options.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.part:
        name, argument = given.part
        PARTS[name](argument)
        return
    machine()
    chosen = given.only.split(",")
    m = model(knowledge())
    if "peers" in chosen:
        peers(m)
    if "one" in chosen:
        one_patient(m)
    if ("many" in chosen or "agree" in chosen) and not has("jax"):
        print("\nMany patients: needs JAX (the extra `cohort`).")
        return
    if "many" in chosen:
        part("cohort", str(given.cohort))
    if "agree" in chosen:
        agreement(given.patients)


def machine() -> None:
    found = [
        f"{n} {version(n)}" for n in ("numpy", "scipy", "jax", "diffrax", "optimistix") if has(n)
    ]
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"Python {platform.python_version()}, {', '.join(found)}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, one used; load at the start {load}\n")


# -- the same task by several tools ----------------------------------------------------------------


def white(m: Model) -> Model:
    """The same model when counts scatter by the assay alone: a task that every tool can state."""
    return replace(m, noise=replace(m.noise, plasma=0.0, production=0.0), quiet=None)


def woman(m: Model, every: int, seed: int) -> History:
    """180 d: weekly paclitaxel, then trastuzumab deruxtecan, two units once; drawn traits."""
    doses = [Dose(day, "paclitaxel", 1.0) for day in range(3, 87, 7)]
    doses += [Dose(day, "trastuzumab-deruxtecan", 1.0) for day in range(94, DAY, 21)]
    history = History(
        counts=(Count(0, 12.0),),
        now=DAY,
        slots=("taxane-weekly", "trastuzumab-deruxtecan"),
        drugs={"paclitaxel": 0, "trastuzumab-deruxtecan": 1},
        doses=tuple(doses),
        transfusions=(Given(120, 2.0),),
    )
    rng = np.random.default_rng(seed)
    hb = course(m, history, SPREAD * rng.standard_normal(SIZE))
    noise = m.noise.assay * rng.standard_normal(DAY + 1)
    days = range(0, DAY + 1, every)
    return replace(history, counts=tuple(Count(d, round(float(hb[d] + noise[d]), 1)) for d in days))


SPREAD = 0.7
"""Spread of the drawn z scores."""


def course(m: Model, history: History, z: np.ndarray) -> np.ndarray:
    """The daily model's hemoglobin by day, g/dL."""
    lanes = lanes_of(prior(m, history), z[:, None])
    plan = schedule(m, history, history.now + 1)
    return numpy_driver.simulate(lanes, plan, m.constants)[:, 0]


def peers(shipped: Model) -> None:
    m = white(shipped)
    for every in (7, 21):
        women = [woman(m, every, seed) for seed in range(SEED, SEED + PEOPLE)]
        print(f"\nThe most probable z scores of one woman, counts each {every} days, per fit:\n")
        compare(m, women)


def compare(m: Model, women: list[History]) -> None:
    first = women[0]
    task = Task(m, first)
    own = fit(m, first, 0)
    if own.model.noise != m.noise:
        raise SystemExit("redcell fitted under other noise than its peers: nothing to compare.")
    tools: list[tuple[str, int, Callable[[], Any], Callable[[Any], np.ndarray]]] = [
        ("(a) redcell, NumPy", 1, lambda: fit(m, first, 0), lambda f: f.linear.hb)
    ]

    def ode(z: np.ndarray) -> np.ndarray:
        return scipy_course(task, z.astype(float))

    if has("jax"):
        from redcell.erythropoiesis.many import fit_many

        tools.append(
            (
                f"(b) redcell, JAX, {PEOPLE} at once",
                PEOPLE,
                lambda: list(fit_many(m, women, 0)),
                lambda fits: fits[0].linear.hb,
            )
        )
    if has("scipy"):
        tools.append(("(c) SciPy LSODA + least_squares", 1, lambda: scipy_fit(task), ode))
    if has("diffrax") and has("optimistix"):
        single = Diffrax([task])
        mapped = Diffrax([Task(m, history) for history in women])
        tools.append(("(d) diffrax + optimistix", 1, single, ode))
        tools.append((f"(e) the same, {PEOPLE} at once", PEOPLE, mapped, lambda z: ode(z[0])))
    cold, warm = in_turn([call for _, _, call, _ in tools], RUNS)
    base = median(warm[0].cpu)
    header("tool", "CPU, ms", "wall, ms", "CPU / (a)", "first call more, s", "course - (a), g/dL")
    for (name, people, call, told), start, times in zip(tools, cold, warm, strict=True):
        cpu, wall = median(times.cpu) / people, median(times.wall) / people
        more = start.wall[0] - median(times.wall)
        away = np.abs(told(call()) - own.linear.hb).max()
        compiled = f"{more:.1f}" if people > 1 or name.startswith("(d)") else ""
        row(name, ms(cpu), ms(wall), f"{cpu / base:.2f}", compiled, f"{away:.3f}")
    if has("scipy"):
        away = np.abs(ode(own.z) - own.linear.hb).max()
        print(
            f"\nThe ODE at the z scores of (a) lies at most {away:.3f} g/dL from its daily steps."
        )


# -- one patient, without compilation ------------------------------------------------------------


def one_patient(m: Model) -> None:
    print("\nOne patient, NumPy, no compilation:\n")
    k = knowledge()
    record, now = read("demo::okafor", base=k), moment_of(AT)
    plain, full = Forecaster(attributed=False), Forecaster()
    history = weekly()
    before = fit(m, replace(history, counts=history.counts[:-1]), HORIZON)
    calls: list[Callable[[], object]] = [
        lambda: run(record, now, k, plain),
        lambda: run(record, now, k, full),
        lambda: fit(m, history, HORIZON),
        lambda: fit(m, history, HORIZON, start=before.z),
    ]
    _, warm = in_turn(calls, 2 * RUNS)
    header("what", "CPU, ms", "wall, ms", "wanted, ms")
    names = ("assessment and 28-day forecast", "the same with the attribution")
    names += (f"fit of {len(history.counts)} weekly counts, from the prior",)
    names += ("the same from the posterior without the newest count",)
    for name, times, wanted in zip(names, warm, ("150", "", "", "100"), strict=True):
        row(name, ms(median(times.cpu)), ms(median(times.wall)), wanted)
    cpu, wall = process("forecast", "demo::okafor", "--at", AT)
    row("`redcell forecast`, from process start", ms(cpu), ms(wall), "1,500")
    cold = fit(m, history, HORIZON).linear.hb
    warm_hb = fit(m, history, HORIZON, start=before.z).linear.hb
    away = np.abs(cold - warm_hb).max()
    print(
        f"\nFrom the last posterior or the prior: courses differ by {away:.4f} g/dL (wanted .01)."
    )


def weekly() -> History:
    return history_of(simulated(1, 7)[0])


def process(*arguments: str) -> tuple[float, float]:
    """Median CPU and wall seconds of a fresh `redcell` process."""
    command = [str(Path(sys.executable).parent / "redcell"), *arguments]
    cpu, wall = [], []
    for _ in range(RUNS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(cpu[1:]), median(wall[1:])


# -- many patients ---------------------------------------------------------------------------------


def generated(patients: int) -> list[Situation]:
    """Half counted weekly, half three-weekly."""
    return [one for every in (7, 21) for one in simulated(patients // 2, every)]


def simulated(patients: int, every: int) -> list[Situation]:
    """Women of the simulation in tests/model, which shares no code with the model."""
    sys.path[0] = str(Path(__file__).parents[1] / "tests")  # else this file hides theirs
    from model.generator import Population, at, facts_record, simulate

    k, found = knowledge(), []
    population = Population(seed=SEED, every=every, threshold=8.0)
    for one in simulate(patients, population, truth=False).patients:
        run(facts_record(one, DAY), at(one, DAY), k, lambda s: found.append(s) or NOTHING)
    return found


NOTHING = Prediction(at=moment_of(AT), status="withheld", seed=0, version={})


def history_of(situation: Situation) -> History:
    case = situation.case
    return see(case, usable_counts(case), HORIZON).history


def part(name: str, argument: str, **environment: str) -> None:
    """A section in a fresh process: for its memory, or for its float."""
    command = [sys.executable, __file__, "--part", name, argument]
    subprocess.run(command, check=True, env=os.environ | environment)


DIFFERENT = 256
"""Patients that differ; larger cohorts repeat them in a drawn order."""


def cohort(patients: str) -> None:
    from redcell.erythropoiesis.many import fit_many

    m, size, forecaster = model(knowledge()), int(patients), Forecaster(attributed=False)
    people = generated(DIFFERENT)
    shuffled = np.random.default_rng(SEED).permutation(size) % DIFFERENT
    cold, fits, all_of = Times([], []), Times([], []), Times([], [])
    timed(lambda: forecast_many(forecaster, people), cold)
    for first in range(0, size, COHORT):
        group = [people[i] for i in shuffled[first : first + COHORT]]
        histories = [history_of(one) for one in group]
        timed(lambda histories=histories: list(fit_many(m, histories, HORIZON)), fits)
        timed(lambda group=group: forecast_many(forecaster, group), all_of)
    peak = peak_mebibytes()
    print(f"\n{size} patients, JAX float32 on one core, {COHORT} handed over at once:\n")
    header("what", "CPU per patient, ms", "10,000 patients, s", "wanted, s")
    for name, times in (("fit", fits), ("fit and 28-day forecast", all_of)):
        each = sum(times.cpu) / size
        row(name, f"{each * 1e3:.2f}", f"{each * 1e4:.1f}", "25")
    compiling = cold.wall[0] - sum(all_of.wall) / size * DIFFERENT
    print(f"\nCompilation, once a process: {compiling:.0f} s.")
    print(f"Most memory: {peak:,.0f} MiB (wanted 1,024).")


# -- agreement of the drivers ---------------------------------------------------------------------


def agreement(patients: int) -> None:
    people, forecaster = generated(patients), Forecaster(attributed=False)
    fits = [forecaster.fit(one) for one in people]
    alone = [forecaster.predict(f) if isinstance(f, Fitted) else f for f in fits]
    together = forecast_many(forecaster, people)
    both = [
        (a.days, b.days)
        for f, a, b in zip(fits, alone, together, strict=True)
        if a.days and b.days and f.fit.converged
    ]
    mean = [max(abs(x.mean - y.mean) for x, y in zip(a, b, strict=True)) for a, b in both]
    sd = [max(abs(y.sd / x.sd - 1.0) for x, y in zip(a, b, strict=True)) for a, b in both]
    different = sum(a.reason != b.reason for a, b in zip(alone, together, strict=True))
    print(f"\nForecasts of {len(both)} of {patients} generated patients that converged with NumPy;")
    print(f"{different} are withheld by one driver alone. Largest difference over 28 d:\n")
    header("drivers", "mean over patients", "largest", "wanted")
    row("JAX float32 - NumPy, mean, g/dL", f"{fmean(mean):.5f}", f"{max(mean):.5f}", ".002; .02")
    row("JAX float32 / NumPy, sd", f"{fmean(sd):.3%}", f"{max(sd):.3%}", "2 %")
    with TemporaryDirectory() as folder:
        found = []
        for bits in ("32", "64"):
            file = Path(folder) / f"{bits}.npy"
            part("bits", f"{patients},{file}", JAX_ENABLE_X64=str(int(bits == "64")))
            found.append(np.load(file))
            if found[-1].dtype != f"float{bits}":
                raise SystemExit(f"asked for float{bits}, reckoned in {found[-1].dtype}")
    away = np.abs(found[0] - found[1]).max(axis=0)
    row("JAX float32 - float64, g/dL", f"{away.mean():.5f}", f"{away.max():.5f}", ".005")


def bits(argument: str) -> None:
    """Courses ahead at the most probable z `[days ahead, people]`, in this process's float."""
    from redcell.erythropoiesis.many import batched, fit_many

    patients, file = argument.split(",")
    people = [history_of(one) for one in generated(int(patients))]
    m = model(knowledge())
    one = people[0]
    kind = batched([prior(m, one)], [schedule(m, one, DAY)], DAY).center.dtype
    found = [f.linear.hb[-HORIZON:] for f in fit_many(m, people, HORIZON)]
    np.save(file, np.stack(found, axis=1).astype(kind))


PARTS: dict[str, Callable[[str], None]] = {"cohort": cohort, "bits": bits}


if __name__ == "__main__":
    main()
