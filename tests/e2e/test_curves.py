"""Curves of the loss: drawn while a model optimises, kept with its result, and not there for other models."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages import LONG, EditorPage, SocketLog, photo_bytes

pytestmark = pytest.mark.browser

NAMES = {"detail": "Fine texture", "boundary": "Fit to the known pixels", "shading": "Light and shade"}


def test_an_optimising_model_shows_its_curves_and_its_result_keeps_them(page: Page) -> None:
    sockets = SocketLog(page)
    editor = EditorPage.with_upload(page, photo_bytes(480, 360))
    editor.stroke((0.55, 0.45), (0.65, 0.45))
    editor.choose("gram")
    page.locator("#params-box summary").click()
    page.locator("#param-start").select_option("patchmatch")
    page.locator("#param-width").select_option("quarter")
    page.locator("#param-fine_iterations").fill("40")
    editor.fill()
    panel = page.locator("#run-curves")
    expect(panel).to_be_visible(timeout=LONG)
    for term, name in NAMES.items():
        curve = panel.locator(f".curve[data-term={term}]")
        expect(curve.locator(".curve__name")).to_have_text(name)
        told_as = re.compile(f"^{name}: .+ “Fine stage, patch 1/1”\\.$")
        expect(curve.locator("svg[role=img]")).to_have_attribute("aria-label", told_as)
    expect(page.locator("#run-stage")).to_have_text("Fine stage, patch 1/1")
    expect(page.locator("#run-eta")).to_contain_text("iteration")
    # More than one point: the line goes on from where it began.
    line = panel.locator("[data-term=detail] .curve__lines")
    expect(line).to_have_attribute("d", re.compile("^M[^L]+L"), timeout=LONG)
    editor.expect_result()
    expect(panel).to_be_hidden()

    kept = page.locator("#result-curves")
    expect(kept).to_be_visible()
    kept.locator("summary").click()
    for term, name in NAMES.items():
        expect(kept.locator(f".curve[data-term={term}]")).to_contain_text(name)
    note = editor.picture()["versions"][-1]["notes"]["curves"]
    told = [message["losses"] for message in sockets.of_type("job.progress") if message["losses"]]
    assert set(told[0]) == set(note["terms"]) == set(NAMES)
    assert len(note["part"]) >= len({losses["detail"] for losses in told})
    assert note["terms"]["detail"][-1] < note["terms"]["detail"][0]


def test_a_model_that_optimises_nothing_has_no_curves(page: Page) -> None:
    editor = EditorPage.with_upload(page, photo_bytes(480, 360))
    editor.stroke((0.55, 0.45), (0.65, 0.45))
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    expect(page.locator("#result-curves")).to_be_hidden()
    assert page.locator(".curve").count() == 0
