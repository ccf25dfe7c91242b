"""Saving a session: a database that cannot be written to is not the visitor's mistake."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client

from webapp.accounts.models import User
from webapp.accounts.sessions import SessionStore


def locked(*_args: Any, **_options: Any) -> None:
    raise OperationalError("database is locked")


@pytest.mark.django_db
def test_a_locked_database_is_told_and_a_deleted_session_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert import_module(settings.SESSION_ENGINE).SessionStore is SessionStore
    store = SessionStore()
    store.create()
    store["seen"] = 1
    store.save()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "save", locked)
        with pytest.raises(OperationalError, match="locked"):
            store.save()
    store.save()
    assert SessionStore(store.session_key)["seen"] == 1
    Session.objects.all().delete()
    with pytest.raises(UpdateError):
        store.save()


@pytest.mark.django_db
def test_a_request_whose_session_cannot_be_saved_is_answered_with_503(
    as_ada: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_ada.raise_request_exception = False
    session = as_ada.session
    monkeypatch.setattr(settings, "SESSION_SAVE_EVERY_REQUEST", True)
    monkeypatch.setattr(Session, "save", locked)
    answer = as_ada.get("/api/pictures")
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["Retry-After"]
    monkeypatch.undo()
    assert as_ada.get("/api/pictures").status_code == 200
    assert as_ada.session.session_key == session.session_key
