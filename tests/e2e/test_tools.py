"""Every tool of the stage by mouse, touch and pen; what they paint is read from the mask that reaches the studio."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import CDPSession, Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, EditorPage, Point, drop_file, photo_bytes

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 800, 500


def flat_photo() -> bytes:
    """Grey, with a blue square from (200, 150) to (300, 250) and another one from (500, 150) to (560, 210)."""
    pixels = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    pixels[150:250, 200:300] = pixels[150:210, 500:560] = (40, 70, 200)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def editor(page: Page) -> EditorPage:
    return EditorPage.with_upload(page, flat_photo(), "flat.png")


@pytest.fixture(autouse=True)
def reading_canvases(complaints: Complaints) -> None:
    """These tests read canvases, the page never does."""
    complaints.expected.append("getImageData")


def at(x: float, y: float) -> Point:
    """Photo pixels as shares."""
    return x / WIDTH, y / HEIGHT


def exported(editor: EditorPage) -> NDArray[np.bool_]:
    """The mask as the editor exports it."""
    with editor.page.expect_download() as download:
        editor.press("Shift+S")
    data = Path(download.value.path()).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
        pixels = np.asarray(image)
    assert set(np.unique(pixels)) <= {0, 255}
    return pixels == 255


def free(editor: EditorPage) -> None:
    expect(editor.page.locator("#stage.is-locked")).to_have_count(0)


def test_rectangle_adds_and_with_ctrl_takes_away(editor: EditorPage) -> None:
    editor.press("r")
    editor.stroke(at(100, 100), at(300, 200))
    mask = exported(editor)
    rows, columns = np.nonzero(mask)
    assert abs(rows.min() - 100) <= 1
    assert abs(columns.max() - 300) <= 1
    assert mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    editor.page.keyboard.down("Control")
    editor.stroke(at(50, 50), at(400, 150))
    editor.page.keyboard.up("Control")
    assert abs(int(exported(editor).sum()) - mask.sum() / 2) < 400


def test_lasso_by_dragging_by_clicking_and_by_key(editor: EditorPage) -> None:
    page = editor.page
    editor.press("l")
    editor.stroke(at(100, 100), at(200, 100), at(200, 200), at(100, 200))
    dragged = editor.hole_pixels
    assert abs(dragged - 10_000) < 400
    for corner in ((400, 100), (500, 100), (500, 200)):
        page.mouse.click(*editor.at(at(*corner)))
    expect(page.locator("#outline-options")).to_be_visible()
    assert editor.hole_pixels == dragged
    editor.press("Escape")
    expect(page.locator("#outline-options")).to_be_hidden()
    for corner in ((400, 100), (500, 100), (500, 200), (400, 200)):
        page.mouse.click(*editor.at(at(*corner)))
    editor.press("Enter")
    assert abs(editor.hole_pixels - 20_000) < 500
    # A double click at the last corner closes as well.
    for corner in ((600, 100), (700, 100), (700, 200)):
        page.mouse.click(*editor.at(at(*corner)))
    page.mouse.dblclick(*editor.at(at(600, 200)))
    assert abs(editor.hole_pixels - 30_000) < 700
    editor.press("Control+z", "Control+z", "Control+z")
    assert editor.hole_pixels == 0


def test_wand_takes_the_square_exactly_or_all_of_its_colour(editor: EditorPage) -> None:
    page = editor.page
    editor.press("w")
    page.locator("#wand-tolerance").fill("60")
    page.mouse.click(*editor.at(at(250, 200)))
    expect(page.locator("#fill-hint")).to_contain_text("to fill")
    mask = exported(editor)
    assert mask[154:246, 204:296].all()
    assert mask.sum() < 104 * 104
    page.locator("#wand-contiguous").uncheck()
    page.mouse.click(*editor.at(at(250, 200)))
    free(editor)
    page.wait_for_timeout(300)
    assert exported(editor)[160:200, 510:550].all()
    # And back, with the other button.
    page.mouse.click(*editor.at(at(520, 180)), button="right")
    free(editor)
    page.wait_for_timeout(300)
    assert editor.hole_pixels == 0


def test_grow_and_shrink_by_a_true_distance(editor: EditorPage) -> None:
    page = editor.page
    editor.press("r")
    editor.stroke(at(300, 200), at(400, 300))
    before = exported(editor)
    page.locator("[popovertarget=mask-menu]").click()
    page.locator("#mask-reach").fill("10")
    page.locator("#mask-reach").press("Tab")
    page.locator("[data-action=grow]").click()
    expect(page.locator("#stage-status")).to_have_text("Mask grown by 10 pixels")
    page.keyboard.press("Escape")
    grown = exported(editor)
    rows, columns = np.nonzero(before)
    assert (np.nonzero(grown)[0].min(), np.nonzero(grown)[1].max()) == (rows.min() - 10, columns.max() + 10)
    # Corners are round.
    assert not grown[rows.min() - 10, columns.min() - 10]
    editor.press("Shift+G")
    expect(page.locator("#stage-status")).to_have_text("Mask shrunk by 10 pixels")
    assert np.array_equal(exported(editor), before)


def test_export_import_and_what_the_studio_gets_are_the_same_pixels(editor: EditorPage, tmp_path: Path) -> None:
    page = editor.page
    rng = np.random.default_rng(4)
    pixels = np.where(rng.random((HEIGHT, WIDTH)) < 0.3, rng.integers(128, 256, (HEIGHT, WIDTH)), 127).astype(np.uint8)
    file = tmp_path / "mask.png"
    Image.fromarray(pixels).save(file)
    page.locator("#mask-file").set_input_files(file)
    expect(page.locator("#stage-status")).to_have_text("Mask imported")
    assert np.array_equal(exported(editor), pixels >= 128)
    # Another kind of picture goes through the studio, by the same rule.
    colour = tmp_path / "mask.webp"
    Image.fromarray(np.where(pixels[..., None] >= 128, 255, 0).repeat(3, 2).astype(np.uint8)).save(
        colour, lossless=True
    )
    editor.press("Shift+C")
    expect(page.locator("#stage-status")).to_have_text("Mask cleared")
    page.locator("#mask-file").set_input_files(colour)
    expect(page.locator("#stage-status")).to_have_text("Mask imported")
    assert np.array_equal(exported(editor), pixels >= 128)
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    mask_url = editor.picture()["versions"][-1]["mask_url"]
    with Image.open(io.BytesIO(page.request.get(mask_url).body())) as image:
        assert np.array_equal(np.asarray(image) >= 128, pixels >= 128)


def test_a_mask_of_another_size_is_refused_with_a_sentence(editor: EditorPage, tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    Image.new("L", (10, 20), 255).save(file)
    editor.page.locator("#mask-file").set_input_files(file)
    expect(editor.page.locator(".toast--error")).to_contain_text("10 × 20")
    assert editor.hole_pixels == 0


def test_run_when_i_let_go(editor: EditorPage) -> None:
    editor.choose("telea")
    editor.press("a")
    expect(editor.page.locator("#auto-run")).to_be_checked()
    editor.stroke(at(220, 200), at(280, 200))
    editor.expect_result()


def test_alt_and_wheel_size_the_brush(editor: EditorPage) -> None:
    page = editor.page
    text = page.locator("#brush-px")
    before = int(text.inner_text().split()[0])
    zoom = page.locator("#zoom-level").inner_text()
    page.mouse.move(*editor.at((0.5, 0.5)))
    page.keyboard.down("Alt")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Alt")
    expect(text).not_to_have_text(f"{before} px")
    assert int(text.inner_text().split()[0]) > before
    assert page.locator("#zoom-level").inner_text() == zoom


def test_colour_and_opacity_are_kept(editor: EditorPage) -> None:
    page = editor.page
    editor.stroke(at(100, 400), at(200, 400))
    page.locator("[popovertarget=mask-menu]").click()
    page.get_by_role("button", name="Blue").click()
    page.locator("#mask-opacity").fill("100")
    page.keyboard.press("Escape")
    colour = mask_colour(editor, at(150, 400))
    assert colour == (47, 107, 255, 255)
    page.wait_for_timeout(600)
    page.reload()
    editor.ready()
    page.wait_for_timeout(100)
    assert mask_colour(editor, at(150, 400)) == colour


def mask_colour(editor: EditorPage, share: Point) -> tuple[int, ...]:
    box = editor.page.locator("#stage").bounding_box()
    assert box
    x, y = editor.at(share)
    pixel: list[int] = editor.page.evaluate(
        """([x, y]) => {
            const canvas = document.getElementById("layer-mask");
            const ratio = canvas.width / canvas.clientWidth;
            return [...canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data];
        }""",
        [x - box["x"], y - box["y"]],
    )
    return tuple(pixel)


def pen(session: CDPSession, kind: str, place: Point, force: float, **more: Any) -> None:
    pressed = kind != "mouseReleased"
    session.send(
        "Input.dispatchMouseEvent",
        {
            "type": kind,
            "x": place[0],
            "y": place[1],
            "button": "left",
            "buttons": 1 if pressed else 0,
            "clickCount": 1,
            "pointerType": "pen",
            "force": force,
            **more,
        },
    )


def test_a_pens_pressure_is_the_width_of_the_stroke(editor: EditorPage) -> None:
    session = editor.page.context.new_cdp_session(editor.page)
    widths = []
    for y, force in ((100, 0.2), (300, 0.9)):
        start, end = editor.at(at(150, y)), editor.at(at(450, y))
        pen(session, "mousePressed", start, force)
        for step in range(1, 11):
            pen(session, "mouseMoved", (start[0] + (end[0] - start[0]) * step / 10, start[1]), force)
        pen(session, "mouseReleased", end, 0)
        widths.append(int(exported(editor)[y - 40 : y + 40, 300].sum()))
    assert widths[1] > widths[0] * 1.5, widths


def test_a_second_finger_takes_the_stroke_back(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1024, "height": 768}, has_touch=True)
    editor = EditorPage.with_upload(page, flat_photo(), "flat.png")
    session = page.context.new_cdp_session(page)
    x, y = editor.at((0.3, 0.5))

    def touch(kind: str, *points: Point) -> None:
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]},
        )

    touch("touchStart", (x, y))
    touch("touchMove", (x + 60, y))
    touch("touchStart", (x + 60, y), (x + 200, y))
    touch("touchMove", (x + 40, y), (x + 260, y))
    touch("touchEnd")
    assert editor.hole_pixels == 0
    assert page.locator("#zoom-level").inner_text() != "100 %"


def test_at_two_device_pixels_a_pixel_the_mask_is_where_it_was_painted(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1000, "height": 700}, device_scale_factor=2)
    editor = EditorPage.with_upload(page, flat_photo(), "flat.png")
    editor.press("r")
    editor.stroke(at(200, 150), at(300, 250))
    rows, columns = np.nonzero(exported(editor))
    assert [abs(int(value)) <= 1 for value in (rows.min() - 150, rows.max() - 249, columns.min() - 200)] == [True] * 3
    assert mask_colour(editor, at(250, 200))[3] > 0
    assert mask_colour(editor, at(320, 200))[3] == 0


def test_resizing_and_turning_keep_zoom_place_and_mask(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1000, "height": 700})
    editor = EditorPage.with_upload(page, flat_photo(), "flat.png")
    editor.stroke(at(220, 200), at(280, 200))
    painted = editor.hole_pixels
    page.mouse.move(*editor.at((0.4, 0.4)))
    page.mouse.wheel(0, -500)
    zoom = page.locator("#zoom-level").inner_text()
    for size in ((700, 1000), (1000, 700), (390, 844), (1000, 700)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(80)
        assert page.locator("#zoom-level").inner_text() == zoom
    assert editor.hole_pixels == painted


@pytest.mark.parametrize(("key", "pressed"), [("b", "tool-brush"), ("e", "tool-eraser"), ("r", "tool-rectangle")])
def test_tools_by_key_are_also_buttons(editor: EditorPage, key: str, pressed: str) -> None:
    editor.press("h", key)
    button = editor.page.locator(f"[data-action={pressed}]")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert button.get_attribute("title")


def test_select_object_from_a_rough_stroke_can_be_undone(editor: EditorPage) -> None:
    page = editor.page
    expect(page.locator("[data-action=tool-object]")).to_be_enabled(timeout=LONG)
    editor.press("o")
    editor.stroke(at(225, 175), at(275, 225), at(225, 225))
    expect(page.locator("#run-busy")).to_be_hidden(timeout=LONG)
    expect(page.locator("#fill-hint")).to_contain_text("to fill", timeout=LONG)
    mask = exported(editor)
    assert mask[160:240, 210:290].mean() > 0.9
    assert mask[:140].mean() < 0.02
    editor.press("Control+z")
    assert editor.hole_pixels == 0


def test_a_photo_pasted_or_dropped_opens_as_a_picture(editor: EditorPage) -> None:
    page = editor.page
    first = editor.picture_id
    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], "pasted.png", {type: "image/png"}));
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        }""",
        list(photo_bytes(64, 48, "PNG")),
    )
    page.wait_for_url(lambda url: first not in url and url.endswith("/edit"))
    editor.ready()
    # And one that is dropped.
    second = editor.picture_id
    drop_file(page, photo_bytes(64, 48, "PNG", seed=8), "dropped.png", "image/png", where="#stage")
    page.wait_for_url(lambda url: second not in url and url.endswith("/edit"))
    editor.ready()
    expect(page.locator(".editor-title")).to_have_text("dropped")
