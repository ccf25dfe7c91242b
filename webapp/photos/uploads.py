"""Uploads on their way in: how many bytes, and what a file is called."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from webapp.errors import Refusal, error_body

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

ENVELOPE_BYTES = 64 * 1024
"""What a request may hold besides its file: the multipart headers and the small fields."""
LONGEST_TITLE = 120
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")


def too_big() -> Refusal:
    """What somebody reads whose file has more bytes than allowed."""
    allowed = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
    return Refusal("too_big", f"The file is too big. At most {allowed} MB are allowed.", status=413)


class SizeLimitHandler(FileUploadHandler):
    """Stops a multipart upload as soon as one file, or the announced length of the whole, is over the limit.

    It comes first among the upload handlers and passes the chunks on; files above 2.5 MB go to a temporary file.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],  # the name of Django's argument
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > settings.MAX_UPLOAD_BYTES + ENVELOPE_BYTES:
            raise too_big()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self._received += len(raw_data)
        if self._received > settings.MAX_UPLOAD_BYTES:
            raise too_big()
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile[bytes] | None:
        return None


class BodyLimit:
    """ASGI middleware: no request's body may be longer than the largest upload.

    Django's ASGI handler takes in the whole body before any of its own limits are looked at; this one counts while
    the bytes arrive, answers 413 and reads no further.
    """

    def __init__(self, app: App, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self.max_bytes:
            await _refuse(send)
            return
        received = 0
        over = False

        async def counted() -> Mapping[str, Any]:
            nonlocal received, over
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                # For the application the client has gone; nobody but us answers.
                over = True
                return {"type": "http.disconnect"}
            return message

        async def unless_over(message: Mapping[str, Any]) -> None:
            if not over:
                await send(message)

        await self.app(scope, counted, unless_over)
        if over:
            await _refuse(send)


async def _refuse(send: Send) -> None:
    body = json.dumps({**error_body(413), "message": too_big().message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # The rest of the body is still on its way; the connection cannot be used again.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def title_from(name: str) -> str:
    """A picture's title out of its file's name: no folders, no suffix, nothing invisible, at most 120 characters."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    # Everything of category C is invisible or turns the text around it: controls, bidi marks, surrogates.
    text = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    text = " ".join(_SUFFIX.sub("", text.strip()).split())
    return text[:LONGEST_TITLE].strip() or "Untitled"
