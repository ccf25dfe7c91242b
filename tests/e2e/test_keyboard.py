"""From the sample photo to the deleted picture without touching a pointer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages import EditorPage

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
    page.keyboard.press("Control+Enter")
    editor.expect_result()

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
