"""Whether the queue stays fair and whole under load: a crowd of visitors, two worker processes, one small machine."""

from __future__ import annotations

import argparse
import asyncio
import math
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from bench.crowd import Crowd, Submitted, Work
from bench.pictures import jpeg, mask_png, photo_of, round_hole
from bench.report import BenchError, save, shown_path, table
from bench.studio import HOST, RunningStudio, running_studio

SIDE = 96
WORKERS = 2
_WITHIN = 1800.0
_BACKLOG = 2 / 3
"""Share of the jobs that are asked for before any is started."""
_PERCENTILES = (50, 95, 99, 100)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench load`."""
    parser.add_argument("--users", type=int, default=40, help="visitors with an open socket (default 40)")
    parser.add_argument("--jobs", type=int, default=200, help="jobs of all visitors together (default 200)")
    parser.add_argument("--model", default="telea", help="catalogue key (default telea)")


@dataclass(slots=True)
class Memory:
    """Bytes that the processes of one kind hold together."""

    first: int = 0
    last: int = 0
    most: int = 0


@dataclass(slots=True)
class Outcome:
    """What a crowd met with. Times in seconds."""

    users: int
    jobs: int
    seconds: float
    submit: list[float]
    event: list[float]
    """From the commit of a job's end to the message in the browser."""
    waits: dict[int, float]
    """Mean time from the doors' opening to the start of the backlog's jobs, by visitor."""
    lost: int
    """Jobs that were accepted and did not succeed."""
    duplicated: int
    """Jobs that succeeded, or were begun, more than once, and results beyond one a job."""
    broken: int
    """Sockets that broke and were opened anew."""
    busy: int
    """Requests that were answered with “try again in a moment”, and were sent again."""
    memory: dict[str, Memory] = field(default_factory=dict)

    @property
    def fairness(self) -> float:
        """Jain's index over the visitors' mean waits."""
        return jain(self.waits.values())


def jain(values: Iterable[float]) -> float:
    """(Σx)² / (n Σx²): 1 when all are equal, 1/n when one has everything (Jain, Chiu and Hawe, 1984)."""
    found = list(values)
    squares = sum(value * value for value in found)
    return 1.0 if squares == 0 else sum(found) ** 2 / (len(found) * squares)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` percent do not exceed, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else 0.0


def measure(users: int, jobs: int, model: str = "telea") -> Outcome:
    """Start a studio with two worker processes, let the crowd at it, look what is in its database afterwards."""
    if users < 1 or jobs < users:
        raise BenchError("There must be at least one visitor, and one job for each.")
    each = jobs // users
    work = Work(
        photo=jpeg(photo_of(SIDE, SIDE)),
        mask=mask_png(round_hole(SIDE, SIDE, 0.03)),
        model=model,
        each=each,
        backlog=math.ceil(_BACKLOG * each),
    )
    settings = {
        "WORKER_CONCURRENCY": str(WORKERS),
        "GUESTS_PER_HOUR": "0",
        "JOB_COMPUTE_SECONDS_PER_DAY": "0",
        "JOB_MAX_ACTIVE_PER_USER": str(each),
    }
    with running_studio(settings) as studio:
        node = _wait_for_workers(studio)
        opened: list[float] = []

        def open_the_doors() -> None:
            _change(studio, "DELETE FROM operations_drainednode")
            opened.append(time.time())

        _change(studio, "INSERT INTO operations_drainednode VALUES (?, datetime('now'), 'bench')", node)
        crowd = Crowd(HOST, studio.port, users)
        with _watched_memory(studio) as memory:
            began = time.perf_counter()
            done = asyncio.run(crowd.run(work, open_the_doors=open_the_doors, within=_WITHIN))
            seconds = time.perf_counter() - began
        lost, duplicated = _count_in_database(studio.folder / "reweave.sqlite3", crowd.ids)
    return Outcome(
        users=users,
        jobs=len(done),
        seconds=seconds,
        submit=[job.answered - job.pressed for job in done],
        event=[job.heard["succeeded"] - job.moment("finished_at") for job in done if "succeeded" in job.heard],
        waits=_waits(done, opened[0]),
        lost=lost,
        duplicated=duplicated,
        broken=crowd.broken,
        busy=crowd.busy,
        memory=memory,
    )


def _waits(done: Sequence[Submitted], opened: float) -> dict[int, float]:
    waits: dict[int, list[float]] = defaultdict(list)
    for job in done:
        if job.in_backlog:
            waits[job.user].append(max(0.0, job.moment("started_at") - opened))
    return {user: fmean(each) for user, each in waits.items()}


def _change(studio: RunningStudio, statement: str, *values: str) -> None:
    """Drain or resume the worker; through the database, because nobody of the staff is signed in."""
    with closing(sqlite3.connect(studio.folder / "reweave.sqlite3", timeout=60)) as database, database:
        database.execute(statement, values)


def _count_in_database(path: Path, ids: Sequence[str]) -> tuple[int, int]:
    """(lost, duplicated) by what the database says, which is the truth about jobs."""
    wanted = {job_id.replace("-", "") for job_id in ids}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        status = dict(database.execute("SELECT id, status FROM jobs_job"))
        moves: dict[tuple[str, str], int] = {
            (job, to): count
            for job, to, count in database.execute(
                "SELECT job_id, to_status, COUNT(*) FROM jobs_transition GROUP BY job_id, to_status"
            )
        }
        (results,) = database.execute("SELECT COUNT(*) FROM photos_version WHERE parent_id IS NOT NULL").fetchone()
    lost = sum(status.get(job) != "succeeded" for job in wanted)
    repeated = sum(count > 1 for (_, to), count in moves.items() if to in {"running", "succeeded"})
    beyond = max(0, results - sum(value == "succeeded" for value in status.values()))
    return lost, repeated + beyond + len(set(status) - wanted)


def _wait_for_workers(studio: RunningStudio) -> str:
    """The worker's name. The studio is ready with its first process; the second one may still be loading."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with closing(sqlite3.connect(f"file:{studio.folder / 'reweave.sqlite3'}?mode=ro", uri=True)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM jobs_workerseen")]
        if len(names) >= WORKERS:
            return str(names[0].rpartition(":")[0])
        time.sleep(0.2)
    raise BenchError(f"Fewer than {WORKERS} worker processes reported.")


@contextmanager
def _watched_memory(studio: RunningStudio) -> Iterator[dict[str, Memory]]:
    """Look once a second what the web processes and the worker's pool hold."""
    memory = {"web": Memory(), "workers": Memory()}
    ended = threading.Event()

    def watch() -> None:
        while True:
            for kind, size in _resident(studio.pid).items():
                seen = memory[kind]
                seen.first = seen.first or size
                seen.last, seen.most = size, max(seen.most, size)
            if ended.wait(1.0):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        ended.set()
        watcher.join()


def _resident(studio: int) -> dict[str, int]:
    sizes = {"web": 0, "workers": 0}
    for process in psutil.Process(studio).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            command = " ".join(process.cmdline())
            if "webapp.jobs.keeper" in command:
                continue
            kind = "web" if "webapp.asgi" in command else "workers" if "workers.tasks" in command else None
            if kind is not None:
                sizes[kind] += process.memory_info().rss
    return sizes


def report(outcome: Outcome) -> str:
    """The outcome in words and a table."""
    head = ["milliseconds", *(f"{share} %" if share < 100 else "worst" for share in _PERCENTILES)]
    rows = [
        [name, *(f"{percentile(values, share) * 1e3:.0f}" for share in _PERCENTILES)]
        for name, values in (
            ("request to answer", outcome.submit),
            ("job ended to message", outcome.event),
            ("mean wait in the backlog", list(outcome.waits.values())),
        )
    ]
    lines = [
        table(head, rows),
        f"{outcome.jobs} jobs in {outcome.seconds:.1f} s: {outcome.jobs / outcome.seconds:.1f} a second.",
        f"Fairness of the waits in the backlog (Jain's index over {outcome.users} visitors): {outcome.fairness:.4f}.",
        f"Lost: {outcome.lost}. Duplicated: {outcome.duplicated}. Sockets that broke: {outcome.broken}. Told to "
        f"try again: {outcome.busy}.",
    ]
    for kind, seen in outcome.memory.items():
        grown = (seen.last - seen.first) / 1e6
        lines.append(f"Memory of {kind}: {seen.first / 1e6:.0f} MB at first, {grown:+.0f} MB at the end.")
    return "\n".join(lines)


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    print(f"Load: {chosen.users} visitors, {chosen.jobs} jobs with {chosen.model}, {WORKERS} workers.", flush=True)
    outcome = measure(chosen.users, chosen.jobs, chosen.model)
    print(report(outcome))
    path = save("load", as_numbers(outcome))
    print(f"Saved in {shown_path(path)}.\n", flush=True)
    if outcome.lost or outcome.duplicated:
        raise BenchError("Jobs were lost or done twice.")


def as_numbers(outcome: Outcome) -> dict[str, Any]:
    """For the file."""
    times = {"submit": outcome.submit, "event": outcome.event, "wait_of_user": list(outcome.waits.values())}
    return {
        "users": outcome.users,
        "jobs": outcome.jobs,
        "seconds": outcome.seconds,
        "fairness": outcome.fairness,
        "lost": outcome.lost,
        "duplicated": outcome.duplicated,
        "broken_sockets": outcome.broken,
        "told_to_try_again": outcome.busy,
        "memory": {kind: {"first": seen.first, "last": seen.last, "most": seen.most}
                   for kind, seen in outcome.memory.items()},
        "percentiles": {name: {str(share): percentile(values, share) for share in _PERCENTILES}
                        for name, values in times.items()},
    }  # fmt: skip
