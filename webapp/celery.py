"""The Celery application that both sides share: the web process sends by name, workers run."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from django.conf import settings

app = Celery("reweave")
app.conf.update(settings.CELERY)
