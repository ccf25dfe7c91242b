"""Tasks of the maintenance queue."""

from __future__ import annotations

from webapp.celery import app


@app.task(name="accounts.tidy")
def run_tidy() -> None:
    """Beat's task; see `tidy`."""
    from webapp.accounts.housekeeping import tidy

    tidy()
