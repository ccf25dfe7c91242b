"""Handing out stored files to those who may have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.core.handlers.asgi import ASGIRequest
from django.db.models.fields.files import FieldFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from webapp.errors import not_found
from webapp.photos.files import open_file

_CHUNK = 256 * 1024
# What an address shows never changes; it belongs to one person, so shared caches must not keep it.
_CACHE_FOR_EVER = "private, max-age=31536000, immutable"


def not_modified(request: HttpRequest, etag: str) -> HttpResponse | None:
    """A 304 answer when the browser has what `etag` names; only to be asked once the right is checked."""
    answer = get_conditional_response(request, etag=etag)
    if answer is not None:
        answer.headers["Cache-Control"] = _CACHE_FOR_EVER
    return answer


def send_file(
    request: HttpRequest, file: FieldFile, *, etag: str, content_type: str, filename: str, attachment: bool = False
) -> HttpResponseBase:
    """The whole file: by the web server in front (`SENDFILE_PREFIX`) when it lies in a local folder, else streamed.

    `filename` is what a browser saves it as. Raises `Refusal`: 404 when the file is missing, 503 when the store fails.
    """
    answer: HttpResponseBase
    if settings.SENDFILE_PREFIX and isinstance(file.storage, FileSystemStorage):
        answer = HttpResponse(content_type=content_type)
        answer.headers["X-Accel-Redirect"] = settings.SENDFILE_PREFIX + quote(file.name or "")
    else:
        try:
            stream = open_file(file)
            size = stream.size
        except FileNotFoundError:
            raise not_found() from None
        answer = _stream(request, stream, content_type)
        answer.headers["Content-Length"] = str(size)
    disposition = content_disposition_header(attachment, filename)
    if disposition:
        answer.headers["Content-Disposition"] = disposition
    answer.headers["ETag"] = etag
    answer.headers["Cache-Control"] = _CACHE_FOR_EVER
    # Nothing may guess another type, and no other site may embed it.
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def send_stream(request: HttpRequest, chunks: Iterator[bytes], *, content_type: str, filename: str) -> HttpResponseBase:
    """A download that is made while it is sent; `chunks` may use the database."""
    body: Any = _steps(chunks) if isinstance(request, ASGIRequest) else chunks
    answer = StreamingHttpResponse(body, content_type=content_type)
    disposition = content_disposition_header(True, filename)
    if disposition:
        answer.headers["Content-Disposition"] = disposition
    answer.headers["Cache-Control"] = "no-store"
    # A server in front would otherwise gather the whole before it passes on the first byte.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


async def _steps(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    # In the request's own thread, where its database connection is; other requests have theirs.
    step = sync_to_async(lambda: next(chunks, None), thread_sensitive=True)
    while (chunk := await step()) is not None:
        yield chunk


def _stream(request: HttpRequest, stream: File[bytes], content_type: str) -> StreamingHttpResponse:
    """Under ASGI Django would first gather a synchronous iterator in memory, so each server gets its own kind."""
    chunks: Any = _chunks_async(stream) if isinstance(request, ASGIRequest) else _chunks(stream)
    answer = StreamingHttpResponse(chunks, content_type=content_type)
    # Also when the client goes away before the end. (The attribute is how Django's own FileResponse does it.)
    answer._resource_closers.append(stream.close)  # type: ignore[attr-defined]
    return answer


def _chunks(stream: File[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        yield chunk


async def _chunks_async(stream: File[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(stream.read, _CHUNK):
        yield chunk
