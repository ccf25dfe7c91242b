"""Logging: one line an event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from webapp.settings.context import ids
from webapp.settings.env import env_choice

_LEVELS = ("debug", "info", "warning", "error")
# Attributes that every record has; what is left was passed with `extra=` and belongs to the event.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, ids of the request and the job that it is about.

    Then the event's own fields, and a traceback if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event.update(ids())
        event.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str, ensure_ascii=False)


class NotReadyIsNoFailure(logging.Filter):
    """Drops the error that Django logs for each 503 of /readyz: the address exists to say so, every few seconds."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (getattr(record, "status_code", None) == 503 and "/readyz" in (record.args or ()))


def logging_settings() -> dict[str, Any]:
    """`LOG_LEVEL` is for our own code; libraries speak up from warnings on. `LOG_FORMAT` is text or json."""
    level = env_choice("LOG_LEVEL", "info", _LEVELS).upper()
    style = env_choice("LOG_FORMAT", "text", ("text", "json"))
    ours = {"level": level, "handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"},
            "json": {"()": "webapp.settings.logs.JsonFormatter"},
        },
        "filters": {"not_ready": {"()": "webapp.settings.logs.NotReadyIsNoFailure"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": style}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "webapp": ours,
            "workers": ours,
            "inpainting": ours,
            # Django mails errors to ADMINS by default and writes to the console only with DEBUG on.
            "django": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
            # A missing page or a refused form is the visitor's affair; only failures of ours are logged.
            "django.request": {
                "level": "ERROR",
                "handlers": ["stderr"],
                "filters": ["not_ready"],
                "propagate": False,
            },
            "django.security.DisallowedHost": {"level": "CRITICAL"},
        },
    }
