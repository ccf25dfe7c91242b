"""What Django looks at before it starts: mistakes of a deployment, each with a sentence and a way out."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks

_OLDEST_SQLITE = (3, 37, 0)
_SHORTEST_SECRET = 32


def register_all() -> None:
    """Tell Django of every check here."""
    for check in (sqlite_version, data_folders, sendfile, bucket, guests, hosts, secret, job_times):
        checks.register(check)


def sqlite_version(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """SQLite must be new enough when it is used."""
    uses_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    if not uses_sqlite or sqlite3.sqlite_version_info >= _OLDEST_SQLITE:
        return []
    return [
        checks.Error(
            f"SQLite {sqlite3.sqlite_version} is too old; {'.'.join(map(str, _OLDEST_SQLITE))} or newer is needed.",
            hint="Use a Python that brings a newer SQLite, or PostgreSQL through DATABASE_URL.",
            id="reweave.E001",
        )
    ]


def data_folders(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """The folders for state and pictures must take files."""
    folders = {"REWEAVE_VAR": Path(settings.VAR_DIR)}
    if settings.STORAGES["default"]["BACKEND"].endswith("FileSystemStorage"):
        folders["MEDIA_ROOT"] = Path(settings.MEDIA_ROOT)
    return [
        checks.Error(
            f"The folder {folder} cannot be written to.",
            hint=f"Give the user this runs as the right to write there, or set {name} to another folder.",
            id="reweave.E002",
        )
        for name, folder in folders.items()
        if not _can_hold_files(folder)
    ]


def sendfile(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """`SENDFILE_PREFIX` is the beginning of an address, and works for local files only."""
    prefix = settings.SENDFILE_PREFIX
    if not prefix:
        return []
    found: list[checks.CheckMessage] = []
    if not (prefix.startswith("/") and prefix.endswith("/")):
        found.append(
            checks.Error(
                f"SENDFILE_PREFIX must begin and end with a slash; it is {prefix!r}.",
                hint="It is the address of an internal location in nginx, such as /protected/.",
                id="reweave.E003",
            )
        )
    if not settings.STORAGES["default"]["BACKEND"].endswith("FileSystemStorage"):
        found.append(
            checks.Warning(
                "SENDFILE_PREFIX has no effect with pictures in a bucket; they pass through the web process.",
                hint="Unset SENDFILE_PREFIX.",
                id="reweave.W001",
            )
        )
    return found


def bucket(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """A bucket needs boto3, which is not installed by default."""
    uses_s3 = settings.STORAGES["default"]["BACKEND"].startswith("storages.backends.s3")
    if not uses_s3 or importlib.util.find_spec("boto3") is not None:
        return []
    return [
        checks.Error(
            "S3_BUCKET is set, but boto3 is not installed.",
            hint="Install it with: pip install boto3. Without a bucket, unset S3_BUCKET.",
            id="reweave.E004",
        )
    ]


def guests(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Where everybody may come in, there should be a limit."""
    if not settings.ALLOW_GUESTS or (settings.GUESTS_PER_HOUR and settings.UPLOADS_PER_HOUR):
        return []
    return [
        checks.Warning(
            "Guests may work here without any limit on how many come or how much they upload.",
            hint="Set GUESTS_PER_HOUR and UPLOADS_PER_HOUR, or ALLOW_GUESTS=off.",
            id="reweave.W002",
        )
    ]


def hosts(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """A site that answers to any name is open to forged links in mails and to other sites' sockets."""
    if settings.DEBUG or "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        checks.Warning(
            "ALLOWED_HOSTS has “*”: the site answers to any name, and sockets from any site are let in.",
            hint="Name the hosts, as in ALLOWED_HOSTS=photos.example.org.",
            id="reweave.W003",
        )
    ]


def secret(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """Sessions are worth what the key is worth."""
    if len(settings.SECRET_KEY) >= _SHORTEST_SECRET:
        return []
    return [
        checks.Error(
            f"SECRET_KEY has {len(settings.SECRET_KEY)} characters; it needs at least {_SHORTEST_SECRET}.",
            hint="Unset it to have one made, or set a long random text.",
            id="reweave.E005",
        )
    ]


def job_times(app_configs: Any, **kwargs: Any) -> Sequence[checks.CheckMessage]:
    """A job must be able to miss a heartbeat or two before it is taken for dead."""
    jobs = settings.JOBS
    if jobs.stale_after >= 3 * jobs.heartbeat:
        return []
    return [
        checks.Error(
            f"JOB_STALE_SECONDS ({jobs.stale_after:g}) must be at least three times "
            f"JOB_HEARTBEAT_SECONDS ({jobs.heartbeat:g}), or running jobs are taken for dead.",
            id="reweave.E006",
        )
    ]


def _can_hold_files(folder: Path) -> bool:
    """Whether `folder`, or the nearest parent that exists, is a folder we may write to."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
