"""Every key and gesture of the editor that the other tests do not come by."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.pages import LONG, EditorPage, decoded, photo_bytes

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(page: Page) -> EditorPage:
    return EditorPage.with_upload(page, photo_bytes())


@pytest.fixture(autouse=True)
def reading_canvases(complaints: Complaints) -> None:
    """These tests read canvases, the page never does."""
    complaints.expected.append("getImageData")


def zoom_of(editor: EditorPage) -> float:
    editor.page.wait_for_timeout(60)
    return float(editor.page.locator("#zoom-level").inner_text().rstrip(" %"))


def test_zoom_by_key_up_to_thirty_two_times_with_sharp_pixels(page: Page) -> None:
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = (250, 240, 230)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    editor = EditorPage.with_upload(page, file.getvalue(), "checks.png")
    fitted = zoom_of(editor)
    editor.press("+", "=")
    larger = zoom_of(editor)
    assert larger == pytest.approx(fitted * 1.25**2, rel=0.02)
    editor.press("-")
    assert zoom_of(editor) < larger
    for _ in range(25):
        editor.press("+")
    assert zoom_of(editor) == 3200
    # 200 × 200 screen pixels show 8 × 8 of the photo at most: smoothed, they would have thousands of colours.
    colours = page.evaluate(
        """() => {
            const canvas = document.getElementById("layer-photo");
            const {data} = canvas.getContext("2d").getImageData(200, 200, 200, 200);
            return new Set(Array.from({length: 40000}, (_, i) => data.slice(i * 4, i * 4 + 3).join())).size;
        }"""
    )
    assert 2 <= colours <= 64
    editor.press("Control+1")
    assert zoom_of(editor) == 100
    editor.press("Control+0")
    assert zoom_of(editor) == fitted
    for _ in range(40):
        editor.press("-")
    assert 0 < zoom_of(editor) < fitted


def test_the_middle_button_pans_whatever_the_tool(editor: EditorPage) -> None:
    page = editor.page
    before = editor.colour_at((0.6, 0.45))
    start, end = editor.at((0.5, 0.5)), editor.at((0.2, 0.2))
    page.mouse.move(*start)
    page.mouse.down(button="middle")
    page.mouse.move(*end, steps=4)
    page.mouse.up(button="middle")
    assert editor.hole_pixels == 0
    page.wait_for_timeout(60)
    assert editor.colour_at((0.3, 0.15)) == before


def test_tab_held_over_the_photo_shows_what_was_before(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.choose("telea")
    editor.press("Control+Enter")
    editor.expect_result()
    editor.press("c")
    filled = editor.colour_at((0.6, 0.45))
    page.locator("#stage").focus()
    page.mouse.move(*editor.at((0.3, 0.3)))
    page.keyboard.down("Tab")
    page.wait_for_timeout(300)
    assert editor.colour_at((0.6, 0.45)) != filled
    page.keyboard.up("Tab")
    page.wait_for_timeout(150)
    assert editor.colour_at((0.6, 0.45)) == filled
    # Away from the photo Tab goes on to the next control, as everywhere.
    page.mouse.move(2, 2)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") != "stage"


def test_stopping_and_painting_on_by_key(page: Page) -> None:
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.4, 0.5, 0.6):
        editor.stroke((0.2, y), (0.8, y))
    editor.choose("patchmatch")
    editor.press("Control+Enter")
    expect(page.locator("#run-leave")).to_be_visible()
    assert len(editor.picture()["jobs"]) == 1
    editor.press("Shift+M")
    expect(page.locator(".aside")).to_have_count(1)
    assert editor.hole_pixels == 0
    page.get_by_role("button", name="Stop PatchMatch").click()
    expect(page.locator(".aside")).to_have_count(0, timeout=LONG)
    editor.stroke((0.2, 0.3), (0.8, 0.5))
    editor.press("Control+Enter")
    expect(page.locator("[data-action=cancel]")).to_be_enabled()
    editor.press("Shift+X")
    expect(page.get_by_text("Stopped. Your mask is still here.")).to_be_visible(timeout=LONG)
    assert editor.hole_pixels > 0
    assert len(editor.picture()["versions"]) == 1


def test_download_by_key_is_the_picture_itself(editor: EditorPage) -> None:
    with editor.page.expect_download() as download:
        editor.press("Control+s")
    assert np.array_equal(decoded(Path(download.value.path()).read_bytes()), decoded(photo_bytes()))


def test_importing_by_key_asks_for_a_file(editor: EditorPage) -> None:
    mask = io.BytesIO()
    half = np.zeros((640, 960), np.uint8)
    half[:, :480] = 255
    Image.fromarray(half).save(mask, "PNG")
    with editor.page.expect_file_chooser() as chooser:
        # Until the browser hands its choosers over, it closes them at once: a look at the page comes after that.
        assert editor.hole_pixels == 0
        editor.press("Shift+O")
    chooser.value.set_files([{"name": "mask.png", "mimeType": "image/png", "buffer": mask.getvalue()}])
    expect(editor.page.locator("#stage-status")).to_have_text("Mask imported")
    assert editor.hole_pixels == 640 * 480


def test_full_screen_by_key_keeps_the_work(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    painted = editor.hole_pixels
    button = page.locator("[data-action=full-screen]")
    editor.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    expect(button).to_have_attribute("aria-pressed", "true")
    editor.stroke((0.2, 0.2), (0.3, 0.2))
    assert editor.hole_pixels > painted
    editor.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")
    expect(button).to_have_attribute("aria-pressed", "false")
    editor.press("Control+z")
    assert editor.hole_pixels == painted


def test_running_on_release_is_a_switch_that_stays(editor: EditorPage) -> None:
    page = editor.page
    expect(page.locator("#auto-run")).not_to_be_checked()
    editor.press("a")
    page.reload()
    editor.ready()
    expect(page.locator("#auto-run")).to_be_checked()
    editor.press("a")
    expect(page.locator("#auto-run")).not_to_be_checked()
    editor.cover_disc()
    assert not editor.picture()["jobs"]


def test_backspace_takes_back_the_last_corner(editor: EditorPage) -> None:
    page = editor.page
    editor.press("l")
    for corner in ((0.2, 0.2), (0.4, 0.2), (0.4, 0.4), (0.9, 0.9)):
        page.mouse.click(*editor.at(corner))
    editor.press("Backspace")
    page.mouse.click(*editor.at((0.2, 0.4)))
    editor.press("Enter")
    assert editor.hole_pixels == pytest.approx(0.2 * 960 * 0.2 * 640, rel=0.02)


def test_the_soft_edge_shows_what_growing_adds_and_changes_nothing(editor: EditorPage) -> None:
    page = editor.page
    editor.press("r")
    editor.stroke((0.2, 0.3), (0.4, 0.6))
    painted = editor.hole_pixels
    page.locator("[popovertarget=mask-menu]").click()
    page.locator("#mask-reach").fill("40")
    page.locator("#mask-reach").press("Tab")
    page.keyboard.press("Escape")
    near, middle, beyond = ((0.4 + pixels / 960, 0.45) for pixels in (4, 30, 50))
    before = [editor.colour_at(place) for place in (near, middle, beyond)]
    editor.press("Shift+E")
    expect(page.locator("#stage-status")).to_contain_text("Edge of 40 pixels")
    page.wait_for_timeout(500)
    after = [editor.colour_at(place) for place in (near, middle, beyond)]
    redder = [a[0] - a[2] - (b[0] - b[2]) for a, b in zip(after, before, strict=True)]
    assert redder[0] > redder[1] > 10
    assert after[2] == before[2]
    assert editor.hole_pixels == painted
    # Growing makes the band mask; then the band lies further out.
    editor.press("g")
    expect(page.locator("#stage-status")).to_have_text("Mask grown by 40 pixels")
    assert editor.hole_pixels > painted
    page.wait_for_timeout(500)
    assert editor.colour_at(beyond) != before[2]
    editor.press("Shift+E")
    page.wait_for_timeout(300)
    assert editor.colour_at(beyond) == before[2]


def test_text_is_selected_where_a_worker_can_and_explained_where_none_can(page: Page) -> None:
    paper = np.full((500, 800, 3), 235, np.uint8)
    image = Image.fromarray(paper)
    ImageDraw.Draw(image).text((120, 180), "REWEAVE 2026", fill=(20, 20, 30), font=ImageFont.load_default(70))
    file = io.BytesIO()
    image.save(file, "PNG")
    editor = EditorPage.with_upload(page, file.getvalue(), "sign.png")
    able = "text" in page.request.get("/api/abilities").json()["select"]
    button = page.locator("[data-action=select-text]")
    page.locator("[popovertarget=mask-menu]").click()
    if not able:
        expect(button).to_be_disabled()
        expect(page.locator("#no-text")).to_be_visible()
        assert "not installed" in (button.get_attribute("title") or "")
        page.keyboard.press("Escape")
        editor.press("t")
        expect(page.locator(".toast")).to_contain_text("not installed")
        assert editor.hole_pixels == 0
        return
    expect(page.locator("#no-text")).to_be_hidden()
    page.keyboard.press("Escape")
    editor.press("t")
    expect(page.locator("#fill-hint")).to_contain_text("to fill", timeout=LONG)
    ink = np.asarray(image).sum(axis=2) < 300
    share = editor.hole_pixels / ink.size
    assert ink.mean() < share < 0.35
    editor.press("Control+z")
    assert editor.hole_pixels == 0


def test_the_help_names_every_key_once_and_every_action_is_on_it(editor: EditorPage) -> None:
    page = editor.page
    editor.press("?")
    rows = page.locator("#help-keys .keys__row")
    texts = rows.all_inner_texts()
    assert len(texts) == len(set(texts))
    for label in page.eval_on_selector_all("[data-action]", "(all) => all.map((button) => button.title)"):
        found = re.match(r"(.+) \((.+)\)$", label)
        if found:
            assert any(text.startswith(found[1]) for text in texts), label
    page.keyboard.press("Escape")
    # Keys do nothing while a dialog is open, and work again afterwards.
    editor.press("e")
    expect(page.locator("[data-action=tool-eraser]")).to_have_attribute("aria-pressed", "true")
