"""No request's body is taken in beyond the limit, whatever its headers say."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from webapp.asgi import application
from webapp.photos.uploads import ENVELOPE_BYTES, BodyLimit

LIMIT = 1000
Message = MutableMapping[str, Any]


class Reader:
    """An application that takes in the whole body, as Django's handler does, and answers how much it was."""

    def __init__(self) -> None:
        self.taken = 0
        self.disconnected = False

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected = True
                return
            self.taken += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(self.taken).encode()})


async def ask(app: Any, pieces: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    scope = {"type": "http", "method": "POST", "path": "/api/pictures", "headers": headers}
    talk = ApplicationCommunicator(app, scope)
    for number, piece in enumerate(pieces, start=1):
        await talk.send_input({"type": "http.request", "body": piece, "more_body": number < len(pieces)})
    start = await talk.receive_output(5)
    body = await talk.receive_output(5)
    await talk.wait()
    return start["status"], body["body"]


async def test_a_body_within_the_limit_passes() -> None:
    reader = Reader()
    app = BodyLimit(reader, LIMIT)
    assert await ask(app, [b"x" * 600, b"y" * 400], [(b"content-length", b"1000")]) == (200, b"1000")


async def test_an_announced_length_is_enough_to_refuse() -> None:
    reader = Reader()
    status, body = await ask(BodyLimit(reader, LIMIT), [b"x"], [(b"content-length", b"1001")])
    assert status == 413
    assert b'"too_big"' in body
    assert reader.taken == 0


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"10")], [(b"transfer-encoding", b"chunked")]])
async def test_what_really_comes_is_counted(headers: list[tuple[bytes, bytes]]) -> None:
    reader = Reader()
    status, body = await ask(BodyLimit(reader, LIMIT), [b"x" * 400] * 5, headers)
    assert status == 413
    assert b"too big" in body
    assert reader.disconnected
    assert reader.taken <= LIMIT


@pytest.mark.parametrize("length", [b"many", b"-5", b"1e3", b""])
async def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    assert (await ask(BodyLimit(Reader(), LIMIT), [b"x"], [(b"content-length", length)]))[0] == 413


async def test_other_connections_pass() -> None:
    seen = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await BodyLimit(app, LIMIT)({"type": "websocket"}, None, None)  # type: ignore[arg-type]
    assert seen == ["websocket"]


async def test_the_sites_own_application_has_the_limit(settings: Settings) -> None:
    size = settings.MAX_UPLOAD_BYTES + ENVELOPE_BYTES + 1
    status, body = await ask(application, [b"x"], [(b"content-length", str(size).encode())])
    assert status == 413
    assert b"50 MB" in body
