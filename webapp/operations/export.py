"""Jobs as CSV, row by row: a table of any length takes the memory of a few rows."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from webapp.jobs.models import Job

COLUMNS = {
    "id": "id",
    "owner": "owner__username",
    "team": "picture__team__name",
    "model": "model",
    "status": "status",
    "queue": "queue",
    "priority": "priority",
    "attempt": "attempt",
    "worker": "worker",
    "error_code": "error_code",
    "error": "error",
    "created_at": "created_at",
    "queued_at": "queued_at",
    "started_at": "started_at",
    "finished_at": "finished_at",
}
_ROWS = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class _Line:
    """A file for `csv.writer` that keeps only what was written last."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def csv_response(request: HttpRequest, jobs: QuerySet[Job], filename: str) -> StreamingHttpResponse:
    """An answer that sends `jobs` while it reads them. Under ASGI the reading goes on in a thread."""
    chunks: Any = _chunks_async(jobs) if isinstance(request, ASGIRequest) else chunks_of(jobs)
    answer = StreamingHttpResponse(chunks, content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return answer


def chunks_of(jobs: QuerySet[Job]) -> Iterator[str]:
    """The table's text in pieces of some hundred rows, the heading first."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    gathered = [line.text]
    for number, row in enumerate(jobs.values_list(*COLUMNS.values()).iterator(chunk_size=_ROWS), start=1):
        writer.writerow([_cell(value) for value in row])
        gathered.append(line.text)
        if number % _ROWS == 0:
            yield "".join(gathered)
            gathered.clear()
    yield "".join(gathered)


def _cell(value: Any) -> str:
    """As text. What a spreadsheet would take for a formula gets an apostrophe: people choose their own names."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


async def _chunks_async(jobs: QuerySet[Job]) -> AsyncIterator[str]:
    """The same from a thread of its own, two pieces ahead at most; a client that goes away ends the thread."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue(2)
    gone = False

    def read() -> None:
        try:
            for piece in chunks_of(jobs):
                if gone:
                    return
                asyncio.run_coroutine_threadsafe(pieces.put(piece), loop).result()
        finally:
            connection.close()
            asyncio.run_coroutine_threadsafe(pieces.put(None), loop)

    reading = loop.run_in_executor(None, read)
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        await reading
    finally:
        gone = True
        while not pieces.empty():
            pieces.get_nowait()
