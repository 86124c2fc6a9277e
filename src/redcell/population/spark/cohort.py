"""A cohort on a Spark cluster: the same rows as on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from redcell.errors import UnreadableSourceError
from redcell.knowledge.load import Knowledge
from redcell.population.parquet import schema, write
from redcell.population.parts import BATCH, Ready
from redcell.population.patient import Task
from redcell.population.progress import Progress, silent
from redcell.population.reading.ledger import Ledger, Refused, Tally, ledger
from redcell.population.reading.partition import Numbers
from redcell.population.reading.source import no_patient, refuse_tables
from redcell.population.spark.assessing import TABLE, Assess
from redcell.population.spark.lines import LINES, ORDER, Said, decoded
from redcell.population.spark.pieces import Plan, planned, ranked, settled
from redcell.population.spark.reading import Read
from redcell.population.spark.session import session
from redcell.population.spark.sharing import Share, answered
from redcell.population.spark.watch import watched
from redcell.record.moment import Moment

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from redcell.forecasting import Calibration

PART = 1 << 28
"""Bytes of the source in a partition of patients; small sources have one for each core."""
ROUNDS = 2
"""Partitions of patients for each core, at least: the slowest one is then a small part."""


def cohort(
    source: Path,
    at: Moment,
    knowledge: Knowledge,
    *,
    master: str | None = None,
    out: Path | None = None,
    rejected: Path | None = None,
    calibration: Calibration | None = None,
    forecasts: bool = True,
    progress: Progress = silent,
) -> tuple[pl.DataFrame, Tally]:
    """One row per patient, ordered by patient id, and the counts; see `population.cohort.cohort`.

    A session that is active is used; otherwise one is begun, and ended with the work.

    Args:
        source: a folder of FHIR NDJSON, at the same path on every machine of the cluster.
        at: nothing dated later is used, except treatment that is planned.
        knowledge: the knowledge base, with the site's policy.
        master: the cluster.
        out: the Parquet file to write.
        rejected: where rejected input is kept, one JSON object a line, ordered by its place.
        calibration: the site's noise and priors.
        forecasts: fill the forecast columns.
        progress: what is told how far the run is.

    Raises:
        UnreadableSourceError: no patient was found in the source.
        RedcellError: an extra or Java is missing, the cluster cannot be reached, or the job failed.
    """
    schema()  # fails before the work rather than after it
    refuse_tables(source)
    with ledger(rejected) as book, session(master) as spark:
        context = spark.sparkContext
        plan = planned(source, book, context.defaultParallelism)
        if not plan.tasks:
            raise UnreadableSourceError(no_patient(source))
        parts = max(ROUNDS * context.defaultParallelism, -(-plan.size // PART))
        lines = brought_together(spark, plan, parts, keeps=book.keeps)
        ready = Ready(Task(at, knowledge, keeps=book.keeps), calibration, forecasts=forecasts)
        deleted = context.broadcast(plan.deleted)
        assess = Assess(context.broadcast(ready), deleted, batch=BATCH, keeps=book.keeps)
        answers = lines.mapInArrow(assess, spark_schema(TABLE))
        reading = 2 * len(plan.tasks) + parts
        found = watched(context, answers.toArrow, progress, reading, parts)
        tally = settle(found, plan, book)
        if not tally.patients:
            raise UnreadableSourceError(no_patient(source))
        table = table_of(found)
        if out is not None:
            write(table, out)
        return table, tally


def brought_together(spark: SparkSession, plan: Plan, parts: int, *, keeps: bool) -> DataFrame:
    """Every line in the partition of its patient, sorted; shared ones with each who wants them.

    Args:
        spark: the session.
        plan: what to read.
        parts: partitions of patients.
        keeps: is rejected input itself wanted, or only its count?
    """
    tasks = spark.sparkContext.broadcast(plan.tasks)
    numbers = spark.range(0, len(plan.tasks), 1, len(plan.tasks))
    columns = spark_schema(LINES)
    own = numbers.mapInArrow(Read(tasks, keeps=keeps), columns)
    shared = _sorted(numbers.mapInArrow(Share(tasks), columns), parts).mapInArrow(answered, columns)
    return _sorted(own.union(shared), parts)


def _sorted(lines: DataFrame, parts: int) -> DataFrame:
    return lines.repartition(parts, "owner").sortWithinPartitions(*ORDER)


def spark_schema(columns: pa.Schema) -> StructType:
    """The same columns as Spark calls them."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(columns)


def table_of(found: pa.Table) -> pl.DataFrame:
    """The rows alone, with the contract's types."""
    import polars

    rows = found.filter(pc.is_valid(found["patient_id"])).drop_columns("said")
    return polars.DataFrame(polars.from_arrow(rows), schema=schema()).sort("patient_id")


def settle(found: pa.Table, plan: Plan, book: Ledger) -> Tally:
    """What was said besides rows: counts into the tally, rejected input into the ledger.

    Lines of rejected input get their numbers in their files, and are ordered by them.
    """
    said = Said()
    for data in found["said"].drop_null().to_pylist():
        said.add(decoded(data))
    tally = book.tally
    tally.patients = said.patients
    tally.rows = found.num_rows - found["patient_id"].null_count
    tally.left_out.update(said.left_out)
    tally.noted.update(said.noted)
    tally.not_read.update(said.not_read)
    tally.rejected.update(said.rejected)
    numbers = plan.numbers(said.lines)
    placed = (_placed(refused, numbers) for refused in said.refused)
    for refused in sorted(placed, key=lambda r: (*ranked(r.place), r.reason)):
        book.refuse(refused)
    return tally


def _placed(refused: Refused, numbers: Numbers) -> Refused:
    place = settled(refused.place, numbers)
    return replace(refused, place=place, text=refused.text.replace(refused.place, place))
