"""The database: SQLite in the data folder, or PostgreSQL by address."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from webapp.settings.env import env_str


def database_settings(var_dir: Path) -> dict[str, Any]:
    """SQLite under `var_dir`; `DATABASE_URL=postgresql://user:password@host:port/name?sslmode=…` for PostgreSQL.

    SQLite runs in WAL mode with `transaction_mode` IMMEDIATE: a transaction that will write takes the lock at its
    start and waits for it, where a deferred one would fail at once when it wants to upgrade a read lock.
    """
    url = env_str("DATABASE_URL", "")
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": var_dir / "reweave.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            "TEST": {"NAME": str(var_dir / "test.sqlite3")},
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://; leave it unset for SQLite.")
    if not parts.path.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must end with the database's name, as in postgresql://host/reweave.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
