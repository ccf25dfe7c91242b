"""Evaluations in the browser: from choosing samples to the report, and what is said when nothing was chosen."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.test_looks import axe, check, look  # noqa: F401  # axe is a fixture

pytestmark = pytest.mark.browser

LONG = 120_000  # milliseconds: fifteen fills, their measures and the plots


def test_from_samples_to_a_report(page: Page, complaints: Complaints, axe: str) -> None:  # noqa: F811
    complaints.expected.append("422")
    page.goto("/evaluations/new")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Choose at least one photo")).to_be_visible()

    page.locator("input[name=samples]").first.check()
    models = page.locator("input[name=models]")
    for place in range(models.count()):
        models.nth(place).set_checked(models.nth(place).get_attribute("value") == "telea")
    check(page, axe)
    look(page, "evaluation-new")
    page.get_by_role("button", name="Start").click()

    expect(page).to_have_url(re.compile(r"/evaluations/[0-9a-f-]{36}/$"))
    expect(page.get_by_role("heading", name="1. Results")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("below 20 the intervals are too narrow")).to_be_visible()
    check(page, axe)
    look(page, "evaluation-report")
