"""Every page at three widths, light and dark: nothing sticks out, and axe finds nothing against WCAG 2.1 AA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, EditorPage, photo_bytes

pytestmark = pytest.mark.browser

WIDTHS = [360, 768, 1440]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
PAGES = {
    "home": "/",
    "pictures": "/pictures/",
    "login": "/accounts/login/",
    "signup": "/accounts/signup/",
    "password-reset": "/accounts/password/reset/",
    "password-reset-done": "/accounts/password/reset/done/",
    "verification-sent": "/accounts/confirm-email/",
    "inactive": "/accounts/inactive/",
    "not-found": "/nothing/here/",
}


@pytest.fixture(scope="session")
def axe(project_root: Path) -> str:
    """The source of axe-core, which package.json pins."""
    path = project_root / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.fail("axe-core is missing: run “make setup”.")
    return path.read_text(encoding="utf-8")


def look(page: Page, name: str) -> None:
    """Keep a picture of the page where `SCREENSHOTS` names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def check(page: Page, axe: str) -> None:
    """No horizontal overflow, no finding."""
    sticks_out = page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
            [...document.querySelectorAll("body *")]
                .filter((each) => each.getBoundingClientRect().right > window.innerWidth)
                .map((each) => each.outerHTML.slice(0, 120))"""
    )
    assert not sticks_out
    page.evaluate(axe)
    report: dict[str, Any] = page.evaluate("(rules) => axe.run(document, {runOnly: rules})", RULES)
    found = [f"{hit['id']}: {node['html'][:160]}" for hit in report["violations"] for node in hit["nodes"]]
    assert not found


def visitor(new_page: NewPage, width: int, scheme: str) -> Page:
    return new_page(
        viewport={"width": width, "height": 800 if width > 400 else 740},
        color_scheme=scheme,
        reduced_motion="reduce",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_for_everybody(new_page: NewPage, complaints: Complaints, axe: str, width: int, scheme: str) -> None:
    complaints.expected.append("404")
    page = visitor(new_page, width, scheme)
    for name, path in PAGES.items():
        page.goto(path)
        look(page, f"{name}-{width}-{scheme}")
        check(page, axe)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_failure(
    new_page: NewPage, complaints: Complaints, axe: str, project_root: Path, scheme: str
) -> None:
    complaints.expected += ["403", "500"]
    page = visitor(new_page, 360, scheme)
    # The server's own error page depends on nothing but one style sheet; a real failure cannot be asked for here.
    body = (project_root / "frontend" / "templates" / "500.html").read_text(encoding="utf-8")
    page.route("**/broken/", lambda route: route.fulfill(status=500, body=body, content_type="text/html"))
    page.goto("/broken/")
    expect(page.get_by_role("heading")).to_have_css("letter-spacing", "-0.64px")
    look(page, f"failure-{scheme}")
    check(page, axe)
    page.goto("/accounts/login/")
    page.context.clear_cookies()
    page.locator("input[name=login]").fill("ada")
    page.locator("input[name=password]").fill("whatever-it-is-1")
    page.get_by_role("button", name="Sign In").click()
    expect(page.get_by_role("heading", name="This page was open for too long")).to_be_visible()
    check(page, axe)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_editor_with_mask_and_with_result(new_page: NewPage, axe: str, width: int, scheme: str) -> None:
    page = visitor(new_page, width, scheme)
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    look(page, f"editor-mask-{width}-{scheme}")
    check(page, axe)
    page.locator("[popovertarget=mask-menu]").click()
    look(page, f"editor-menu-{width}-{scheme}")
    check(page, axe)
    page.keyboard.press("Escape")
    page.locator("[data-action=tool-wand]").click()
    check(page, axe)
    page.locator("[data-action=tool-brush]").click()
    # The way on is always in sight, however small the window.
    expect(page.locator("#fill-button")).to_be_in_viewport(ratio=1)
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    look(page, f"editor-result-{width}-{scheme}")
    check(page, axe)
    page.locator("[data-action=help]").dispatch_event("click")
    look(page, f"editor-help-{width}-{scheme}")
    check(page, axe)
    page.goto("/pictures/")
    expect(page.locator(".picture")).to_have_count(1)
    look(page, f"pictures-one-{width}-{scheme}")
    check(page, axe)
    page.locator(".picture__link").click()
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    look(page, f"picture-{width}-{scheme}")
    check(page, axe)
    page.goto("/pictures/")
    page.locator("#search-toggle").click()
    page.locator(".picture__tick input").check()
    look(page, f"pictures-selected-{width}-{scheme}")
    check(page, axe)
    page.locator("[data-do=trash]").click()
    expect(page.locator(".picture")).to_have_count(0)
    look(page, f"pictures-undo-{width}-{scheme}")
    check(page, axe)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (2560, "light")])
def test_results_side_by_side(new_page: NewPage, axe: str, width: int, scheme: str) -> None:
    page = visitor(new_page, width, scheme)
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    page.locator("[data-action=fill-all]").click()
    look(page, f"editor-choosing-{width}-{scheme}")
    check(page, axe)
    page.locator("#try-all-start").click()
    look(page, f"editor-trying-{width}-{scheme}")
    check(page, axe)
    expect(page.locator("#trials-dialog")).to_be_visible(timeout=LONG)
    look(page, f"editor-trials-{width}-{scheme}")
    check(page, axe)
    page.get_by_role("button", name="Continue with").first.click()
    editor.expect_result()
    look(page, f"editor-branches-{width}-{scheme}")
    check(page, axe)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_of_somebody_with_an_account(new_page: NewPage, axe: str, scheme: str) -> None:
    page = visitor(new_page, 360, scheme)
    sign_up(page, f"ada-{scheme}")
    wide = visitor_like(new_page, page.context)
    wide.set_viewport_size({"width": 1440, "height": 800})
    page.goto("/teams/")
    page.get_by_label("Name", exact=True).fill(f"Menders {scheme}")
    page.get_by_role("button", name="Make the team").click()
    page.wait_for_url("**/teams/*-*/**")
    team = page.url.split("/teams/")[1].split("/")[0]
    for name, path in {
        "profile": "/account/",
        "data": "/account/data/",
        "notifications": "/notifications/",
        "trash": "/pictures/trash/",
        "shares": "/shares/",
        "teams": "/teams/",
        "team": f"/teams/{team}/",
        "team-activity": f"/teams/{team}/activity/",
        "team-pictures": f"/teams/{team}/pictures/",
        "team-vote": f"/teams/{team}/vote/",
        "email": "/accounts/email/",
        "password-change": "/accounts/password/change/",
        "reauthenticate": "/accounts/reauthenticate/",
        "logout": "/accounts/logout/",
    }.items():
        for there in (page, wide):
            there.goto(path)
            width = (there.viewport_size or {"width": 0})["width"]
            look(there, f"{name}-{width}-{scheme}")
            check(there, axe)
    wide.goto("/")
    wide.get_by_label("Account menu").click()
    check(wide, axe)


def visitor_like(new_page: NewPage, context: BrowserContext) -> Page:
    """Another window of the same visitor."""
    return new_page(context)


def sign_up(page: Page, name: str) -> None:
    page.goto("/accounts/signup/")
    for field, value in {
        "email": f"{name}@example.org",
        "username": name,
        "password1": "threads-of-its-own-7",
        "password2": "threads-of-its-own-7",
    }.items():
        box = page.locator(f"input[name={field}]")
        if box.count():
            box.fill(value)
    page.get_by_role("button", name="Sign Up").click()
    expect(page.get_by_label("Account menu")).to_be_visible()


def test_a_wrong_form_says_what_is_wrong(page: Page, axe: str) -> None:
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill("nobody")
    page.locator("input[name=password]").fill("wrong-password-1")
    page.get_by_role("button", name="Sign In").click()
    expect(page.locator(".alert--error")).to_be_visible()
    check(page, axe)
