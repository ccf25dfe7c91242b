"""The two optimising models beside a straight transcription of their papers: the same photo, hole, network and start.

The transcriptions (`tests/inpainting/*_reference.py`, which the tests compare the models with) put every pixel through
the whole network each time and, for MNPS, look for every nearest neighbour each time; SciPy's L-BFGS-B moves pixels.
Both sides get the same number of evaluations, and the loss of both is the transcription's. The shipped defaults, which
start better and stop by themselves, are measured beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from bench.report import ROOT, save, shown_path, table

TARGETS = {"mnps": ("256² photo, 96² hole", 60.0), "gram": ("512² photo, 128² hole", 120.0)}
"""What is measured, and in how many seconds on two CPU cores the shipped defaults are to be done with it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench optimising`."""
    parser.add_argument("--models", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument(
        "--evaluations", type=int, default=12, help="evaluations of the transcription, which are slow (default 12)"
    )
    parser.add_argument("--threads", type=int, default=2, help="threads for PyTorch (default 2)")
    parser.add_argument(
        "--limit", type=float, default=900.0, help="seconds until a measurement is given up (default 900)"
    )


def measure(key: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """What `bench.transcriptions` printed; with `error` instead where it could not be run."""
    command = [sys.executable, "-m", "bench.transcriptions", key, str(chosen.evaluations), str(chosen.threads)]
    try:
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=chosen.limit)
    except subprocess.TimeoutExpired:
        return {"error": f"> {chosen.limit:g} s"}
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        return {"error": words[-1] if words else f"ended with status {done.returncode}"}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    print(f"Optimising models: {chosen.threads} threads, load {os.getloadavg()[0]:.1f} before.", flush=True)
    results: dict[str, dict[str, Any]] = {}
    rows: list[list[str]] = []
    for key in chosen.models:
        results[key] = got = measure(key, chosen)
        what, target = TARGETS[key]
        if "error" in got:
            rows.append([f"{key}, {what}", got["error"], "", "", "", ""])
            continue
        first, same, shipped = got["transcription"], got["same"], got["shipped"]
        each = [side["seconds"] / side["evaluations"] for side in (first, same)]
        rows += [
            _row(f"{key}, {what}: transcription", first, got["loss_at_start"]),
            _row("  the model, same settings", same, got["loss_at_start"]),
            _row("  the model, shipped defaults", shipped, None),
        ]
        print(
            f"  {key}: {each[0] / each[1]:.1f} times faster an evaluation; shipped defaults {shipped['seconds']:.1f} s "
            f"({shipped['cpu_seconds']:.1f} s of CPU) where {target:g} s are the target.",
            flush=True,
        )
    print(table(["", "seconds", "CPU s", "evaluations", "s each", "loss left"], rows))
    path = save("optimising", {"threads": chosen.threads, "results": results})
    print(f"Saved in {shown_path(path)}.\n", flush=True)


def _row(name: str, side: dict[str, Any], loss_at_start: float | None) -> list[str]:
    left = "" if loss_at_start is None else f"{side['loss'] / loss_at_start:.2%}"
    count = side["evaluations"]
    return [
        name,
        f"{side['seconds']:.1f}",
        f"{side['cpu_seconds']:.1f}",
        str(count),
        f"{side['seconds'] / count:.3f}",
        left,
    ]
