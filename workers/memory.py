"""Filling when memory is short: smaller crops first, then the processor in place of the graphics card."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from inpainting.device import resolve_device
from workers.trouble import is_out_of_memory

if TYPE_CHECKING:
    from inpainting.engine import Engine, Result

logger = logging.getLogger(__name__)

SMALLER_CROPS = (1024, 512, 256)
"""Long sides of crops that are tried after memory ran out, largest first. Below, a result would not be worth it."""


class Fallbacks:
    """An engine, and what stands in for it when its memory does not suffice."""

    def __init__(self, engine: Engine, cpu: Callable[[], Engine]) -> None:
        self._engine = engine
        self._make_cpu = cpu
        self._cpu: Engine | None = None

    def fill(self, fill: Callable[[Engine], Result], *, model: str, photo_side: int) -> Result:
        """What `fill` makes with the first engine that has the memory for it; `photo_side` is the photo's long side.

        The result's notes tell about a fallback as ``{"memory": {"device", "crop"}}``. Raises the last error when
        nothing helps, and any other error at once.
        """
        for engine, side in self._ways(model, photo_side):
            engine.largest_crop = side
            try:
                result = fill(engine)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                logger.warning("Memory ran out on %s, crops of %s. (%s)", engine.device, side or "any size", error)
                last = error.with_traceback(None)  # its frames would hold on to what filled the memory
            else:
                if engine is not self._engine or side is not None:
                    result.notes["memory"] = {"device": resolve_device(engine.device), "crop": side}
                return result
            finally:
                engine.largest_crop = None
            engine.models.clear()
            gc.collect()
        raise last

    def _ways(self, model: str, photo_side: int) -> Iterator[tuple[Engine, int | None]]:
        yield self._engine, None
        usual = min(photo_side, self._engine.working_side(model) or photo_side)
        sides = [side for side in SMALLER_CROPS if side < usual]
        yield from ((self._engine, side) for side in sides)
        if resolve_device(self._engine.device) == "cpu":
            return
        self._cpu = self._cpu or self._make_cpu()
        yield from ((self._cpu, side) for side in (None, *sides))
