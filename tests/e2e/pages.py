"""What a person does on the studio's pages, in their words."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, WebSocketRoute, expect

Point = tuple[float, float]
LONG = 90_000
"""Milliseconds that a fill may take on a busy machine."""


def photo_bytes(width: int = 960, height: int = 640, form: str = "JPEG", seed: int = 3) -> bytes:
    """A photo-like picture: woven texture with noise, and a disc in it that does not belong there."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = 0.5 + 0.25 * np.sin(x / 5.0) + 0.2 * np.sin(y / 6.5 + np.sin(x / 40))
    light = 0.75 + 0.25 * (x / width)
    pixels = np.stack([weave * light, weave * 0.82 * light + 0.05, 0.35 + 0.3 * weave], axis=-1)
    pixels += random.normal(0, 0.03, pixels.shape)
    disc = (x - width * 0.6) ** 2 + (y - height * 0.45) ** 2 < (height * 0.07) ** 2
    pixels[disc] = (0.9, 0.2, 0.15)
    image = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, form, quality=92)
    return file.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) of a file, by Pillow alone."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def drop_file(page: Page, data: bytes, name: str, kind: str = "image/jpeg", where: str = "#dropzone") -> None:
    """Let a file go over the drop zone, or over another element, as the browser reports it."""
    transfer = page.evaluate_handle(
        """([text, name, kind]) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, {type: kind}));
            return transfer;
        }""",
        [base64.b64encode(data).decode("ascii"), name, kind],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(where, event, {"dataTransfer": transfer})


class SocketLog:
    """Every message that came over the page's websocket."""

    def __init__(self, page: Page) -> None:
        self.messages: list[dict[str, Any]] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._keep))

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("type") == kind]

    def _keep(self, frame: str | bytes) -> None:
        self.messages.append(json.loads(frame))


class BreakableLine:
    """The page's websocket, which can be cut; every try to connect fails then, until it is mended."""

    def __init__(self, page: Page) -> None:
        self._is_cut = False
        self._sockets: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/live/", self._connect)

    def cut(self) -> None:
        self._is_cut = True
        self._sockets[-1].close()

    def mend(self) -> None:
        self._is_cut = False

    def _connect(self, socket: WebSocketRoute) -> None:
        if self._is_cut:
            socket.close()
            return
        self._sockets.append(socket)
        socket.connect_to_server()


class EditorPage:
    """The editor, with positions as shares of the photo's width and height."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def with_upload(cls, page: Page, data: bytes, name: str = "weave.jpg") -> EditorPage:
        page.goto("/")
        drop_file(page, data, name)
        return cls(page).opened()

    @classmethod
    def with_sample(cls, page: Page, name: str = "stands-out") -> EditorPage:
        page.goto("/")
        page.locator(f"[data-sample={name}]").click()
        return cls(page).opened()

    def opened(self) -> EditorPage:
        self.page.wait_for_url("**/edit")
        return self.ready()

    def ready(self) -> EditorPage:
        """Wait until the photo is on the stage and the tools are free."""
        expect(self.page.locator("#stage-message")).to_be_empty()
        expect(self.page.locator("#stage.is-locked")).to_have_count(0)
        return self

    @property
    def picture_id(self) -> str:
        found = re.search(r"/pictures/([0-9a-f-]{36})/edit", self.page.url)
        assert found, self.page.url
        return found[1]

    def picture(self) -> dict[str, Any]:
        answer = self.page.request.get(f"/api/pictures/{self.picture_id}")
        assert answer.ok, answer.text()
        picture: dict[str, Any] = answer.json()
        return picture

    def at(self, share: Point) -> Point:
        """Position on the page, for a photo that is fitted to the stage."""
        box = self.page.locator("#stage").bounding_box()
        assert box
        boot = json.loads(self.page.locator("#boot").inner_text() or self.page.locator("#boot").text_content() or "")
        width, height = boot["picture"]["width"], boot["picture"]["height"]
        most = min(32.0, max(1.0, 320 / max(width, height)))
        scale = min(most, min(box["width"] / width, box["height"] / height) * 0.97)
        left = box["x"] + (box["width"] - width * scale) / 2
        top = box["y"] + (box["height"] - height * scale) / 2
        return left + share[0] * width * scale, top + share[1] * height * scale

    def stroke(self, *points: Point, button: str = "left") -> None:
        places = [self.at(point) for point in points]
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down(button="right" if button == "right" else "left")
        for place in places[1:]:
            mouse.move(*place, steps=8)
        mouse.up(button="right" if button == "right" else "left")

    def colour_at(self, share: Point) -> tuple[int, int, int]:
        """What the photo's canvas shows there: red, green, blue."""
        box = self.page.locator("#stage").bounding_box()
        assert box
        x, y = self.at(share)
        red, green, blue = self.page.evaluate(
            """([x, y]) => {
                const canvas = document.getElementById("layer-photo");
                const ratio = canvas.width / canvas.clientWidth;
                return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data].slice(0, 3);
            }""",
            [x - box["x"], y - box["y"]],
        )
        return red, green, blue

    def cover_disc(self) -> None:
        """Paint over the thing in `photo_bytes` that does not belong there."""
        for y in (0.38, 0.42, 0.46, 0.5):
            self.stroke((0.55, y), (0.65, y))

    @property
    def hole_pixels(self) -> int:
        """What the panel says about the mask; 0 when nothing is painted."""
        # The panel follows the mask once a frame.
        self.page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
        digits = re.sub(r"\D", "", self.page.locator("#fill-hint").inner_text())
        return int(digits or 0)

    def choose(self, model: str) -> None:
        self.page.locator(f"#model-{model}").check()

    def fill(self) -> None:
        self.page.locator("#fill-button").click()

    def expect_result(self) -> None:
        expect(self.page.locator("#result")).to_be_visible(timeout=LONG)
        expect(self.page.locator("#run-busy")).to_be_hidden()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
