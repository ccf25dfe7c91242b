"""Batches as a pure function of (seed, rank, step), so that a resumed run sees exactly what it would have seen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from inpainting.holes import sample_hole
from inpainting.training.pack import PhotoPack


@dataclass(slots=True)
class Batch:
    """Photos in [-1, 1] (B, 3, S, S) and holes (B, 1, S, S), 1 in the hole."""

    images: Tensor
    masks: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on `device`."""
        return Batch(self.images.to(device, non_blocking=True), self.masks.to(device, non_blocking=True))

    @property
    def damaged(self) -> Tensor:
        """The photos with their holes set to 0, mid-grey."""
        return self.images * (1 - self.masks)


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Where training batches come from.

    A crop's side is log-uniform between the wanted resolution and the photo's short side (multi-scale); the crop is
    brought to the resolution by area averaging and mirrored left-right half of the time.
    """

    pack: PhotoPack
    batch: int
    seed: int
    rank: int = 0
    low: float = 0.05
    high: float = 0.5

    def at(self, step: int, resolution: int) -> Batch:
        """The batch of `step` at `resolution` × `resolution` pixels."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        numbers = self.pack.numbers("train")
        images = np.empty((self.batch, resolution, resolution, 3), np.uint8)
        masks = np.empty((self.batch, 1, resolution, resolution), np.float32)
        for row in range(self.batch):
            images[row] = random_crop(rng, self.pack.pixels(numbers[int(rng.integers(len(numbers)))]), resolution)
            masks[row, 0] = sample_hole(rng, resolution, resolution, low=self.low, high=self.high)
        return Batch(to_signed(images), torch.from_numpy(masks))

    def stream(self, first_step: int, resolution: int, *, ahead: int = 4, threads: int = 1) -> Iterator[Batch]:
        """Batches from `first_step` on, prepared in background threads."""
        with ThreadPoolExecutor(threads) as pool:
            waiting: list[Future[Batch]] = [pool.submit(self.at, first_step + n, resolution) for n in range(ahead)]
            step = first_step + ahead
            try:
                while True:
                    ready = waiting.pop(0)
                    waiting.append(pool.submit(self.at, step, resolution))
                    step += 1
                    yield ready.result()
            finally:
                for future in waiting:
                    future.cancel()


def random_crop(rng: np.random.Generator, pixels: np.ndarray, side: int) -> np.ndarray:
    """A random square of (H, W, 3) `pixels` at `side` × `side`, mirrored half of the time."""
    short = min(pixels.shape[:2])
    taken = short if short <= side else round(float(np.exp(rng.uniform(np.log(side), np.log(short)))))
    top = int(rng.integers(pixels.shape[0] - taken + 1))
    left = int(rng.integers(pixels.shape[1] - taken + 1))
    square = pixels[top : top + taken, left : left + taken]
    if taken != side:
        method = cv2.INTER_AREA if taken > side else cv2.INTER_CUBIC
        square = cv2.resize(square, (side, side), interpolation=method)
    return square[:, ::-1] if rng.random() < 0.5 else square


def to_signed(images: np.ndarray) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float().div_(127.5).sub_(1)
