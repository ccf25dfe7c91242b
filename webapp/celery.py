"""The Celery application that both sides share: the web process sends by name, workers run.

`celery -A webapp.celery` knows the maintenance tasks only; `celery -A workers.tasks` knows the filling of photos.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from django.conf import settings

PARTS = ("jobs", "notifications", "accounts", "galleries", "evaluations")
"""Apps with tasks of their own."""

app = Celery("reweave", include=[f"webapp.{part}.tasks" for part in PARTS])
app.conf.update(settings.CELERY)
