"""Tasks of the maintenance queue. They need neither models nor PyTorch."""

from __future__ import annotations

from webapp.celery import app


@app.task(name="jobs.sweep")
def run_sweep() -> None:
    """Beat's task; see `sweep`."""
    from webapp.jobs.sweep import sweep

    sweep()
