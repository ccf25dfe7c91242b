"""Where the states of interrupted jobs are kept."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.workers.conftest import RedisServer
from webapp.jobs import checkpoints
from webapp.jobs.checkpoints import JobCheckpoint

pytestmark = pytest.mark.real


def test_a_state_lasts_for_a_while_and_not_when_it_is_huge(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = JobCheckpoint(uuid4())
    assert (kept.load(), kept.is_used) == (None, False)
    kept.save(b"state")
    assert (kept.load(), kept.is_used) == (b"state", True)
    monkeypatch.setattr(checkpoints, "LARGEST", 3)
    kept.save(b"larger")
    assert kept.load() == b"state"
    kept.forget()
    assert kept.load() is None


def test_without_redis_a_job_only_loses_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis.Redis(unix_socket_path="/nonexistent/redis.sock", retry=Retry(NoBackoff(), 0))
    monkeypatch.setattr(checkpoints, "client", lambda: away)
    kept = JobCheckpoint(uuid4())
    kept.save(b"state")
    assert kept.load() is None
    kept.forget()
