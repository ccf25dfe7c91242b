"""Accounts, teams and notifications in the browser: by two people, on a small and on a wide screen, light and dark."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NewPage
from tests.e2e.pages import EditorPage
from tests.e2e.test_looks import WIDTHS, axe, check, look  # noqa: F401  # axe is a fixture

pytestmark = pytest.mark.browser

PASSWORD = "a fine long password"


def sign_up(page: Page, name: str) -> str:
    """Make an account by the page for it; the user name, which is unlike any other's."""
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    page.goto("/accounts/signup/")
    page.locator("input[name=email]").fill(f"{name}@example.org")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password1]").fill(PASSWORD)
    page.locator("input[name=password2]").fill(PASSWORD)
    page.locator("main button[type=submit]").first.click()
    expect(page.get_by_label("Account menu")).to_be_visible()
    return name


def make_team(page: Page, name: str) -> str:
    """Make a team; the address of its page."""
    page.goto("/teams/")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make the team").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    return page.url


def test_two_people_meet_in_a_team_and_hear_of_each_other(new_page: NewPage) -> None:
    olive, edgar = new_page(), new_page()
    sign_up(olive, "olive")
    name = sign_up(edgar, "edgar")
    team = make_team(olive, "Weavers")
    olive.get_by_label("Role", exact=True).select_option("viewer")
    olive.get_by_role("button", name="Make a link").click()
    link = olive.get_by_label("Link to join").input_value()

    # The bell is told while the page is open.
    edgar.goto(link)
    edgar.get_by_role("button", name=f"Join as {name}").click()
    expect(edgar.get_by_role("heading", name="Weavers", level=1)).to_be_visible()
    expect(edgar.get_by_text("Ask people in")).to_have_count(0)
    expect(olive.locator("#bell-count")).to_have_text("1")
    olive.locator("#bell summary").click()
    expect(olive.locator(".bell__item")).to_have_text(re.compile(f"{name} joined Weavers."))

    # A role changes by choosing another one.
    olive.goto(team)
    edgar.goto("/teams/")
    olive.get_by_label(f"Role of {name}").select_option("editor")
    expect(edgar.locator("#bell-count")).to_have_text("1")
    edgar.locator("#bell summary").click()
    edgar.locator(".bell__item a").first.click()
    expect(edgar).to_have_url(team)
    expect(edgar.locator("#bell-count")).to_be_hidden()
    expect(edgar.get_by_text("you are an editor")).to_be_visible()

    # So it is in the editor, over the page's one socket.
    EditorPage.with_sample(edgar)
    lines: list[str] = []
    edgar.on("websocket", lambda socket: lines.append(socket.url))
    edgar.reload()
    EditorPage(edgar).ready()
    expect(edgar.locator("#bell-count")).to_be_hidden()
    olive.get_by_label(f"Role of {name}").select_option("reviewer")
    expect(edgar.locator("#bell-count")).to_have_text("1")
    edgar.locator("#bell summary").click()
    expect(edgar.locator(".bell__item").first).to_contain_text("Weavers")
    assert len(lines) == 1

    # What cannot be undone is asked about first.
    olive.get_by_label(f"More about {name}").click()
    olive.once("dialog", lambda dialog: dialog.dismiss())
    olive.get_by_role("button", name="Remove from the team").click()
    expect(olive.get_by_label(f"Role of {name}")).to_be_visible()
    olive.once("dialog", lambda dialog: dialog.accept())
    if not olive.get_by_role("button", name="Remove from the team").is_visible():
        olive.get_by_label(f"More about {name}").click()
    olive.get_by_role("button", name="Remove from the team").click()
    expect(olive.get_by_label(f"Role of {name}")).to_have_count(0)


@pytest.mark.parametrize(("width", "scheme"), [(WIDTHS[0], "light"), (WIDTHS[-1], "dark")])
def test_how_the_pages_look(new_page: NewPage, axe: str, width: int, scheme: str) -> None:  # noqa: F811  # the fixture
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    sign_up(page, "olive")
    team = make_team(page, "Weavers with a name that is rather long for a small screen")
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_label("Link to join")).to_be_visible()
    check(page, axe)
    look(page, f"team-{width}-{scheme}")
    page.locator("#bell summary").click()
    expect(page.locator("#bell-empty")).to_be_visible()
    check(page, axe)
    look(page, f"bell-{width}-{scheme}")
    page.goto("/account/data/delete")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    paths = {
        "activity": f"{team}activity/",
        "teams": "/teams/",
        "notifications": "/notifications/",
        "profile": "/account/",
        "data": "/account/data/",
        "delete": "/account/data/delete",
        "two-factor": "/accounts/2fa/",
        "sessions": "/accounts/sessions/",
        "addresses": "/accounts/email/",
    }
    for name, path in paths.items():
        page.goto(path)
        check(page, axe)
        look(page, f"{name}-{width}-{scheme}")
