"""A visitor of the studio as a browser would be: cookies, CSRF token, uploads, and one live socket."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Mapping
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from bench.report import BenchError

_IDLE_SECONDS = 20.0
_TRY_LATER = 503
Arrival = tuple[float, dict[str, Any]]
"""Wall clock at which a socket message came in, and the message."""


class Busy(BenchError):
    """The site said that it is busy, and to try again in a moment."""


class Visitor:
    """Keeps one HTTP connection and, after `listen`, one socket."""

    def __init__(self, host: str, port: int) -> None:
        self._site = f"{host}:{port}"
        self._http = http.client.HTTPConnection(host, port, timeout=120)
        self._last_used = time.monotonic()
        self._cookies: dict[str, str] = {}
        self._socket: ClientConnection | None = None
        self._arrivals: queue.Queue[Arrival] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        if self._socket is not None:
            self._socket.close()
        self._http.close()

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
        """The answer's body; raises `BenchError` with the server's words when it is not a success."""
        if time.monotonic() - self._last_used > _IDLE_SECONDS:
            self._http.close()  # the server may have closed it meanwhile; the next request opens a new one
        self._last_used = time.monotonic()
        sent = {"Cookie": self.cookie_header(), "Origin": f"http://{self._site}", **(headers or {})}
        if "csrftoken" in self._cookies:
            sent["X-CSRFToken"] = self._cookies["csrftoken"]
        self._http.request(method, path, body or None, sent)
        answer = self._http.getresponse()
        content = answer.read()
        for header in answer.headers.get_all("Set-Cookie") or []:
            self._cookies.update({name: morsel.value for name, morsel in SimpleCookie(header).items()})
        if not 200 <= answer.status < 300:
            kind = Busy if answer.status == _TRY_LATER else BenchError
            raise kind(f"{method} {path} answered {answer.status}: {content[:300].decode(errors='replace')}")
        return content

    def get_json(self, path: str) -> Any:
        """The answer of the API."""
        return json.loads(self.request("GET", path))

    def post_form(self, path: str, fields: Mapping[str, str], files: Mapping[str, tuple[str, str, bytes]]) -> Any:
        """Send a form; files are name → (file name, type, content). The API's answer."""
        border = uuid4().hex
        parts = [
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        for name, (file_name, kind, content) in files.items():
            head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\nContent-Type: {kind}'
            parts += [f"--{border}\r\n{head}\r\n\r\n".encode(), content, b"\r\n"]
        body = b"".join([*parts, f"--{border}--\r\n".encode()])
        return json.loads(self.request("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={border}"}))

    def listen(self) -> None:
        """Open the socket; messages are stamped as they arrive, in a thread of their own."""
        self._socket = connect(
            f"ws://{self._site}/ws/live/",
            origin=Origin(f"http://{self._site}"),
            additional_headers={"Cookie": self.cookie_header()},
            compression=None,
        )
        threading.Thread(target=self._receive, args=(self._socket,), daemon=True).start()

    def watch(self, job: str) -> None:
        """Ask for the messages of a job, as the editor does."""
        if self._socket is None:
            raise BenchError("The socket is not open.")
        self._socket.send(json.dumps({"type": "watch", "job": job}))

    def wait_for_end(self, job: str, seconds: float) -> Arrival:
        """The first message that says that the job has ended, and when it came."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                at, message = self._arrivals.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise BenchError(f"The job did not end within {seconds:.0f} s.") from None
            if message.get("type") == "job.state" and message["job"]["id"] == job:
                status = message["job"]["status"]
                if status == "succeeded":
                    return at, message["job"]
                if status in {"failed", "cancelled"}:
                    raise BenchError(f"The job ended as {status}: {message['job'].get('error') or 'no reason given'}")

    def _receive(self, socket: ClientConnection) -> None:
        try:
            for text in socket:
                self._arrivals.put((time.time(), json.loads(text)))
        except ConnectionClosed:
            return

    def cookie_header(self) -> str:
        """The cookies, as a request sends them."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())
