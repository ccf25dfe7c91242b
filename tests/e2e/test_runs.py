"""Several fills of one picture, all models at once, where a result came from, and the history with its branches."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, BreakableLine, EditorPage, photo_bytes

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(page: Page) -> EditorPage:
    return EditorPage.with_upload(page, photo_bytes())


def test_slow_models_try_only_when_they_are_asked_to(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    painted = editor.hole_pixels
    editor.press("Control+Shift+Enter")
    dialog = page.locator("#try-all-dialog")
    expect(dialog).to_be_visible()
    boot = json.loads(page.locator("#boot").text_content() or "")
    costs = {model["key"]: model["cost"] for model in boot["models"]}
    assert {"instant", "fast", "slow"} <= set(costs.values())
    for key, cost in costs.items():
        row = dialog.locator(f"#try-{key}")
        expect(row).to_be_checked(checked=cost != "slow")
        assert row.get_attribute("aria-describedby")
        expect(dialog.locator(f"#try-{key}-time")).to_contain_text("Usually")
    start = dialog.locator("#try-all-start")
    for key in costs:
        dialog.locator(f"#try-{key}").uncheck()
    expect(start).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#run-busy")).to_be_hidden()
    assert not editor.picture()["jobs"]
    assert editor.hole_pixels == painted
    # What was unticked is not kept: the quick ones are ticked again, and only what is ticked runs.
    page.locator("[data-action=fill-all]").click()
    dialog.locator("#try-patchmatch").uncheck()
    others = [key for key, cost in costs.items() if cost != "slow" and key not in {"telea", "patchmatch"}]
    for key in others:
        dialog.locator(f"#try-{key}").uncheck()
    expect(start).to_have_text("Try 1 model")
    page.keyboard.press("Enter")
    expect(page.locator("#trials-dialog")).to_be_visible(timeout=LONG)
    picture = editor.picture()
    assert [version["model"] for version in picture["versions"][1:]] == ["telea"]
    assert not picture["jobs"]


def test_all_models_side_by_side_and_one_to_go_on_with(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.press("Control+Shift+Enter")
    count = page.locator("#try-all-models input:checked").count()
    assert count >= 2
    page.locator("#try-all-start").click()
    expect(page.locator("#run-trials .trial")).to_have_count(count)
    dialog = page.locator("#trials-dialog")
    expect(dialog).to_be_visible(timeout=LONG)
    panes = dialog.locator(".pane")
    expect(panes).to_have_count(count)
    for pane in panes.all():
        expect(pane.locator(".pane__proof")).to_contain_text("unchanged")
        assert re.search(r"\d", pane.locator(".pane__time").inner_text())

    # One zoom for all: what the canvases show changes in each of them.
    def looks() -> list[str]:
        page.wait_for_timeout(150)
        return page.eval_on_selector_all(".pane__canvas", "(all) => all.map((canvas) => canvas.toDataURL())")

    page.wait_for_timeout(500)
    before = looks()
    box = panes.first.locator(".pane__view").bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.wheel(0, -300)
    after = looks()
    assert all(a != b for a, b in zip(before, after, strict=True))

    panes.nth(1).get_by_role("button", name="Continue with").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator(".version")).to_have_count(count + 1)
    picture = editor.picture()
    parents = {version["parent"] for version in picture["versions"][1:]}
    assert parents == {picture["versions"][0]["id"]}
    # Results of one hole are branches of the same version, and can be looked at again.
    expect(page.locator(".stitch--branch")).to_have_count(count - 1)
    editor.press("v")
    expect(dialog).to_be_visible()
    editor.press("Escape")
    expect(dialog).to_be_hidden()


def test_painting_on_while_a_fill_goes_on_aside(page: Page) -> None:
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.4, 0.5, 0.6):
        editor.stroke((0.2, y), (0.8, y))
    editor.choose("patchmatch")
    editor.fill()
    page.locator("#run-leave").click()
    expect(page.locator("#run-idle")).to_be_visible()
    expect(page.locator(".aside")).to_have_count(1)
    assert editor.hole_pixels == 0
    # A second fill of the same version, queued behind the first.
    editor.stroke((0.1, 0.1), (0.2, 0.1))
    assert editor.hole_pixels > 0
    editor.choose("telea")
    editor.fill()
    expect(page.locator(".aside")).to_have_count(0, timeout=LONG)
    editor.expect_result()
    expect(page.locator(".version")).to_have_count(3)
    expect(page.locator(".toast", has_text="PatchMatch is done.")).to_be_visible()
    expect(page.locator(".stitch--branch")).to_have_count(1)
    page.locator(".toast").get_by_role("button", name="Show").click()
    expect(page.locator("#facts")).to_contain_text("PatchMatch")


def test_where_a_result_came_from(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.choose("patchmatch")
    page.locator("#params-box summary").click()
    page.get_by_label(re.compile("where it came from", re.IGNORECASE)).check()
    editor.fill()
    editor.expect_result()
    version = editor.picture()["versions"][-1]
    assert version["sources"]
    usual = page.viewport_size
    assert usual is not None
    page.set_viewport_size({**usual, "height": 560})
    expect(page.locator("#fill-hint")).to_be_in_viewport(ratio=1)  # however much the result has to tell
    page.set_viewport_size(usual)
    editor.press("c", "s")
    button = page.locator("#origins-hint [data-action=origins]")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(400)
    outlined = drawn(page, editor, (0.6, 0.45))
    assert outlined > drawn(page, editor, (0.1, 0.9))
    for overlay in version["overlays"]:
        page.get_by_label("Laid over the photo").select_option(overlay["title"])
        expect(page.locator("#overlay-opacity-row")).to_be_visible()


def drawn(page: Page, editor: EditorPage, share: tuple[float, float]) -> int:
    """How many pixels of the cursor's canvas are not empty while the pointer rests there."""
    page.mouse.move(*editor.at(share))
    page.wait_for_timeout(120)
    count: int = page.evaluate(
        """() => {
            const canvas = document.getElementById("layer-cursor");
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 3; i < data.length; i += 4) if (data[i]) count += 1;
            return count;
        }"""
    )
    return count


@pytest.fixture(autouse=True)
def reading_canvases(complaints: Complaints) -> None:
    """These tests read canvases, the page never does."""
    complaints.expected.append("getImageData")


def test_resting_on_a_version_previews_it_and_going_back_branches(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    editor.press("c")
    filled = editor.colour_at((0.6, 0.45))
    page.locator(".version").first.hover()
    page.wait_for_timeout(600)
    assert editor.colour_at((0.6, 0.45)) != filled
    page.mouse.move(*editor.at((0.2, 0.2)))
    page.wait_for_timeout(200)
    assert editor.colour_at((0.6, 0.45)) == filled
    page.locator(".version").first.click()
    editor.ready()
    editor.press("Shift+C")
    editor.stroke((0.2, 0.2), (0.3, 0.2))
    editor.fill()
    editor.expect_result()
    branch = page.locator(".stitch--branch")
    expect(branch).to_have_count(1)
    expect(branch.get_by_role("button", name="branch from version 1")).to_have_attribute("aria-current", "true")
    assert len(editor.picture()["versions"]) == 3


def test_the_eye_shows_what_was_before_as_long_as_it_is_held(editor: EditorPage) -> None:
    page = editor.page
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    editor.press("c")
    filled = editor.colour_at((0.6, 0.45))
    page.locator("#peek").hover()
    page.mouse.down()
    page.wait_for_timeout(300)
    assert editor.colour_at((0.6, 0.45)) != filled
    page.mouse.up()
    page.wait_for_timeout(200)
    assert editor.colour_at((0.6, 0.45)) == filled


def test_a_lost_line_is_told_and_comes_back_by_itself(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("WebSocket")
    line = BreakableLine(page)
    editor = EditorPage.with_upload(page, photo_bytes())
    notice = page.locator("#connection")
    expect(notice).to_be_hidden()
    line.cut()
    expect(notice).to_be_visible(timeout=LONG)
    # Painting goes on all the same.
    editor.stroke((0.2, 0.2), (0.3, 0.2))
    assert editor.hole_pixels > 0
    line.mend()
    expect(notice).to_be_hidden(timeout=LONG)


def test_an_unfinished_mask_is_there_on_another_device(page: Page, new_page: NewPage) -> None:
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    painted = editor.hole_pixels
    with page.expect_response(lambda answer: answer.url.endswith("/draft") and answer.request.method == "PUT"):
        pass
    other = new_page(storage_state=page.context.storage_state())
    other.goto(page.url)
    there = EditorPage(other).ready()
    assert json.loads(other.locator("#boot").text_content() or "")["picture"]["draft"]
    assert there.hole_pixels == painted
