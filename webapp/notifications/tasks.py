"""Tasks of the maintenance queue."""

from __future__ import annotations

from webapp.celery import app


@app.task(name="notifications.mail")
def send_mails() -> None:
    """Beat's task; see `webapp.notifications.mails.send_due`."""
    from webapp.notifications.mails import send_due

    send_due()
