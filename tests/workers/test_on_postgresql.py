"""Claiming, racing, the sweep and the faults of a database server, on a PostgreSQL that is started for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.postgres_server import FOLDER, PostgresServer, running_postgres

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def run_tests(project_root: Path, server: PostgresServer, *files: str) -> None:
    """Run test files in a pytest of their own, which has this server as its database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REWEAVE_")}
    environment |= {"DATABASE_URL": server.url, FOLDER: str(server.folder), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    paths = [f"tests/workers/{name}" for name in files]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--create-db", *paths],
        cwd=project_root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]


def test_claims_states_and_the_sweep(project_root: Path, postgres: PostgresServer) -> None:
    run_tests(project_root, postgres, "test_claims.py", "test_states.py", "test_sweep.py", "test_submit.py")


def test_outages_clocks_and_races(project_root: Path, postgres: PostgresServer) -> None:
    run_tests(project_root, postgres, "on_postgresql.py")
