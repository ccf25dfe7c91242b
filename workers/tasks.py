"""The task of the filling queues, and what each process of the pool sets up before its first job."""

from __future__ import annotations

from typing import Any

from celery import signals

from webapp.celery import app
from webapp.evaluations.dispatch import TASK as EVALUATE
from webapp.jobs.dispatch import TASK
from workers import process, shutdown


@app.task(name=TASK)
def run_next(queue: str) -> None:
    """A token came: claim the next job of `queue` and run it. Claims nothing when others were faster."""
    process.runner().run_next(queue)


@app.task(name=EVALUATE)
def run_next_evaluation() -> None:
    """As `run_next`, for the units of evaluations."""
    process.evaluator().run_next()


@signals.worker_process_init.connect
def _set_up(sender: str, **kwargs: Any) -> None:
    process.set_up(sender, sorted(app.amqp.queues.consume_from))


@signals.worker_process_shutdown.connect
def _sign_off(**kwargs: Any) -> None:
    process.sign_off()


@signals.worker_shutting_down.connect
def _hand_back_soon(**kwargs: Any) -> None:
    shutdown.announce()
