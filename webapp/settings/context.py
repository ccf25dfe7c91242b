"""What the current thread or task is about, for the log: the request it answers, the job it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_request: ContextVar[str] = ContextVar("id of the request", default="")
_job: ContextVar[str] = ContextVar("id of the job", default="")


@contextmanager
def about_request(request_id: str) -> Iterator[None]:
    """Events inside carry this request's id."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


@contextmanager
def about_job(job_id: Any) -> Iterator[None]:
    """Events inside carry this job's id."""
    token = _job.set(str(job_id))
    try:
        yield
    finally:
        _job.reset(token)


def ids() -> dict[str, str]:
    """The ids that are set: ``{"request": …, "job": …}``."""
    found = {"request": _request.get(), "job": _job.get()}
    return {name: value for name, value in found.items() if value}
