"""Sends hints to channel groups from synchronous code, without making it wait.

`async_to_sync(layer.group_send)` would start an event loop and a new Redis connection for every message. Here one
thread per process keeps one loop and one connection, and sends in the order of posting. Hints may be lost (Redis
may be away): whoever missed one reads the database when it connects again.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import logging
import os
import threading
import time
from typing import Any

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

_MOST_WAITING = 1000
_SEND_SECONDS = 3.0
_COMPLAIN_EVERY = 30.0

Letter = tuple[str, dict[str, Any]]


class Postman:
    """One background thread with an event loop that empties a bounded queue of hints."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._letters: asyncio.Queue[Letter] = asyncio.Queue(_MOST_WAITING)
        self._complained_at = float("-inf")
        self._round: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def post(self, group: str, message: dict[str, Any]) -> None:
        """Queue one hint; returns at once and never raises. A full queue drops its oldest letter."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._accept, (group, message))

    def flush(self, seconds: float = _SEND_SECONDS) -> bool:
        """Wait until everything posted so far is sent; False when that took longer than `seconds`."""
        if self._loop.is_closed():
            return True
        waiting = asyncio.run_coroutine_threadsafe(self._letters.join(), self._loop)
        try:
            waiting.result(seconds)
        except concurrent.futures.TimeoutError:
            waiting.cancel()
            return False
        return True

    def close(self) -> None:
        """Send what is left and end the thread; closes the Redis connection too."""
        atexit.unregister(self.close)
        if self._thread.is_alive():
            self.flush(1.0)
            self._loop.call_soon_threadsafe(self._stop)
            self._thread.join(_SEND_SECONDS)

    def _accept(self, letter: Letter) -> None:
        if self._letters.full():
            self._letters.get_nowait()
            self._letters.task_done()
        self._letters.put_nowait(letter)

    def _stop(self) -> None:
        if self._round is not None:
            self._round.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._round = self._loop.create_task(self._deliver())
        try:
            self._loop.run_until_complete(self._round)
        except asyncio.CancelledError:
            logger.debug("The postman's round has ended.")
        finally:
            self._loop.close()

    async def _deliver(self) -> None:
        while True:
            group, message = await self._letters.get()
            try:
                layer = get_channel_layer()
                if layer is not None:
                    await asyncio.wait_for(layer.group_send(group, message), _SEND_SECONDS)
            except Exception:
                if self._may_complain():
                    logger.exception("A live message could not be sent; pages catch up when they ask again.")
            finally:
                self._letters.task_done()

    def _may_complain(self) -> bool:
        """Once in a while: as long as Redis is away every letter fails, and none of them matters much."""
        now = time.monotonic()
        if now - self._complained_at < _COMPLAIN_EVERY:
            return False
        self._complained_at = now
        return True


_lock = threading.Lock()
_postman: tuple[int, Postman] | None = None


def postman() -> Postman:
    """This process's postman, started on first use and once more in each forked child."""
    global _postman
    with _lock:
        if _postman is None or _postman[0] != os.getpid():
            _postman = (os.getpid(), Postman())
        return _postman[1]
