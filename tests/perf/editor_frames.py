"""How fluently the editor paints and zooms on a 48-megapixel photo, from the browser's own frame times.

    python -m tests.perf.editor_frames [--seconds 8] [--address http://127.0.0.1:8000] [--json]

Starts a studio of its own unless an address is given. The mouse is pressed by the browser's input pipeline; then 1000
pointer events a second are dispatched, each of which the editor handles on its own, which is more work than the same
events coalesced by the browser. For zooming, the wheel turns 60 times a second, in and out at a wandering place. Times
between `requestAnimationFrame` calls are what is reported. `python -m bench editor` does this and keeps the figures.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import FilePayload, Page, sync_playwright

from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.e2e.studio import running_studio

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 8000, 6000
MEDIAN_LIMIT, SLOW_LIMIT = 16.7, 33.0

_ACT = """async ([kind, seconds, left, top, right, bottom]) => {
    const stage = document.getElementById("stage");
    const everyMs = kind === "paint" ? 1 : 1000 / 60;
    const frames = [];
    const from = performance.now();
    let sent = 0;
    let counting = true;
    let before = null;
    const frame = (now) => {
        if (before !== null) frames.push(now - before);
        before = now;
        if (counting) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    // As the hardware does it: what is due by the clock, whatever the page made of the events before.
    await new Promise((done) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => {
            const passed = performance.now() - from;
            if (passed >= seconds * 1000) return done();
            for (; sent * everyMs < passed; sent += 1) {
                const t = (sent * everyMs) / 1000;
                const clientX = left + (right - left) * (0.5 + 0.5 * Math.sin(t * 1.7));
                const clientY = top + (bottom - top) * (0.5 + 0.5 * Math.sin(t * 2.9 + 1));
                if (kind === "paint") {
                    stage.dispatchEvent(new PointerEvent("pointermove", {
                        pointerId: 1, pointerType: "mouse", buttons: 1, clientX, clientY, bubbles: true,
                    }));
                } else {
                    stage.dispatchEvent(new WheelEvent("wheel", {
                        deltaY: -22 * Math.cos(t * 1.3), clientX, clientY, bubbles: true, cancelable: true,
                    }));
                }
            }
            setTimeout(() => channel.port2.postMessage(0), 1);
        };
        channel.port2.postMessage(0);
    });
    counting = false;
    return {frames, events: sent};
}"""


@dataclass(frozen=True)
class Frames:
    """Frame times in milliseconds; `name` says what was done meanwhile."""

    name: str
    median: float
    percentile_95: float
    slowest: float
    frames: int
    events_per_second: float

    @property
    def fluent(self) -> bool:
        return self.median <= MEDIAN_LIMIT and self.percentile_95 <= SLOW_LIMIT


@dataclass(frozen=True)
class Measured:
    """`opened`: seconds from choosing the file until one can paint, upload and display picture included."""

    opened: float
    frames: list[Frames]


def large_photo() -> bytes:
    """A 48-megapixel JPEG with texture in it."""
    rng = np.random.default_rng(1)
    tile = rng.integers(60, 200, (750, 1000, 3), np.uint8)
    tile = np.asarray(Image.fromarray(tile).resize((2000, 1500), Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(np.tile(tile, (HEIGHT // 1500, WIDTH // 2000, 1))).save(file, "JPEG", quality=70)
    return file.getvalue()


def measure(address: str, seconds: float = 8.0) -> Measured:
    """Open a 48-megapixel photo; paint with a brush of 250 photo pixels at the fitted zoom and at 100 %; zoom.

    Raises `tests.e2e.chromium.NoChromium` where there is no browser.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=ARGUMENTS)
        try:
            page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 800})
            page.set_default_timeout(180_000)
            page.goto("/")
            photo = FilePayload(name="large.jpg", mimeType="image/jpeg", buffer=large_photo())
            began = time.perf_counter()
            page.locator("#file-input").set_input_files(photo)
            page.wait_for_url("**/edit")
            page.wait_for_function("() => document.getElementById('stage-message').textContent === ''")
            page.wait_for_function("() => !document.getElementById('stage').classList.contains('is-locked')")
            opened = time.perf_counter() - began
            frames = [_act(page, "paint", "painting, fitted", seconds)]
            page.keyboard.press("Control+1")
            frames.append(_act(page, "paint", "painting, 100 %", seconds))
            page.keyboard.press("Control+0")
            frames.append(_act(page, "zoom", "zooming", seconds))
            return Measured(round(opened, 1), frames)
        finally:
            browser.close()


def _act(page: Page, kind: str, name: str, seconds: float) -> Frames:
    box = page.locator("#stage").bounding_box()
    assert box
    area = [box["x"] + 60, box["y"] + 70, box["x"] + box["width"] - 60, box["y"] + box["height"] - 110]
    page.mouse.move(area[0] + 200, area[1] + 200)
    if kind == "paint":
        page.mouse.down()
    seen: dict[str, Any] = page.evaluate(_ACT, [kind, seconds, *area])
    if kind == "paint":
        page.mouse.up()
    frames = sorted(seen["frames"])
    return Frames(
        name=name,
        median=round(statistics.median(frames), 1),
        percentile_95=round(frames[int(len(frames) * 0.95)], 1),
        slowest=round(frames[-1], 1),
        frames=len(frames),
        events_per_second=round(seen["events"] / seconds),
    )


@contextmanager
def studio(address: str | None) -> Iterator[str]:
    """The address that is given, or that of a studio started for this."""
    if address:
        yield address
        return
    folder = Path(tempfile.mkdtemp(prefix="reweave-perf-"))
    try:
        with running_studio(ROOT, folder) as own:
            yield own
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Frame times while painting on a 48-megapixel photo.")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each stroke lasts")
    parser.add_argument("--address", help="of a running studio; without it one is started")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    chosen = parser.parse_args()
    with studio(chosen.address) as address:
        measured = measure(address, chosen.seconds)
    for result in measured.frames:
        if chosen.json:
            print(json.dumps(asdict(result)))
        else:
            print(
                f"{result.name:>16}: median {result.median} ms, 95th percentile {result.percentile_95} ms, "
                f"slowest {result.slowest} ms over {result.frames} frames at {result.events_per_second} events/s"
            )
    return 0 if all(result.fluent for result in measured.frames) else 1


if __name__ == "__main__":
    raise SystemExit(main())
