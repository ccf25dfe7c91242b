"""Seconds and memory of each model, each in a fresh process, beside a named peer in the same run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from bench.report import ROOT, BenchError, save, shown_path, table
from inpainting.catalog import ENTRIES, CatalogError, get_entry, offered

SIDES = (256, 512, 1024)
LARGE_SIDE = 4096
BIHARMONIC = "biharmonic"
"""Not one of ours: scikit-image's, for those who know it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench models`."""
    parser.add_argument("--models", nargs="+", metavar="KEY", help="catalogue keys (default: all)")
    parser.add_argument("--sides", type=int, nargs="+", help=f"sides of the square photo in pixels (default {SIDES})")
    parser.add_argument("--large", action="store_true", help=f"a photo of {LARGE_SIDE}² too")
    parser.add_argument("--device", choices=("cpu", "cuda", "both"), help="default: both where CUDA is there, else cpu")
    parser.add_argument("--peer", default="patchmatch", help=f"catalogue key or {BIHARMONIC} (default patchmatch)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="measured fills of each (default 3), after one to warm up"
    )
    parser.add_argument(
        "--limit", type=float, default=600.0, help="seconds until a measurement is given up (default 600)"
    )
    parser.add_argument(
        "--batch",
        type=int,
        nargs="+",
        metavar="N",
        help="instead: seconds a photo when N photos are filled at once, for the models that can (128² and 256²)",
    )
    parser.add_argument("--hole", type=float, default=0.1, help="share of the photo that is hole (default 0.1)")


def measure(key: str, side: int, device: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """What `bench.probe` printed about one model, size and device; with `error` instead where it could not be run."""
    command = [sys.executable, "-m", "bench.probe", key, str(side), device, str(chosen.hole), str(chosen.repeats)]
    try:
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=chosen.limit)
    except subprocess.TimeoutExpired:
        return {"error": f"> {chosen.limit:g} s"}
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        return {"error": words[-1] if words else f"ended with status {done.returncode}"}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def devices_of(wanted: str | None) -> list[str]:
    """Where to measure; looks for CUDA in a process of its own, so that this one stays without torch."""
    if wanted in ("cpu", "cuda"):
        return [wanted]
    code = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
    if wanted == "both" and not found:
        raise BenchError("There is no CUDA device on this machine.")
    return ["cpu", "cuda"] if found else ["cpu"]


def keys_of(wanted: list[str] | None, peer: str) -> list[str]:
    """The models to measure, the peer first and scikit-image's last."""
    keys = wanted or [entry.key for entry in offered(include_untrained=True)]
    try:
        for key in {*keys, peer} - {BIHARMONIC}:
            get_entry(key)
    except CatalogError as error:
        raise BenchError(str(error)) from None
    return list(dict.fromkeys([peer, *keys, BIHARMONIC]))


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    if chosen.batch:
        from bench import batches

        batches.run(chosen)
        return
    keys = keys_of(chosen.models, chosen.peer)
    sides = sorted({*(chosen.sides or SIDES), *([LARGE_SIDE] if chosen.large else [])})
    titles = {entry.key: entry.title for entry in ENTRIES}
    needs_torch = {entry.key for entry in ENTRIES if entry.needs_torch}
    print(
        f"Models: hole {chosen.hole:.0%} in the middle of the photo, default parameters, peer {chosen.peer}.",
        flush=True,
    )
    results: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    for device in devices_of(chosen.device):
        for side in sides:
            peer_seconds: float | None = None
            for key in keys:
                # What does not use torch runs on the CPU; beside CUDA it is measured anew only as the peer.
                if device == "cuda" and key not in needs_torch and key != chosen.peer:
                    continue
                got = measure(key, side, device if key in needs_torch else "cpu", chosen)
                if key == chosen.peer:
                    peer_seconds = got.get("seconds")
                ratio = got["seconds"] / peer_seconds if peer_seconds and "seconds" in got else None
                results.append({"model": key, "side": side, "device": device, "ratio": ratio, **got})
                rows.append(_row(titles.get(key, "scikit-image biharmonic"), results[-1]))
                print(
                    f"  {key} {side}² on {device}: {got.get('error') or format(got['seconds'], '.2f') + ' s'}",
                    flush=True,
                )
    head = ["model", "side", "device", "seconds", f"× {chosen.peer}", "memory MB", "CUDA MB", "weights"]
    print(table(head, rows))
    path = save(
        "models", {"hole_share": chosen.hole, "repeats": chosen.repeats, "peer": chosen.peer, "results": results}
    )
    print(f"Saved in {shown_path(path)}.\n", flush=True)


def _row(title: str, result: dict[str, Any]) -> list[str]:
    place = [title, str(result["side"]), result["device"]]
    if "error" in result:
        return [*place, result["error"], "", "", "", ""]
    cuda = result["cuda_mb"]
    return [
        *place,
        f"{result['seconds']:.2f}",
        "" if result["ratio"] is None else f"{result['ratio']:.2f}",
        f"{result['memory_mb']:.0f}",
        "" if cuda is None else f"{cuda:.0f}",
        result["weights"],
    ]
