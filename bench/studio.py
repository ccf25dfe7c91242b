"""What passes around a model's own computing: a real studio, a real upload, real fills, watched over a real socket."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.pictures import jpeg, mask_png, photo_of_megapixels, round_hole
from bench.report import ROOT, BenchError, save, shown_path, table
from bench.visitor import Visitor

HOST = "127.0.0.1"
READY_WITHIN = 180.0
JOB_WITHIN = 600.0
HOLE_SHARE = 0.02

# The parts in the order in which they happen. `submit` and what follows `store` are seen from the browser's side.
PARTS = {
    "submit": "request that puts the job into the queue",
    "queue_wait": "waiting for a worker to be free",
    "dispatch": "queue to the worker's claim",
    "read": "rows and files read by the worker",
    "decode": "photo and mask decoded",
    "prepare": "crop with context, working scale",
    "compute": "the model itself",
    "paste": "back to full size, pasted, proved",
    "encode": "PNG written",
    "store": "file, rows and display picture stored",
    "delivery": "job done to message in the browser",
    "show": "picture record and display picture fetched",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench studio`."""
    parser.add_argument("--fills", type=int, default=15, help="fills a photo (default 15)")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1.0, 12.0], help="sizes (default 1 12)")
    parser.add_argument("--model", default="patchmatch", help="catalogue key (default patchmatch)")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class RunningStudio:
    """A studio that answers."""

    port: int
    pid: int
    folder: Path
    """Its data folder."""


@contextmanager
def running_studio(settings: Mapping[str, str] | None = None) -> Iterator[RunningStudio]:
    """A studio with a data folder of its own and these `settings`, ready; it is ended with Ctrl-C's signal."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="reweave-bench-") as folder:
        environment = {key: value for key, value in os.environ.items() if key not in {"REDIS_URL", "DATABASE_URL"}}
        environment |= {"REWEAVE_VAR": folder, "PORT": str(port), "UPLOADS_PER_HOUR": "0", "ALLOW_GUESTS": "on"}
        environment |= settings or {}
        log = Path(folder) / "studio.log"
        with log.open("wb") as out:
            command = [sys.executable, "manage.py", "studio"]
            studio = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
            try:
                _wait_until_ready(studio, port, log)
                yield RunningStudio(port, studio.pid, Path(folder))
            finally:
                studio.send_signal(signal.SIGINT)
                try:
                    studio.wait(30)
                except subprocess.TimeoutExpired:
                    studio.kill()
                    studio.wait()


def _wait_until_ready(studio: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if studio.poll() is not None:
            break
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.2)
    tail = log.read_text(errors="replace").strip().splitlines()[-8:]
    raise BenchError("\n".join(["The studio did not start:", *tail]))


def measure_fill(visitor: Visitor, picture: dict[str, Any], mask: bytes, model: str, seed: int) -> dict[str, float]:
    """Seconds of each part of one fill, from pressing Fill to the result's picture in the browser."""
    source = picture["versions"][0]["id"]
    pressed = time.time()
    job = visitor.post_form(
        f"/api/versions/{source}/fill",
        {"model": model, "params": "{}", "seed": str(seed)},
        {"mask": ("mask.png", "image/png", mask)},
    )
    submitted = time.time()
    visitor.watch(job["id"])
    arrived, done = visitor.wait_for_end(job["id"], JOB_WITHIN)
    after = visitor.get_json(f"/api/pictures/{picture['id']}")
    result = next(version for version in after["versions"] if version["id"] == done["result"])
    visitor.request("GET", result["display_url"])
    shown = time.time()

    times = {name: float(done["timings"].get(name, 0.0)) for name in PARTS}
    finished = datetime.fromisoformat(done["finished_at"]).timestamp()
    times |= {"submit": submitted - pressed, "delivery": arrived - finished, "show": shown - arrived}
    times["total"] = shown - pressed
    times["overhead"] = times["total"] - times["compute"]
    return times


def measure_size(port: int, megapixels: float, model: str, fills: int) -> dict[str, Any]:
    """Upload a photo of that size and fill it again and again."""
    photo = photo_of_megapixels(megapixels)
    mask = mask_png(round_hole(photo.width, photo.height, HOLE_SHARE))
    data = jpeg(photo)
    with Visitor(HOST, port) as visitor:
        visitor.request("GET", "/")
        began = time.perf_counter()
        picture = visitor.post_form("/api/pictures", {}, {"file": ("photo.jpg", "image/jpeg", data)})
        upload = time.perf_counter() - began
        visitor.listen()
        # The first fill meets cold caches; it counts for nobody.
        measure_fill(visitor, picture, mask, model, seed=0)
        samples = [measure_fill(visitor, picture, mask, model, seed=number + 1) for number in range(fills)]
    return {
        "width": photo.width,
        "height": photo.height,
        "jpeg_bytes": len(data),
        "hole_pixels": int(round_hole(photo.width, photo.height, HOLE_SHARE).sum()),
        "upload": upload,
        "samples": samples,
        "median": {name: statistics.median(sample[name] for sample in samples) for name in samples[0]},
        "worst": {name: max(sample[name] for sample in samples) for name in samples[0]},
    }


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    if chosen.fills < 1:
        raise BenchError("--fills must be at least 1.")
    print(f"Studio: {chosen.fills} fills with {chosen.model}, hole {HOLE_SHARE:.0%} of the photo.", flush=True)
    with running_studio() as studio:
        sizes = {
            f"{size:g} Mpx": measure_size(studio.port, size, chosen.model, chosen.fills) for size in chosen.megapixels
        }
    head = ["milliseconds", *(f"{name} {kind}" for name in sizes for kind in ("median", "worst"))]
    names = {**PARTS, "total": "Fill pressed to result shown", "overhead": "total beyond the model's computing"}
    rows = [
        [
            f"{name:<10} {words}",
            *(f"{size[kind][name] * 1e3:.1f}" for size in sizes.values() for kind in ("median", "worst")),
        ]
        for name, words in names.items()
    ]
    print(table(head, rows))
    print(
        "Medians of parts need not add up to the median of the total; what parts leave over is switching between them."
    )
    path = save("studio", {"model": chosen.model, "fills": chosen.fills, "hole_share": HOLE_SHARE, "sizes": sizes})
    print(f"Saved in {shown_path(path)}.\n", flush=True)
