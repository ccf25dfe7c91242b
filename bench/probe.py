"""One measurement in a process of its own: `python -m bench.probe MODEL SIDE DEVICE HOLE REPEATS` prints JSON.

A process a measurement, because the peak of memory that the kernel keeps never goes down again.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.models import BIHARMONIC
from bench.pictures import photo_of, round_hole
from inpainting.catalog import get_entry
from inpainting.imaging import Photo, decode, encode


def peak_mb() -> float:
    """The largest resident set so far in MB (10⁶ bytes): this process and its largest child (PatchMatch) together."""
    return (
        sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024 / 1e6
    )


def weights_of(key: str) -> str:
    """Whether the model needs weights, and has them."""
    if key == BIHARMONIC or not get_entry(key).weights:
        return "none needed"
    return "trained" if get_entry(key).trained else "missing"


def fill_by_engine(photo: Photo, hole: Any, key: str, device: str) -> Callable[[int], None]:
    """A function that fills once with the seed it is given."""
    from inpainting.engine import Engine

    engine = Engine(device=device)

    def fill(seed: int) -> None:
        engine.fill(photo, hole, model=key, seed=seed, allow_untrained=True)
        if device == "cuda":
            import torch

            torch.cuda.synchronize()

    return fill


def fill_by_biharmonic(photo: Photo, hole: Any) -> Callable[[int], None]:
    """scikit-image's biharmonic filling of the whole photo."""
    from skimage.restoration import inpaint_biharmonic

    image = photo.pixels[..., :3].astype(np.float64) / 255

    def fill(_seed: int) -> None:
        inpaint_biharmonic(image, hole, channel_axis=-1, split_into_regions=False)

    return fill


def main(arguments: list[str]) -> int:
    """Measure and print; the exit status."""
    key, side, device, share, repeats = arguments
    pixels = np.asarray(photo_of(int(side), int(side)))
    photo = decode(encode(Photo(pixels.copy()), "PNG"))
    hole = round_hole(photo.width, photo.height, float(share))
    fill = fill_by_biharmonic(photo, hole) if key == BIHARMONIC else fill_by_engine(photo, hole, key, device)
    before = peak_mb()
    fill(0)
    times = []
    for seed in range(1, int(repeats) + 1):
        began = time.perf_counter()
        fill(seed)
        times.append(time.perf_counter() - began)
    cuda_mb = None
    if device == "cuda":
        import torch

        cuda_mb = torch.cuda.max_memory_allocated() / 1e6
    print(
        json.dumps(
            {
                "seconds": statistics.median(times),
                "all_seconds": times,
                "memory_mb": peak_mb(),
                "memory_before_mb": before,
                "cuda_mb": cuda_mb,
                "weights": weights_of(key),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
