"""Two classical methods by libraries: Telea's fast marching (OpenCV) and PatchMatch (pypatchmatch).

Both work on 8-bit RGB. Photos with 16 bits a channel keep them everywhere outside the hole; inside it the values have
8-bit steps.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, FloatImage, Step
from inpainting.models.patchmatch_child import HEADER

_CHILD = Path(__file__).with_name("patchmatch_child.py")
_POLL_SECONDS = 0.2
_PIPE_BYTES = 1 << 16
_LINE = re.compile(rb"(Inpainting level|EM Iteration): (\d+)")
_SCALE_COST_RATIO = 3.0


def _to_bytes(image: FloatImage) -> NDArray[np.uint8]:
    return np.asarray(np.rint(image * np.float32(255.0)), dtype=np.uint8)


def _to_unit(pixels: NDArray[np.uint8]) -> FloatImage:
    return pixels.astype(np.float32) / np.float32(255.0)


class Telea(FillModel):
    """A. Telea, "An image inpainting technique based on the fast marching method" (2004), by `cv2.inpaint`.

    Smooth by nature, so nothing is lost by bringing large crops down to `working_side`; that also bounds the time of
    the one call into the library, during which it cannot be stopped.
    """

    working_side = 1024

    def fill(self, job: FillInput) -> FillOutput:
        job.on_step(Step("Filling from the edge inwards", 0.0))
        hole = job.mask.view(np.uint8) * np.uint8(255)
        filled = cv2.inpaint(_to_bytes(job.image), hole, float(job.params["radius"]), cv2.INPAINT_TELEA)
        image = _to_unit(np.asarray(filled, dtype=np.uint8))
        job.on_step(Step("Filling from the edge inwards", 1.0, preview=image))
        return FillOutput(image=image)


class PatchMatch(FillModel):
    """Barnes et al., "PatchMatch" (2009), with the multi-scale voting of the pypatchmatch library.

    The library makes one call into C++ that takes seconds and cannot be interrupted, keeps its seed in a global, and
    reports its progress on standard error only. So every fill runs in a child process: cancelling kills it at once, its
    report can be read as progress, and a crash in it is an error message here. A plain `subprocess` is used because
    the daemonic processes of a task queue may not have `multiprocessing` children.
    """

    working_side = 1024
    match_detail = True

    def fill(self, job: FillInput) -> FillOutput:
        height, width = job.mask.shape
        job.on_step(Step("Starting", 0.0))
        pixels = self._run(job)
        image = _to_unit(np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
        job.on_step(Step("Copying patches", 1.0, preview=image))
        return FillOutput(image=image)

    def _run(self, job: FillInput) -> bytes:
        height, width = job.mask.shape
        radius = int(job.params["patch_size"]) // 2
        header = HEADER.pack(height, width, radius, job.seed % 2**32)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-P", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        with process:
            try:
                if process.stdin is None or process.stdout is None or process.stderr is None:
                    raise AssertionError("a process with pipes has no pipes")
                return self._talk(job, process.stdin, process.stdout, process.stderr, header)
            finally:
                # Also the way out of a cancelled fill: nothing in the child is worth waiting for.
                process.kill()

    def _talk(
        self, job: FillInput, to_child: IO[bytes], from_child: IO[bytes], report: IO[bytes], header: bytes
    ) -> bytes:
        """Send the crop, follow the report, collect the result."""
        message = memoryview(header + _to_bytes(job.image).tobytes() + job.mask.tobytes())
        wanted = job.mask.size * 3
        progress = _ScaleProgress()
        said, result = bytearray(), bytearray()
        told = 0.0
        with selectors.DefaultSelector() as waiting:
            for pipe, events in (
                (to_child, selectors.EVENT_WRITE),
                (from_child, selectors.EVENT_READ),
                (report, selectors.EVENT_READ),
            ):
                os.set_blocking(pipe.fileno(), False)
                waiting.register(pipe, events)
            open_pipes = waiting.get_map()
            while len(result) < wanted and (from_child in open_pipes or report in open_pipes):
                for key, _events in waiting.select(_POLL_SECONDS):
                    if key.fileobj is to_child:
                        message = message[_write(key.fd, message) :]
                        if not message:
                            waiting.unregister(to_child)  # left open: closing it would end the child
                        continue
                    data = os.read(key.fd, _PIPE_BYTES)
                    if not data:
                        waiting.unregister(key.fileobj)
                    (result if key.fileobj is from_child else said).extend(data)
                progress.read(said)
                if time.monotonic() - told >= _POLL_SECONDS / 2:
                    told = time.monotonic()
                    job.on_step(progress.step())  # a cancelled fill stops here
        if len(result) < wanted:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise FillError(f"PatchMatch stopped without a result. {last}".strip())
        return bytes(result)


def _write(pipe: int, message: memoryview) -> int:
    """How much of `message` the child has taken; all of it when the child is gone, whose last words then tell why."""
    try:
        return os.write(pipe, message[:_PIPE_BYTES])
    except BrokenPipeError:
        return len(message)


class _ScaleProgress:
    """How far the library is, from its report.

    It works from the coarsest scale (the first number it names) to scale 0, with 2·k + 1 iterations at scale k; each
    finer scale costs about `_SCALE_COST_RATIO` times as much an iteration (measured). It begins with a quick pass over
    the coarse scales and then starts over, so the share done is the most that was ever certain.
    """

    def __init__(self) -> None:
        self._read = 0
        self._scales = 0
        self._scale = 0
        self._share = 0.0

    def read(self, said: bytearray) -> None:
        """Take in the complete lines of `said` that are new since the last call."""
        end = said.rfind(b"\n") + 1
        for what, number in _LINE.findall(said, self._read, end):
            if what == b"Inpainting level":
                self._scale = int(number)
                self._scales = max(self._scales, self._scale + 1)
                self._update(0)
            else:
                self._update(int(number))
        self._read = max(self._read, end)

    def _update(self, iterations: int) -> None:
        total = sum(self._cost(scale) for scale in range(self._scales))
        left = sum(self._cost(scale) for scale in range(self._scale))
        left += self._cost(self._scale) * (1.0 - iterations / (2 * self._scale + 1))
        self._share = max(self._share, 1.0 - left / total)

    @staticmethod
    def _cost(scale: int) -> float:
        return (2 * scale + 1) / _SCALE_COST_RATIO**scale

    def step(self) -> Step:
        if not self._scales:
            return Step("Starting", 0.0)
        done = self._scales - 1 - self._scale
        stage = f"Copying patches, scale {done + 1} of {self._scales}"
        return Step(stage, 0.01 + 0.98 * self._share, steps_done=done, steps_total=self._scales)
