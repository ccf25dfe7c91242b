"""Frame times of the mask editor on a 48-megapixel photo, in a real Chromium, against a studio started for it."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from bench.report import BenchError, save, shown_path, table
from bench.studio import HOST, running_studio


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench editor`."""
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each hand works (default 8)")
    parser.add_argument("--address", help="of a studio that runs already, such as http://127.0.0.1:8000")


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save. Raises `BenchError` where there is no browser to measure in."""
    if chosen.seconds <= 0:
        raise BenchError("--seconds must be more than 0.")
    try:
        # Here, not above: the other benchmarks need no browser.
        from tests.e2e.chromium import NoChromium
        from tests.perf.editor_frames import HEIGHT, MEDIAN_LIMIT, SLOW_LIMIT, WIDTH, measure
    except ModuleNotFoundError as missing:
        raise BenchError(f"The editor cannot be measured: {missing.name} is missing; run “make setup”.") from None
    print(f"Editor: {WIDTH} × {HEIGHT} photo, 1000 pointer events a second for {chosen.seconds:g} s each.", flush=True)
    before = os.getloadavg()[0]
    try:
        if chosen.address:
            measured = measure(chosen.address, chosen.seconds)
        else:
            with running_studio() as port:
                measured = measure(f"http://{HOST}:{port}", chosen.seconds)
    except NoChromium as problem:
        raise BenchError(str(problem)) from None
    head = [
        "frame times in ms",
        "median",
        "95th",
        "slowest",
        "frames",
        "events/s",
        f"≤ {MEDIAN_LIMIT} / {SLOW_LIMIT:g}",
    ]
    rows = [
        [
            each.name,
            f"{each.median:.1f}",
            f"{each.percentile_95:.1f}",
            f"{each.slowest:.1f}",
            str(each.frames),
            str(each.events_per_second),
            "yes" if each.fluent else "no",
        ]
        for each in measured.frames
    ]
    print(table(head, rows))
    load = (before, os.getloadavg()[0])
    print(f"Opened in {measured.opened:.1f} s. Load of the machine {load[0]:.1f} before, {load[1]:.1f} after.")
    numbers = {
        "photo": [WIDTH, HEIGHT],
        "opened_seconds": measured.opened,
        "load": load,
        "frames": [{**asdict(each), "fluent": each.fluent} for each in measured.frames],
    }
    print(f"Saved in {shown_path(save('editor', numbers))}.\n", flush=True)
