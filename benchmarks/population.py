"""Speed and memory of the hemoglobin scan and of the whole cohort, beside other ways, in one run.

Run with `python benchmarks/population.py FOLDER` on a folder that `redcell synthesize` wrote at
2026-11-20T09:00:00Z. Every contender is a fresh process that gives, for each patient, the newest
hemoglobin, its grade and the slope of the 28 days before it; CPU (user + system) is taken from the
system, so that other work on the machine moves it little. Slow contenders get every STEP-th file
part and their time is multiplied; ratios are of medians of runs in turn (A B A B ...).

`python benchmarks/population.py --growth IMAGE.svg FOLDER...` takes scan and cohort of folders of
several sizes, plain or gzipped all of them, and draws them, with orjson beside them; the largest
(50,000 people or more) with the scan and the cohort with forecasts alone. WORKERS names how many
processes they use.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TIME = "2026-11-20T09:00:00Z"
RUNS = int(os.environ.get("RUNS", "3"))
SAMPLE = int(os.environ.get("SAMPLE", "8000"))
"""Lines that the slow contenders read."""
WORKERS = int(os.environ.get("WORKERS", "1"))
MANY, LARGE = 5_000, 50_000
"""People from which on each is run once, and from which on only what is named LARGEST."""
CODES = ("718-7", "59260-0", "30313-1", "20509-6")
FACTORS = {"g/dL": 1.0, "g/L": 0.1, "mmol/L": 1 / 0.62058}


def main() -> None:
    if sys.argv[1] == "--growth":
        growth(Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
        return
    if len(sys.argv) > 2:
        contender(sys.argv[1], Path(sys.argv[2]))
        return
    folder = Path(sys.argv[1])
    size = sum(p.stat().st_size for p in files(folder)) / 1e6
    lines = sum(1 for _ in all_lines(folder))
    print(f"{size:,.0f} MB, {lines:,} lines, {RUNS} runs\n", flush=True)
    with tempfile.TemporaryDirectory() as place:
        sample = Path(place) / "sample"
        step = write_sample(folder, sample, lines)
        todo = {
            "redcell scan": (folder, 1.0),
            "orjson loop": (folder, 1.0),
            "orjson, parsing alone": (folder, 1.0),
            "DuckDB read_json": (folder, 1.0),
            "fhir.resources": (sample, step),
            "fhirpathpy": (sample, step),
            "fhirpath.js": (sample, step),
            "redcell cohort, all rules": (folder, 1.0),
        }
        times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in todo}
        for _ in range(RUNS):
            for name, (source, factor) in todo.items():
                found = measured(name, source)
                if found is not None:
                    cpu, wall, memory = found
                    times[name].append((cpu * factor, wall * factor, memory))
    table(times)


def table(times: dict[str, list[tuple[float, float, float]]]) -> None:
    print("| | CPU s | wall s | peak MB | CPU / redcell scan |")
    print("| --- | --- | --- | --- | --- |")
    base = statistics.median(t[0] for t in times["redcell scan"])
    for name, found in times.items():
        if found:
            cpu, wall, memory = (statistics.median(t[i] for t in found) for i in range(3))
            print(f"| {name} | {cpu:,.1f} | {wall:,.1f} | {memory:,.0f} | {cpu / base:,.1f} |")
        else:
            print(f"| {name} | not installed | | | |")


GROWING = {
    "scan": "redcell scan",
    "cohort without forecasts": "redcell cohort, all rules",
    "cohort with forecasts": "redcell cohort, with forecasts",
    "orjson, parsing alone": "orjson, parsing alone",
}
LARGEST = ("scan", "cohort with forecasts")


def growth(image: Path, folders: list[Path]) -> None:
    """CPU and memory of each folder, as a table and as a drawing."""
    found: dict[str, list[tuple[int, float]]] = {title: [] for title in GROWING}
    print("| | people | CPU s | ms a person | peak MB |")
    print("| --- | --- | --- | --- | --- |")
    for folder in folders:
        named = [p for p in files(folder) if p.name.startswith("Patient")]
        people = sum(1 for p in named for _ in lines_of(p))
        for title, name in GROWING.items():
            if people >= LARGE and title not in LARGEST:
                continue
            times = 1 if people >= MANY else RUNS
            runs = [process(name, folder) for _ in range(times)]
            cpu, _, memory = (statistics.median(run[i] for run in runs) for i in range(3))
            found[title].append((people, cpu))
            each = cpu / people * 1000
            print(
                f"| {title} | {people:,} | {cpu:,.2f} | {each:,.2f} | {memory:,.0f} |", flush=True
            )
    draw(image, found)


def draw(image: Path, found: dict[str, list[tuple[int, float]]]) -> None:
    """CPU seconds by people on logarithmic axes, each beside the straight line of its largest."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "redcell"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for title, points in found.items():
        if points:
            people, times = zip(*points, strict=True)
            line = axes.loglog(people, times, "o-", label=title)[0]
            straight = [times[-1] * n / people[-1] for n in people]
            axes.loglog(people, straight, ":", color=line.get_color())
    axes.set(xlabel="people", ylabel="CPU seconds")
    axes.legend()
    axes.grid(visible=True, alpha=0.3)
    figure.savefig(image, metadata={"Date": None}, bbox_inches="tight")


def files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.ndjson*"))
    return [p for p in found if p.suffix in (".ndjson", ".gz") and p.name != "truth.ndjson"]


def lines_of(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        yield from stream


def all_lines(folder: Path) -> Iterator[bytes]:
    for path in files(folder):
        yield from lines_of(path)


def write_sample(folder: Path, sample: Path, lines: int) -> float:
    """Every so many-th line, so that each type has its share."""
    sample.mkdir()
    step, kept = max(1, lines // SAMPLE), 0
    with (sample / "all.ndjson").open("wb") as file:
        for number, line in enumerate(all_lines(folder)):
            if number % step == 0:
                file.write(line)
                kept += 1
    return lines / kept


def measured(name: str, source: Path) -> tuple[float, float, float] | None:
    """CPU and wall seconds and peak memory of a fresh process, without its imports."""
    cpu, wall, memory = process(name, source)
    if cpu < 0:
        return None
    return cpu, wall, memory


def process(name: str, source: Path) -> tuple[float, float, float]:
    command = [sys.executable, __file__, name, str(source)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-400:], file=sys.stderr)
        return -1.0, -1.0, -1.0
    found = json.loads(done.stdout.splitlines()[-1])
    return found["cpu"], found["wall"], found["memory"]


def contender(name: str, source: Path) -> None:
    """Run one contender here, imports done beforehand, and print what it took."""
    call = CONTENDERS[name](source)
    before, start = usage(), time.perf_counter()
    answers = call()
    wall, after = time.perf_counter() - start, usage()
    memory = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    said = {"cpu": after - before, "wall": wall, "memory": memory / 1024, "answers": answers}
    print(json.dumps(said))


def usage() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


# -- the contenders ------------------------------------------------------------------------------


def judged(counts: dict[str, list[tuple[str, float]]]) -> int:
    """Newest value, grade and least-squares slope of each patient; gives how many there are."""
    from datetime import datetime

    answers = {}
    for owner, found in counts.items():
        rows = sorted((datetime.fromisoformat(t), v) for t, v in found if t <= TIME)
        if not rows:
            continue
        newest, value = rows[-1]
        near = [((t - newest).total_seconds() / 86400, v) for t, v in rows]
        near = [(d, v) for d, v in near if d >= -28]
        days, mean = sum(d for d, _ in near) / len(near), sum(v for _, v in near) / len(near)
        square = sum((d - days) ** 2 for d, _ in near)
        slope = sum((d - days) * (v - mean) for d, v in near) / square * 7 if square else None
        grade = 3 if value < 8 else 2 if value < 10 else 1 if value < 12 else 0
        answers[owner] = (value, grade, slope)
    return len(answers)


def counted(tree: dict, counts: dict[str, list[tuple[str, float]]]) -> None:
    """Add what one decoded Observation says about hemoglobin."""
    if tree["resourceType"] != "Observation" or tree.get("status") not in ("final", "corrected"):
        return
    for part in (tree, *tree.get("component", ())):
        codes = part["code"].get("coding", ())
        value = part.get("valueQuantity")
        if value and any(c.get("code") in CODES for c in codes) and value["unit"] in FACTORS:
            number = value["value"] * FACTORS[value["unit"]]
            owner = tree["subject"]["reference"]
            counts.setdefault(owner, []).append((tree["effectiveDateTime"], number))


def scan(source: Path):
    import polars  # noqa: F401  (imports are not counted)

    from redcell.api import moment_of
    from redcell.knowledge.load import knowledge
    from redcell.population.hemoglobin import hemoglobin

    given = source, moment_of(TIME), knowledge()
    return lambda: hemoglobin(*given, workers=WORKERS).height


def whole(source: Path):
    import polars  # noqa: F401  (imports are not counted)

    from redcell.api import moment_of
    from redcell.knowledge.load import knowledge
    from redcell.population.cohort import cohort

    given = source, moment_of(TIME), knowledge()
    return lambda: cohort(*given, workers=WORKERS, forecasts=False)[0].height


def foreseen(source: Path):
    import polars  # noqa: F401  (imports are not counted)

    from redcell.api import moment_of
    from redcell.knowledge.load import knowledge
    from redcell.population.cohort import cohort

    given = source, moment_of(TIME), knowledge()
    return lambda: cohort(*given, workers=WORKERS)[0].height


def orjson_loop(source: Path):
    import orjson

    def call() -> int:
        counts: dict[str, list[tuple[str, float]]] = {}
        for line in all_lines(source):
            counted(orjson.loads(line), counts)
        return judged(counts)

    return call


def orjson_alone(source: Path):
    import orjson

    def call() -> int:
        for line in all_lines(source):
            orjson.loads(line)
        return 0

    return call


def fhir_resources(source: Path):
    import orjson
    from fhir.resources.R4B import get_fhir_model_class

    def call() -> int:
        counts: dict[str, list[tuple[str, float]]] = {}
        for line in all_lines(source):
            tree = orjson.loads(line)
            found = get_fhir_model_class(tree["resourceType"]).model_validate(tree)
            if found.__class__.__name__ == "Observation":
                counted(json.loads(found.model_dump_json()), counts)
        return judged(counts)

    return call


PATH = "Observation.where(code.coding.code in ({})).value.value".format(
    " | ".join(f"'{code}'" for code in CODES)
)


def fhirpathpy(source: Path):
    import orjson
    from fhirpathpy import compile as compiled

    path = compiled(PATH)

    def call() -> int:
        counts: dict[str, list[tuple[str, float]]] = {}
        for line in all_lines(source):
            tree = orjson.loads(line)
            if path(tree):
                counted(tree, counts)
        return judged(counts)

    return call


NODE = """
const fhirpath = require(process.argv[2] + '/node_modules/fhirpath');
const fs = require('fs'), path = fhirpath.compile(process.argv[4]);
let found = 0;
for (const line of fs.readFileSync(process.argv[3], 'utf8').split('\\n')) {
  if (line && path(JSON.parse(line)).length) found += 1;
}
console.log(found);
"""


def fhirpath_js(source: Path):
    modules = os.environ["FHIRPATH"]  # a folder in which `npm install fhirpath` was run

    def call() -> int:
        with tempfile.NamedTemporaryFile("w", suffix=".cjs") as script:
            script.write(NODE)
            script.flush()
            command = ["node", script.name, modules, str(source / "all.ndjson"), PATH]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout)

    return call


SQL = """
WITH lines AS (
  SELECT subject->>'reference' AS owner, CAST(effectiveDateTime AS TIMESTAMPTZ) AS moment,
         code, valueQuantity, component
  FROM read_json({files}, format = 'newline_delimited', ignore_errors = true,
       maximum_object_size = 67108864, columns = {{resourceType: 'VARCHAR', status: 'VARCHAR',
       subject: 'JSON', effectiveDateTime: 'VARCHAR', code: 'JSON', valueQuantity: 'JSON',
       component: 'JSON[]'}})
  WHERE resourceType = 'Observation' AND status IN ('final', 'corrected')
), parts AS (
  SELECT owner, moment, code, valueQuantity AS v FROM lines
  UNION ALL
  SELECT owner, moment, p->'code', p->'valueQuantity' FROM (
    SELECT owner, moment, unnest(component) AS p FROM lines)
), counts AS (
  SELECT owner, moment, CAST(v->>'value' AS DOUBLE) * CASE v->>'unit' WHEN 'g/dL' THEN 1.0
         WHEN 'g/L' THEN 0.1 WHEN 'mmol/L' THEN 1 / 0.62058 END AS value
  FROM parts WHERE code->'coding'->0->>'code' IN {codes} AND moment <= TIMESTAMPTZ '{time}'
), newest AS (
  SELECT owner, max(moment) AS last, arg_max(value, moment) AS value FROM counts GROUP BY owner)
SELECT n.owner, n.value,
       CASE WHEN n.value < 8 THEN 3 WHEN n.value < 10 THEN 2 WHEN n.value < 12 THEN 1 ELSE 0 END,
       7 * regr_slope(c.value, epoch(c.moment) / 86400)
FROM newest n JOIN counts c ON c.owner = n.owner AND c.moment >= n.last - INTERVAL 28 DAY
GROUP BY ALL
"""


def duck(source: Path):
    import duckdb

    listed = "[" + ", ".join(f"'{p}'" for p in files(source)) + "]"
    query = SQL.format(files=listed, codes=CODES, time=TIME)

    def call() -> int:
        base = duckdb.connect(config={"threads": 1})
        return len(base.execute(query).fetchall())

    return call


CONTENDERS = {
    "redcell scan": scan,
    "orjson loop": orjson_loop,
    "orjson, parsing alone": orjson_alone,
    "DuckDB read_json": duck,
    "fhir.resources": fhir_resources,
    "fhirpathpy": fhirpathpy,
    "fhirpath.js": fhirpath_js,
    "redcell cohort, all rules": whole,
    "redcell cohort, with forecasts": foreseen,
}


if __name__ == "__main__":
    main()
