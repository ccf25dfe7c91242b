"""Tasks of the maintenance queue. They need neither models nor PyTorch."""

from __future__ import annotations

from webapp.celery import app


@app.task(name="evaluations.sweep")
def run_sweep() -> None:
    """Beat's task; see `sweep`."""
    from webapp.evaluations.sweep import sweep

    sweep()
