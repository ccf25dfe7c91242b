"""What went wrong in an attempt, told apart by what is to be done about it."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import cv2
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from inpainting.catalog import CatalogError
from inpainting.imaging import PhotoError
from inpainting.models.base import Cancelled, FillError, OutOfMemory
from inpainting.selection import SelectionError
from webapp.errors import Refusal
from webapp.photos.files import STORAGE_AWAY
from workers import shutdown
from workers.supervisor import Watch

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
"""The database is locked, full, gone or starting anew. Nothing is wrong with the job."""

_UNEXPECTED = "Something went wrong while working on this photo. It was noted for the people who run this site."
_NO_MEMORY = "This machine has too little memory to fill such a large hole. A smaller hole or another model may work."
_NO_SPACE = "The result could not be stored: this site's disk is full. The people who run it can see that; try later."
_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ALLOCATION_FAILED = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "out of memory")
_PAUSE = 0.4  # seconds; shorter than what the supervisor lets pass before it ends a process that does not listen

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a failed attempt is told."""

    code: str
    message: str
    """A sentence for the person who asked."""
    for_staff: bool
    """Whether the traceback is worth keeping and the log is to have it."""


def explain(error: Exception) -> Failure:
    """The failure that an exception makes of an attempt."""
    if is_out_of_memory(error):
        return Failure("out_of_memory", _NO_MEMORY, for_staff=True)
    if isinstance(error, OSError) and error.errno in _FULL_DISK:
        return Failure("disk_full", _NO_SPACE, for_staff=True)
    if isinstance(error, FillError | PhotoError | CatalogError | SelectionError | Refusal):
        return Failure(getattr(error, "code", "cannot_fill"), str(error), for_staff=False)
    return Failure("unexpected", _UNEXPECTED, for_staff=True)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, in whatever way Python, NumPy, OpenCV, PyTorch or the system say so."""
    if isinstance(error, MemoryError | OutOfMemory) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, cv2.error):
        return error.code == cv2.Error.StsNoMem
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _ALLOCATION_FAILED)


def patiently(watch: Watch, do: Callable[[], T]) -> T:
    """What `do` returns; while database or picture store are away, again and again.

    For `JOB_DATABASE_PATIENCE_SECONDS` at most: a result that took ten minutes is worth waiting a minute for them to
    take it. Raises `Cancelled` when the attempt must not go on. `do` has to be one transaction, or none.
    """
    until = time.monotonic() + settings.JOBS.database_patience
    while True:
        try:
            return do()
        except (*DATABASE_AWAY, Refusal) as error:
            if isinstance(error, Refusal) and error.code != STORAGE_AWAY:
                raise
            if watch.stop is not None:
                raise Cancelled(watch.stop.value) from error
            if shutdown.deadline() is not None or time.monotonic() > until:
                raise
            logger.warning("Database or picture store cannot be used; trying again. (%s)", error)
            connection.close()
        time.sleep(_PAUSE)
