"""One world for the whole table; whatever a request changes in it is rolled back after the request."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests.rights.world import World, build
from tests.webapp.conftest import redis_socket  # noqa: F401  # a fixture
from webapp.jobs import redis_client


@pytest.fixture(scope="module")
def world(
    redis_socket: str,  # noqa: F811  # the fixture that is imported above
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="reweave-rights-"))
    caches = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    own = {"MEDIA_ROOT": folder, "CACHES": caches, "REDIS_URL": redis_socket, "ACCOUNT_RATE_LIMITS": False}
    with django_db_blocker.unblock(), override_settings(**own):
        redis_client.client.cache_clear()
        with transaction.atomic():
            yield build()
            transaction.set_rollback(True)
        redis_client.client().close()
        redis_client.client.cache_clear()
    shutil.rmtree(folder, ignore_errors=True)
