"""Sessions in the database, whose failures are told apart."""

from __future__ import annotations

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import InterfaceError, OperationalError


class SessionStore(DatabaseStore):
    """Django's store, which takes every failure to save for a session that somebody has deleted.

    That is answered as a request that could not be understood, when it was and its work is done. Where the database is
    locked or away, its own error is raised instead: it is answered with 503, and coming back helps.
    """

    def save(self, must_create: bool = False) -> None:
        """Write the session; raises `UpdateError` only where it is there no more."""
        try:
            super().save(must_create)
        except UpdateError as error:
            if isinstance(error.__context__, OperationalError | InterfaceError):
                raise error.__context__ from None
            raise
