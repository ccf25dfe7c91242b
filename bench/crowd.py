"""Many visitors at once: open sockets, bursts of small jobs, and what came of each."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from bench.report import BenchError
from bench.visitor import Visitor

_HANDS = 8
"""Requests under way at the same time; as many as a small site has visitors who press a button in the same instant."""
_ENDED = {"succeeded", "failed", "cancelled"}


@dataclass(slots=True)
class Submitted:
    """One job as its visitor saw it. Moments are by the wall clock, in seconds."""

    user: int
    pressed: float
    answered: float
    heard: dict[str, float] = field(default_factory=dict)
    """When the socket first told of each status."""
    state: dict[str, Any] = field(default_factory=dict)
    """The last state that the socket told."""

    def moment(self, name: str) -> float:
        """A moment of the last state: ``"finished_at"``."""
        return datetime.fromisoformat(self.state[name]).timestamp()


class Crowd:
    """Visitors of one studio, each with a picture and an open socket."""

    def __init__(self, host: str, port: int, users: int) -> None:
        self._site = f"{host}:{port}"
        self._visitors = [Visitor(host, port) for _ in range(users)]
        self._sockets: list[ClientConnection] = []
        self._jobs: dict[str, Submitted] = {}
        self._early: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        self._left = 0
        self._all_ended = asyncio.Event()

    async def run(self, photo: bytes, mask: bytes, jobs_each: int, *, model: str, within: float) -> list[Submitted]:
        """Each visitor uploads `photo`, opens a socket and asks for `jobs_each` fills; waits for their ends.

        They ask in rounds, each visitor once a round, in a new order each time. Raises `BenchError` when jobs have not
        ended `within` seconds after the last one was asked for.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(_HANDS) as hands:
            sources = await asyncio.gather(
                *(loop.run_in_executor(hands, _upload, visitor, photo) for visitor in self._visitors)
            )
            async with AsyncExitStack() as stack:
                self._sockets = [await stack.enter_async_context(self._socket(visitor)) for visitor in self._visitors]
                listeners = [asyncio.create_task(self._listen(socket)) for socket in self._sockets]
                order = random.Random(0)  # noqa: S311  the same crowd each time
                for seed in range(jobs_each):
                    asking = order.sample(range(len(sources)), len(sources))
                    await asyncio.gather(
                        *(self._ask(hands, number, sources[number], mask, seed, model) for number in asking)
                    )
                try:
                    await asyncio.wait_for(self._wait_for_ends(), within)
                except TimeoutError:
                    raise BenchError(f"{self._left} jobs had not ended after {within:.0f} s.") from None
                finally:
                    for listener in listeners:
                        listener.cancel()
        return list(self._jobs.values())

    @property
    def ids(self) -> Sequence[str]:
        """The jobs that were accepted."""
        return list(self._jobs)

    def _socket(self, visitor: Visitor) -> connect:
        return connect(
            f"ws://{self._site}/ws/live/",
            origin=Origin(f"http://{self._site}"),
            additional_headers={"Cookie": visitor.cookie_header()},
            compression=None,
            open_timeout=60,
            ping_interval=None,
        )

    async def _listen(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "job.state":
                    self._hear(time.time(), message["job"])

    def _hear(self, at: float, state: dict[str, Any]) -> None:
        job = self._jobs.get(state["id"])
        if job is None:  # its socket was faster than the answer to its request
            self._early.setdefault(state["id"], []).append((at, state))
            return
        had_ended = not _ENDED.isdisjoint(job.heard)
        job.heard.setdefault(state["status"], at)
        job.state = state
        if state["status"] in _ENDED and not had_ended:
            self._left -= 1
            if self._left == 0:
                self._all_ended.set()

    async def _wait_for_ends(self) -> None:
        if self._left:
            await self._all_ended.wait()

    async def _ask(
        self, hands: ThreadPoolExecutor, number: int, source: str, mask: bytes, seed: int, model: str
    ) -> None:
        """One visitor's request."""

        def press() -> tuple[str, Submitted]:
            pressed = time.time()
            answer = self._visitors[number].post_form(
                f"/api/versions/{source}/fill",
                {"model": model, "params": "{}", "seed": str(seed)},
                {"mask": ("mask.png", "image/png", mask)},
            )
            return answer["id"], Submitted(number, pressed, time.time())

        await self._note(*await asyncio.get_running_loop().run_in_executor(hands, press))

    async def _note(self, job_id: str, submitted: Submitted) -> None:
        if job_id in self._jobs:
            raise BenchError(f"Two requests were answered with the job {job_id}.")
        self._jobs[job_id] = submitted
        self._left += 1
        self._all_ended.clear()
        for at, state in self._early.pop(job_id, []):
            self._hear(at, state)
        # As the editor does: progress and the place in the queue come only for jobs that are watched.
        await self._sockets[submitted.user].send(json.dumps({"type": "watch", "job": job_id}))


def _upload(visitor: Visitor, photo: bytes) -> str:
    visitor.request("GET", "/")
    picture = visitor.post_form("/api/pictures", {}, {"file": ("photo.jpg", "image/jpeg", photo)})
    return str(picture["versions"][0]["id"])
