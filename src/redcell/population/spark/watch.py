"""How far a job on a cluster is, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import click

from redcell.population.progress import Progress, Tell

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pyspark import SparkContext

T = TypeVar("T")
EVERY = 0.5
"""Seconds between two looks."""
IDLE = 60
"""Looks without any task begun after which that is said."""
WAITING = (
    "No machine of the cluster has taken the work yet. Is a worker running, and has it the memory "
    "and cores that spark-defaults.conf asks for? Waiting; Ctrl-C ends it."
)


def watched(
    context: SparkContext, action: Callable[[], T], progress: Progress, reading: int, assessing: int
) -> T:
    """What the action answers. Its one job is told of, and is canceled when this is interrupted.

    Args:
        context: of the session.
        action: starts one job, and waits for it.
        progress: what is told how far it is.
        reading: tasks of all stages but the last.
        assessing: tasks of the last stage.
    """
    group = f"redcell-{uuid4()}"

    def act() -> T:
        context.setJobGroup(group, "redcell", interruptOnCancel=True)
        return action()

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(act)
        try:
            with progress("Reading", reading, "tasks") as tell:
                _begun(job, context, group)
                _follow(job, lambda: _done(context, group)[0], reading, tell)
            with progress("Assessing", assessing, "tasks") as tell:
                _follow(job, lambda: _done(context, group)[1], assessing, tell)
        except BaseException:
            context.cancelJobGroup(group)
            raise
        return job.result()


def _begun(job: Future[T], context: SparkContext, group: str) -> None:
    """Wait for the first task, and say so when none begins."""
    looks = 0
    while not job.done() and not any(_active(context, group)):
        wait([job], EVERY)
        looks += 1
        if looks == IDLE:
            click.echo(WAITING, err=True)


def _active(context: SparkContext, group: str) -> Iterator[bool]:
    tracker = context.statusTracker()
    for job in tracker.getJobIdsForGroup(group):
        found = tracker.getJobInfo(job)
        for stage in found.stageIds if found else ():
            info = tracker.getStageInfo(stage)
            yield bool(info and (info.numActiveTasks or info.numCompletedTasks))


def _follow(job: Future[T], done: Callable[[], int], whole: int, tell: Tell) -> None:
    told = 0
    while told < whole:
        wait([job], EVERY)
        now = whole if job.done() else min(whole, done())
        if now > told:  # a lost machine's tasks are done again; told is told
            tell(now - told)
            told = now


def _done(context: SparkContext, group: str) -> tuple[int, int]:
    """Tasks done of the stages before the last one, and of the last one."""
    tracker = context.statusTracker()
    before = last = 0
    for job in tracker.getJobIdsForGroup(group):
        found = tracker.getJobInfo(job)
        stages = sorted(found.stageIds) if found else ()
        for place, stage in enumerate(stages, 1):
            info = tracker.getStageInfo(stage)
            done = info.numCompletedTasks if info else 0
            if place == len(stages):
                last += done
            else:
                before += done
    return before, last
