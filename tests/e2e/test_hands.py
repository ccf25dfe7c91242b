"""Fingers, pens and a line that is lost while a fill runs; and a photo of 48 megapixels, pixel for pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, BreakableLine, EditorPage, photo_bytes

pytestmark = pytest.mark.browser


def test_the_pens_far_end_erases(page: Page) -> None:
    """Chromium's input protocol knows no such pen, so its events are made in the page."""
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.stroke((0.2, 0.5), (0.8, 0.5))
    painted = editor.hole_pixels
    page.evaluate(
        """([from, to]) => {
            const stage = document.getElementById("stage");
            const pen = {pointerId: 1, pointerType: "pen", pressure: 1, bubbles: true, cancelable: true};
            const send = (type, [clientX, clientY], more) =>
                stage.dispatchEvent(new PointerEvent(type, {...pen, clientX, clientY, ...more}));
            send("pointerdown", from, {button: 5, buttons: 32});
            send("pointermove", to, {button: -1, buttons: 32});
            send("pointerup", to, {button: 5, buttons: 0});
        }""",
        [editor.at((0.4, 0.5)), editor.at((0.6, 0.5))],
    )
    erased = painted - editor.hole_pixels
    assert 0.25 * painted < erased < 0.5 * painted
    editor.press("Control+z")
    assert editor.hole_pixels == painted


def test_a_finger_on_a_sharp_screen_paints_where_it_touches(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True, device_scale_factor=3)
    editor = EditorPage.with_upload(page, photo_bytes())
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    start, end = editor.at((0.25, 0.3)), editor.at((0.5, 0.3))
    touch("touchStart", start)
    for step in range(1, 9):
        touch("touchMove", (start[0] + (end[0] - start[0]) * step / 8, start[1]))
    touch("touchEnd")
    with page.expect_response(lambda answer: answer.url.endswith("/draft") and answer.request.method == "PUT") as kept:
        pass
    with Image.open(io.BytesIO(page.request.get(kept.value.url).body())) as image:
        rows, columns = np.nonzero(np.asarray(image) == 255)
    radius = (rows.max() - rows.min() + 1) / 2
    assert abs((rows.max() + rows.min()) / 2 - 0.3 * 640) < 3
    assert abs(columns.min() + radius - 0.25 * 960) < 4
    assert abs(columns.max() - radius - 0.5 * 960) < 4
    # The page itself neither scrolled nor zoomed.
    assert page.evaluate("() => [window.scrollY, window.visualViewport.scale]") == [0, 1]


def test_a_line_lost_while_a_fill_runs_is_told_and_the_result_comes_all_the_same(
    page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("WebSocket")
    line = BreakableLine(page)
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.4):
        editor.stroke((0.3, y), (0.7, y))
    editor.choose("patchmatch")
    editor.fill()
    expect(page.locator("#run-percent")).to_contain_text("%", timeout=LONG)
    line.cut()
    expect(page.locator("#run-eta")).to_contain_text("The live connection is down")
    expect(page.locator("#connection")).to_be_visible()
    # Reloaded in the middle of the job and still without a line, the page knows from the server what is running.
    page.reload()
    expect(page.locator("#run-busy")).to_be_visible()
    editor.expect_result()
    line.mend()
    expect(page.locator("#connection")).to_be_hidden(timeout=LONG)
    assert editor.hole_pixels == 0
    editor.stroke((0.1, 0.1), (0.2, 0.1))
    assert editor.hole_pixels > 0


@pytest.mark.slow
def test_a_mask_of_48_megapixels_is_exact(page: Page) -> None:
    width, height = 8000, 6000
    photo = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 140)).save(photo, "JPEG", quality=60)
    page.goto("/")
    page.set_default_timeout(LONG)
    page.locator("#file-input").set_input_files(
        FilePayload(name="large.jpg", mimeType="image/jpeg", buffer=photo.getvalue())
    )
    page.wait_for_url("**/edit", timeout=LONG)
    expect(page.locator("#stage-message")).to_be_empty(timeout=LONG)
    editor = EditorPage(page).ready()
    random = np.random.default_rng(5)
    wanted = np.zeros((height, width), np.uint8)
    wanted[random.integers(0, height, 3000), random.integers(0, width, 3000)] = 255
    wanted[[0, 0, -1, -1], [0, -1, 0, -1]] = 255
    file = io.BytesIO()
    Image.fromarray(wanted).save(file, "PNG")
    page.locator("#mask-file").set_input_files(
        FilePayload(name="mask.png", mimeType="image/png", buffer=file.getvalue())
    )
    expect(page.locator("#stage-status")).to_have_text("Mask imported", timeout=LONG)
    # At 100 % a screen pixel is a photo pixel: what is painted there must come out to the pixel.
    editor.press("r", "Control+1")
    page.wait_for_timeout(200)
    box = page.locator("#stage").bounding_box()
    assert box
    x, y = round(box["x"]) + 200, round(box["y"]) + 150
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 333, y + 222, steps=5)
    with page.expect_response(
        lambda answer: answer.url.endswith("/draft") and answer.request.method == "PUT", timeout=LONG
    ) as kept:
        page.mouse.up()
    with Image.open(io.BytesIO(page.request.get(kept.value.url).body())) as image:
        assert image.size == (width, height)
        sent = np.asarray(image)
    painted = (sent != wanted) & (wanted == 0)
    assert not ((sent != wanted) & (wanted == 255)).any()
    rows, columns = np.nonzero(painted)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (222, 333)
    assert (sent[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == 255).all()
    assert editor.hole_pixels == np.count_nonzero(sent)
