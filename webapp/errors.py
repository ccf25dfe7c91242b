"""The one way a service says no: a stable code and a sentence for people."""

from __future__ import annotations


class Refusal(Exception):
    """A request that cannot be fulfilled; nothing was changed.

    `code` is stable and machine-readable, `message` is a sentence, `status` the HTTP status that fits.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
