"""Many visitors at once: open sockets, bursts of small jobs, and what came of each."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from bench.report import BenchError
from bench.visitor import Busy, Visitor

_HANDS = 8
"""Requests under way at the same time; as many as a small site has visitors who press a button in the same instant."""
_TRY_AGAIN_AFTER, _TRY_FOR = 0.5, 300.0
"""Seconds until a visitor who was told that the site is busy tries again, and until they give up."""
_ENDED = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Work:
    """What each visitor asks for."""

    photo: bytes
    mask: bytes
    model: str
    each: int
    """Jobs of one visitor."""
    backlog: int
    """How many of them are asked for before the doors open."""


@dataclass(slots=True)
class Submitted:
    """One job as its visitor saw it. Moments are by the wall clock, in seconds."""

    user: int
    in_backlog: bool
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
        self._sources: list[str] = []
        self._sockets: dict[int, ClientConnection] = {}
        self._jobs: dict[str, Submitted] = {}
        self._early: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        self._left = 0
        self._all_ended = asyncio.Event()
        self.broken = 0
        """How often a socket broke and was opened anew, as a page does."""
        self.busy = 0
        """How often a visitor was told to try again in a moment, and did."""

    async def run(self, work: Work, *, open_the_doors: Callable[[], None], within: float) -> list[Submitted]:
        """Everybody uploads a picture and opens a socket; then the jobs of `work` are asked for, and waited for.

        While the doors are closed nothing is started. Before they open, visitors ask for their `backlog` one after the
        other: a queue in the order of arrival would serve the first ones first. Then all ask for the rest, in rounds.
        Raises `BenchError` when jobs have not ended `within` seconds after the last one was asked for.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(_HANDS) as hands:
            uploads = [loop.run_in_executor(hands, _upload, visitor, work.photo) for visitor in self._visitors]
            self._sources = list(await asyncio.gather(*uploads))
            opened = [asyncio.Event() for _ in self._visitors]
            listeners = [asyncio.create_task(self._listen(number, each)) for number, each in enumerate(opened)]
            try:
                await asyncio.gather(*(each.wait() for each in opened))
                everybody = range(len(self._visitors))
                await asyncio.gather(*(self._ask_for_backlog(hands, number, work) for number in everybody))
                await asyncio.to_thread(open_the_doors)
                order = random.Random(0)  # noqa: S311  the same crowd each time
                for seed in range(work.backlog, work.each):
                    asking = order.sample(everybody, len(everybody))
                    await asyncio.gather(*(self._ask(hands, number, work, seed) for number in asking))
                await asyncio.wait_for(self._wait_for_ends(), within)
            except TimeoutError:
                raise BenchError(f"{self._left} jobs had not ended after {within:.0f} s.") from None
            finally:
                for listener in listeners:
                    listener.cancel()
                await asyncio.gather(*listeners, return_exceptions=True)
                for visitor in self._visitors:
                    visitor.close()
        return list(self._jobs.values())

    @property
    def ids(self) -> Sequence[str]:
        """The jobs that were accepted."""
        return list(self._jobs)

    async def _listen(self, number: int, opened: asyncio.Event) -> None:
        """Keep the visitor's socket open, and note what it tells."""
        sockets = connect(
            f"ws://{self._site}/ws/live/",
            origin=Origin(f"http://{self._site}"),
            additional_headers={"Cookie": self._visitors[number].cookie_header()},
            compression=None,
            open_timeout=60,
            ping_interval=None,
        )
        one_after_another = cast("AsyncGenerator[ClientConnection]", aiter(sockets))  # another one when one breaks
        # Left to the collector, the generator of a listener that is cancelled would leave its socket open.
        async with aclosing(one_after_another):
            async for socket in one_after_another:
                self._sockets[number] = socket
                with suppress(ConnectionClosed):
                    for job_id, job in self._jobs.items():
                        if job.user == number and _ENDED.isdisjoint(job.heard):
                            await _watch(socket, job_id)
                    opened.set()
                    async for text in socket:
                        message = json.loads(text)
                        if message["type"] == "job.state":
                            self._hear(time.time(), message["job"])
                self.broken += 1

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

    async def _ask_for_backlog(self, hands: ThreadPoolExecutor, number: int, work: Work) -> None:
        for seed in range(work.backlog):
            await self._ask(hands, number, work, seed)

    async def _ask(self, hands: ThreadPoolExecutor, number: int, work: Work, seed: int) -> None:
        """One visitor's request."""

        def press() -> tuple[str, Submitted]:
            pressed = time.time()
            while True:
                try:
                    answer = self._visitors[number].post_form(
                        f"/api/versions/{self._sources[number]}/fill",
                        {"model": work.model, "params": "{}", "seed": str(seed)},
                        {"mask": ("mask.png", "image/png", work.mask)},
                    )
                except Busy:
                    if time.time() - pressed > _TRY_FOR:
                        raise
                    self.busy += 1
                    time.sleep(_TRY_AGAIN_AFTER)
                else:
                    return answer["id"], Submitted(number, seed < work.backlog, pressed, time.time())

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
        with suppress(ConnectionClosed):  # the next socket will watch it
            await _watch(self._sockets[submitted.user], job_id)


async def _watch(socket: ClientConnection, job_id: str) -> None:
    await socket.send(json.dumps({"type": "watch", "job": job_id}))


def _upload(visitor: Visitor, photo: bytes) -> str:
    visitor.request("GET", "/")
    picture = visitor.post_form("/api/pictures", {}, {"file": ("photo.jpg", "image/jpeg", photo)})
    return str(picture["versions"][0]["id"])
