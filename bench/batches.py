"""Whether a model fills several photos at once in less time than one after the other."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from bench.models import devices_of
from bench.pictures import photo_of, round_hole
from bench.report import ROOT, BenchError, save, shown_path, table
from inpainting.catalog import CatalogError, get_entry

BATCHED = ("lbp", "tta", "tmad")
"""Models whose `fill_batch` computes crops together."""
_SIDES = (128, 256)


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save. The processor's time counts on a processor: what else the machine does is not in it."""
    keys = chosen.models or list(BATCHED)
    try:
        for key in keys:
            get_entry(key)
    except CatalogError as error:
        raise BenchError(str(error)) from None
    sizes = sorted({1, *chosen.batch})
    results: list[dict[str, Any]] = []
    for device in devices_of(chosen.device):
        for key in keys:
            for side in chosen.sides or _SIDES:
                got = _measure(key, side, device, sizes, chosen)
                results += got
                shown = ", ".join(f"{each['batch']}: {each['processor']:.3f} s" for each in got)
                print(f"  {key} {side}² on {device}, a photo in a batch of {shown}", flush=True)
    rows = [
        [
            get_entry(each["model"]).title,
            f"{each['side']}²",
            each["device"],
            str(each["batch"]),
            f"{each['seconds']:.3f}",
            f"{each['processor']:.3f}",
            f"{each['gain']:.2f}",
        ]
        for each in results
    ]
    print(table(["model", "photo", "device", "at once", "s a photo", "processor s", "gain"], rows))
    path = save("batches", {"hole_share": chosen.hole, "repeats": chosen.repeats, "results": results})
    print(f"Saved in {shown_path(path)}.\n", flush=True)


def _measure(key: str, side: int, device: str, sizes: list[int], chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """One model and size in a process of its own, every batch size."""
    numbers = [str(number) for number in sizes]
    command = [sys.executable, "-m", "bench.batches", key, str(side), device, str(chosen.hole), str(chosen.repeats)]
    try:
        done = subprocess.run(
            [*command, *numbers], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=chosen.limit
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{key} took longer than {chosen.limit:g} s.") from None
    if done.returncode != 0:
        raise BenchError((done.stderr.strip().splitlines() or [f"{key} ended with status {done.returncode}"])[-1])
    measured: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main(arguments: list[str]) -> int:
    """Measure in this process and print JSON; the exit status."""
    from inpainting.engine import Engine
    from inpainting.imaging import Photo

    key, side, device, share, repeats, *numbers = arguments
    sizes = [int(number) for number in numbers]
    width, most = int(side), max(sizes)
    pixels = np.asarray(photo_of(width + 8 * most, width + 8 * most))
    hole = round_hole(width, width, float(share))
    items = [(Photo(pixels[8 * n : 8 * n + width, 4 * n : 4 * n + width].copy()), hole) for n in range(most)]
    engine = Engine(device=device)

    def fill(number: int) -> tuple[float, float]:
        """Seconds and processor seconds a photo for all photos, `number` at once."""
        began, used = time.perf_counter(), time.process_time()
        for first in range(0, most, number):
            engine.fill_batch(items[first : first + number], model=key, allow_untrained=True)
        if device == "cuda":
            import torch

            torch.cuda.synchronize()
        return (time.perf_counter() - began) / most, (time.process_time() - used) / most

    fill(most)
    results: list[dict[str, Any]] = []
    for number in sizes:
        measured = [fill(number) for _ in range(int(repeats))]
        seconds, processor = (statistics.median(column) for column in zip(*measured, strict=True))
        results.append(
            {"model": key, "side": width, "device": device, "batch": number, "seconds": seconds, "processor": processor}
        )
    counts = "seconds" if device == "cuda" else "processor"
    for each in results:
        each["gain"] = results[0][counts] / each[counts]
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
