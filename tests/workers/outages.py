"""A database that cannot be used for some seconds while jobs wait, run and end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager

from django.db import connection, transaction

from tests.workers.conftest import painted, stored, wait_for_status
from tests.workers.outcomes import all_succeed_once
from tests.workers.processes import wait_until
from tests.workers.tripwires import stretch
from webapp.accounts.models import User
from webapp.jobs.services import submit_job

OUTAGE = 6.0
"""Seconds; twice as long as a job may go without a heartbeat in these tests."""


@contextmanager
def hold_the_write_lock() -> Iterator[None]:
    """Nobody else can write to the SQLite database inside the block."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=20)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def survive_an_outage(user: User, outage: AbstractContextManager[None]) -> None:
    """One job is about to store its result and others wait when the outage begins; all of them succeed, once.

    The worker is one with tripwires.
    """
    version, mask = painted(user)
    with transaction.atomic():
        about_to_end, _ = submit_job(user, version, mask, model="telea", params={}, queue="batch")
        wire = stretch(about_to_end.pk, "computing", "wait")
    wait_for_status(about_to_end, "running")
    waiting = [submit_job(user, *painted(user, seed=1 + place), model="telea", params={}, queue="batch")[0]
               for place in range(3)]  # fmt: skip
    wait_until(lambda: stored(about_to_end).heartbeat_at is not None, what="a heartbeat")
    with outage:
        wire.unlink()  # it computes, and finds that the database does not take its result
        time.sleep(OUTAGE)
    # Nobody died, so nobody's work is taken away although no heartbeat could be written for so long.
    all_succeed_once([about_to_end, *waiting], attempts=1)
