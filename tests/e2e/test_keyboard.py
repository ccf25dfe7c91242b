"""From the sample photo to the deleted picture without touching a pointer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NewPage
from tests.e2e.pages import LONG, EditorPage

pytestmark = pytest.mark.browser

MOST_STEPS = 60


def tab_to(page: Page, there: Callable[[], bool]) -> None:
    """Press Tab until the focus is where it should be; the focus must be visible on the way."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if there():
            assert page.evaluate("() => document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError("Tab never came there.")


def focused(page: Page, selector: str) -> Callable[[], bool]:
    return lambda: bool(page.evaluate("(selector) => document.activeElement.matches(selector)", selector))


def listen(page: Page) -> None:
    """Keep what the page's live regions say from here on, in `window.heard`."""
    page.evaluate(
        """() => {
            window.heard = [];
            for (const region of document.querySelectorAll("[aria-live=polite]")) {
                new MutationObserver(() => {
                    if (region.textContent.trim()) window.heard.push(region.textContent.trim());
                }).observe(region, {childList: true, characterData: true, subtree: true});
            }
        }"""
    )


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_stitches_move_only_for_those_who_like_motion(new_page: NewPage, motion: str) -> None:
    page = new_page(reduced_motion=motion)
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.4, 0.5):
        editor.stroke((0.2, y), (0.8, y))
    editor.choose("patchmatch")
    editor.fill()
    expect(page.locator("#run-percent")).to_contain_text("%", timeout=LONG)
    page.wait_for_timeout(400)
    stitches = "() => document.getElementById('layer-mask').toDataURL()"
    before = page.evaluate(stitches)
    page.wait_for_timeout(400)
    after = page.evaluate(stitches)
    moving = page.evaluate(
        "() => document.getAnimations().filter((one) => one.playState === 'running').map((one) => one.animationName)"
    )
    expect(page.locator("#run-busy")).to_be_visible()
    assert (before == after) == (motion == "reduce")
    if motion == "reduce":
        assert not moving
    editor.press("Shift+X")
    expect(page.locator("#run-busy")).to_be_hidden(timeout=LONG)


def test_everything_by_keyboard(page: Page) -> None:
    page.goto("/")
    tab_to(page, focused(page, ".skip-link"))
    tab_to(page, focused(page, "#file-input"))
    tab_to(page, focused(page, "[data-sample=ladybird]"))
    page.keyboard.press("Enter")
    editor = EditorPage(page).opened()

    tab_to(page, focused(page, "#stage"))
    page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    painted = editor.hole_pixels
    assert painted > 0
    # Lifted: the brush moves on without painting.
    page.keyboard.press("ArrowDown")
    assert editor.hole_pixels == painted

    tab_to(page, focused(page, "input[name=model]"))
    page.keyboard.press("ArrowDown")
    listen(page)
    page.keyboard.press("Control+Enter")
    editor.expect_result()
    # What a screen reader hears on the way: that it began, and that it is done.
    heard = page.evaluate("() => window.heard")
    assert heard[0] == "Sending the mask"
    assert "The hole is filled." in heard
    assert len(heard) == len([text for before, text in zip(["", *heard], heard, strict=False) if text != before])

    split = page.locator("#split")
    split.focus()
    before = int(split.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowRight")
    assert int(split.get_attribute("aria-valuenow") or 0) == before + 2

    page.keyboard.press("?")
    expect(page.locator("#help-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help-dialog")).to_be_hidden()

    page.goto("/pictures/")
    expect(page.locator(".picture")).to_have_count(1)
    tab_to(page, focused(page, ".picture__delete"))
    page.keyboard.press("Enter")
    expect(page.locator(".picture")).to_have_count(0)
    expect(page.get_by_role("heading", name="Nothing on the loom yet")).to_be_visible()
    tab_to(page, focused(page, ".toast .button"))
    page.keyboard.press("Enter")
    expect(page.locator(".picture")).to_have_count(1)

    # Selected, thrown away, and gone for good from the trash.
    tab_to(page, focused(page, ".picture__tick input"))
    page.keyboard.press("Space")
    expect(page.locator("#selection-count")).to_have_text("1 picture selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("Space")
    tab_to(page, focused(page, "[data-do=trash]"))
    page.keyboard.press("Enter")
    expect(page.locator(".picture")).to_have_count(0)
    page.goto("/pictures/trash/")
    page.locator(".picture__tick input").focus()
    page.keyboard.press("Space")
    tab_to(page, focused(page, "[data-do=erase]"))
    page.keyboard.press("Enter")
    expect(page.locator("#erase-dialog")).to_be_visible()
    # The safe answer has the focus first.
    assert focused(page, "[value=keep]")()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
