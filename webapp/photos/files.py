"""Files follow their rows: none is left behind by a transaction that fails, and none outlives its row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError
from django.apps import apps
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.db import InterfaceError, OperationalError, connection, models, transaction
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from webapp.errors import Refusal

logger = logging.getLogger(__name__)

SETTLED = timedelta(days=1)
"""How old a file is before a missing row means anything."""
STORAGE_AWAY = "storage_away"
"""The code of the refusal when the store fails, see `storage_away`."""
STORAGE_FAILURES = (BotoCoreError, ClientError)
"""What a bucket raises; a local folder raises `OSError`."""
_written: ContextVar[list[tuple[Storage, str]]] = ContextVar("files written since the block began")


@contextmanager
def new_files() -> Iterator[None]:
    """Remove what `write_file` wrote inside the block when the block raises.

    Put it *around* ``transaction.atomic()``, so that a commit that fails counts too. Blocks nest: what an inner one
    wrote goes when the outer one fails. When the connection to the database broke, nobody knows whether the commit
    arrived: then the files stay, and those without a row are strays for ``clear_files``.
    """
    outer = _written.get(None)
    mine: list[tuple[Storage, str]] = []
    token = _written.set(mine)
    try:
        yield
    except BaseException as error:
        if _outcome_is_unknown(error):
            logger.warning("The database went away; %d new files may be strays now.", len(mine))
        else:
            for storage, name in mine:
                remove_file(storage, name)
        raise
    else:
        if outer is not None:
            outer.extend(mine)
    finally:
        _written.reset(token)


def _outcome_is_unknown(error: BaseException) -> bool:
    """Whether the transaction may have been committed all the same; SQLite, in this process, always knows."""
    return isinstance(error, OperationalError | InterfaceError) and connection.vendor != "sqlite"


def write_file(field: FieldFile, suffix: str, data: bytes | BinaryIO) -> None:
    """Store `data` under a new unguessable name with `suffix` (``".png"``) and point `field` at it, unsaved.

    Only inside `new_files`.
    """
    written = _written.get()
    name = field.field.generate_filename(field.instance, f"file{suffix}")
    # The name is nobody else's, so it can be noted before: a full disk leaves the beginning of a file.
    written.append((field.storage, name))
    try:
        content = ContentFile(data) if isinstance(data, bytes) else File(data)
        field.name = field.storage.save(name, content, max_length=field.field.max_length)
    except STORAGE_FAILURES as error:
        logger.error("A file could not be stored: %s", error)
        raise storage_away() from error
    written[-1] = (field.storage, field.name)
    setattr(field.instance, field.field.attname, field.name)


def read_file(field: FieldFile) -> bytes:
    """The whole file; raises as `open_file` does."""
    with open_file(field) as stream, reading():
        return bytes(stream.read())


def open_file(field: FieldFile) -> File[bytes]:
    """The file, to be closed by the caller; raises `FileNotFoundError`, and `Refusal` (503) when it cannot be read now.

    A store that does not answer is no missing file: nobody may conclude from it that the picture is gone.
    """
    with reading():
        opened: File[bytes] = field.storage.open(field.name or "", "rb")
        try:
            # A bucket's file is fetched with the first access. That has to fail here, before an answer has begun.
            opened.seek(0)
        except BaseException:
            opened.close()
            raise
        return opened


@contextmanager
def reading() -> Iterator[None]:
    """Turn the failures of a picture store, while something is read from it, into a `Refusal` (503)."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        # A download that breaks off in the middle has an error of boto3's helper, which is slow to import.
        if not isinstance(error, (OSError, *STORAGE_FAILURES)) and not type(error).__module__.startswith("s3transfer"):
            raise
        logger.error("A file could not be read: %s", error)
        raise storage_away() from error


def storage_away() -> Refusal:
    """What somebody reads when the picture store fails: it is no fault of theirs, and nothing is lost."""
    return Refusal(
        STORAGE_AWAY,
        "The picture store cannot be reached at the moment. Nothing is lost; try again shortly.",
        status=503,
    )


def remove_file(storage: Storage, name: str) -> None:
    """Delete a file; one that cannot be deleted is logged, because its row is gone already."""
    try:
        storage.delete(name)
    except (OSError, *STORAGE_FAILURES) as error:
        logger.error("The file %s could not be deleted: %s", name, error)


def remove_file_with_row(sender: type[models.Model], instance: Any, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_delete``: the file goes once the deletion is committed.

    A signal, because rows also go by cascade (a picture, an account), where no function of ours sees them one by one.
    """
    if instance.file:
        remove = partial(remove_file, instance.file.storage, instance.file.name)
        transaction.on_commit(remove, using=using, robust=True)


def stray_files(older_than: timedelta = SETTLED) -> Iterator[tuple[Storage, str]]:
    """Stored files without a row, leaving out young ones, whose row may just be on its way.

    Of every model of the studio that keeps files in the store; each kind has a folder of its own there.
    """
    newest = timezone.now() - older_than
    for model in apps.get_models():
        fields = [field for field in model._meta.fields if isinstance(field, models.FileField)]
        if not fields or not model.__module__.startswith("webapp."):
            continue
        # A model's files share one folder, whichever of its fields they belong to.
        known = {name for field in fields for name in model._default_manager.values_list(field.name, flat=True)}
        storage = fields[0].storage
        for name in _names_below(storage, model._meta.model_name or ""):
            if name not in known and _is_older(storage, name, newest):
                yield storage, name


def _is_older(storage: Storage, name: str, newest: datetime) -> bool:
    try:
        return storage.get_modified_time(name) < newest
    except (FileNotFoundError, ClientError) as error:  # somebody else removed it meanwhile
        logger.info("The age of %s cannot be told: %s", name, error)
        return False


def _names_below(storage: Storage, folder: str) -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    for each in folders:
        yield from _names_below(storage, f"{folder}/{each}")
    for each in files:
        yield f"{folder}/{each}"
