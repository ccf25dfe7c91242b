"""The editor's hands: tools, keys, undo, zoom, touch."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NewPage
from tests.e2e.pages import EditorPage, photo_bytes

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(page: Page) -> EditorPage:
    return EditorPage.with_upload(page, photo_bytes())


def test_undo_and_redo_by_key(editor: EditorPage) -> None:
    editor.stroke((0.2, 0.2), (0.4, 0.2))
    first = editor.hole_pixels
    editor.stroke((0.2, 0.6), (0.4, 0.6))
    both = editor.hole_pixels
    assert both > first > 0
    editor.press("Control+z")
    assert editor.hole_pixels == first
    editor.press("Control+z")
    assert editor.hole_pixels == 0
    expect(editor.page.locator("[data-action=undo]")).to_be_disabled()
    editor.press("Control+Shift+z", "Control+y")
    assert editor.hole_pixels == both


def test_the_other_button_and_ctrl_erase_with_any_tool(editor: EditorPage) -> None:
    editor.stroke((0.2, 0.3), (0.6, 0.3))
    full = editor.hole_pixels
    editor.stroke((0.2, 0.3), (0.3, 0.3), button="right")
    less = editor.hole_pixels
    assert less < full
    editor.page.keyboard.down("Control")
    editor.stroke((0.3, 0.3), (0.4, 0.3))
    editor.page.keyboard.up("Control")
    assert editor.hole_pixels < less
    editor.press("e")
    editor.stroke((0.1, 0.3), (0.7, 0.3))
    assert editor.hole_pixels == 0


def test_brush_size_by_key_and_slider_stays_within_its_limits(editor: EditorPage) -> None:
    output = editor.page.locator("#brush-px")
    before = int(output.inner_text().split()[0])
    editor.press("]", "]")
    expect(output).not_to_have_text(f"{before} px")
    assert int(output.inner_text().split()[0]) > before
    for _ in range(60):
        editor.press("[")
    expect(output).to_have_text("1 px")
    editor.page.locator("#brush-size").fill("100")
    expect(output).to_have_text("600 px")
    editor.stroke((0.5, 0.5), (0.5, 0.5))
    assert editor.hole_pixels > 200_000


def test_invert_and_clear(editor: EditorPage) -> None:
    editor.stroke((0.2, 0.3), (0.6, 0.3))
    painted = editor.hole_pixels
    editor.press("Shift+I")
    assert editor.hole_pixels == 960 * 640 - painted
    editor.press("Shift+C")
    assert editor.hole_pixels == 0
    editor.press("Control+z", "Control+z")
    assert editor.hole_pixels == painted


def test_zoom_keeps_what_is_under_the_pointer_and_the_mask_follows(editor: EditorPage) -> None:
    page = editor.page
    level = page.locator("#zoom-level")
    fitted = level.inner_text()
    page.mouse.move(*editor.at((0.5, 0.5)))
    page.mouse.wheel(0, -400)
    expect(level).not_to_have_text(fitted)
    # Painted at the pointer while zoomed in, the dab lies in the photo's middle.
    page.mouse.down()
    page.mouse.up()
    editor.press("Control+0")
    expect(level).to_have_text(fitted)
    painted = editor.hole_pixels
    assert painted > 0
    editor.press("e", "]")
    editor.stroke((0.5, 0.5), (0.501, 0.5))
    assert editor.hole_pixels == 0
    editor.press("Control+1")
    expect(level).to_have_text("100 %")


def test_space_and_hand_pan_without_painting(editor: EditorPage) -> None:
    page = editor.page
    page.locator("#stage").focus()
    page.keyboard.down("Space")
    editor.stroke((0.4, 0.4), (0.6, 0.6))
    page.keyboard.up("Space")
    assert editor.hole_pixels == 0
    editor.press("h")
    editor.stroke((0.4, 0.4), (0.6, 0.6))
    assert editor.hole_pixels == 0
    editor.press("b")
    editor.stroke((0.4, 0.4), (0.6, 0.6))
    assert editor.hole_pixels > 0


def test_the_previous_mask_comes_back_after_a_fill_and_results_can_be_undone(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    painted = editor.hole_pixels
    editor.choose("telea")
    editor.press("Control+Enter")
    editor.expect_result()
    assert editor.hole_pixels == 0
    editor.press("Shift+P")
    expect(page.locator("#fill-hint")).to_contain_text("pixels to fill")
    assert editor.hole_pixels == painted
    editor.press("Shift+C", "Control+z", "Control+z")
    assert editor.hole_pixels == 0
    editor.press("Control+z")
    expect(page.locator(".version").first).to_have_attribute("aria-current", "true")
    editor.ready()
    editor.press("Control+y")
    expect(page.locator(".version").last).to_have_attribute("aria-current", "true")


def test_settings_out_of_range_are_named_and_nothing_is_sent(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.choose("patchmatch")
    page.locator("#params-box summary").click()
    box = page.locator("#params input[type=number]").first
    box.fill("9999")
    expect(page.locator("#params .errorlist").first).to_contain_text("must be a whole number from")
    editor.fill()
    expect(page.locator("#run-error")).to_contain_text("must be a whole number from")
    expect(page.locator("#run-busy")).to_be_hidden()
    assert not editor.picture()["jobs"]


def test_one_finger_paints_and_two_zoom(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    editor = EditorPage.with_upload(page, photo_bytes())
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    start, end = editor.at((0.3, 0.3)), editor.at((0.6, 0.3))
    touch("touchStart", start)
    for step in range(1, 9):
        touch("touchMove", (start[0] + (end[0] - start[0]) * step / 8, start[1]))
    touch("touchEnd")
    painted = editor.hole_pixels
    assert painted > 0

    fitted = page.locator("#zoom-level").inner_text()
    middle = editor.at((0.5, 0.6))
    touch("touchStart", middle)
    touch("touchStart", middle, (middle[0] + 40, middle[1]))
    for spread in range(45, 120, 15):
        touch("touchMove", middle, (middle[0] + spread, middle[1]))
    touch("touchEnd")
    expect(page.locator("#zoom-level")).not_to_have_text(fitted)
    # The stroke that the first finger had begun was taken back.
    assert editor.hole_pixels == painted
