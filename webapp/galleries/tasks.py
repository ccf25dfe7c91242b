"""Tasks of the maintenance queue that look after galleries."""

from __future__ import annotations

from webapp.celery import app


@app.task(name="galleries.empty_trash")
def run_empty_trash() -> None:
    """Beat's task; see `empty_expired_trash`."""
    from webapp.galleries.services import empty_expired_trash

    empty_expired_trash()
