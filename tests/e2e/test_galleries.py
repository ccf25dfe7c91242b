"""A team's work on its pictures in the browser: found, reviewed, voted on, shared, thrown away and brought back."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, EditorPage, photo_bytes
from tests.e2e.test_looks import check, look, sign_up

pytestmark = pytest.mark.browser


@pytest.fixture
def axe(project_root: Path) -> str:
    return (project_root / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def api(page: Page, method: str, path: str, body: Any = None) -> Any:
    """A call as the page itself would make it."""
    answer = page.evaluate(
        """async ([method, path, body]) => {
            const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1] ?? "";
            const headers = {"X-CSRFToken": token, "Content-Type": "application/json"};
            const answer = await fetch(path, {method, headers, body: body === null ? null : JSON.stringify(body)});
            return [answer.status, await answer.text()];
        }""",
        [method, path, body],
    )
    assert answer[0] < 300, answer
    return json.loads(answer[1]) if answer[1] else None


@contextmanager
def elsewhere(body: str) -> Iterator[str]:
    """Address of somebody else's page: another origin, with nothing but `body`."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<link rel="icon" href="data:,">{body}'.encode())

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def upload_samples(page: Page, names: list[str]) -> list[dict[str, Any]]:
    return [api(page, "POST", "/api/pictures/sample", {"name": name}) for name in names]


def test_finding_selecting_and_the_way_back(page: Page) -> None:
    page.goto("/")
    page.locator("[data-sample=kite]").click()
    EditorPage(page).opened()
    upload_samples(page, ["ladybird", "kite", "evening-glow"])
    page.goto("/pictures/")
    cards = page.locator(".picture")
    expect(cards).to_have_count(4)

    page.get_by_role("searchbox").fill("kite")
    expect(cards).to_have_count(2)
    assert page.url.endswith("?q=kite")
    page.reload()
    expect(cards).to_have_count(2)
    page.get_by_role("searchbox").fill("")
    expect(cards).to_have_count(4)

    page.locator(".picture__tick input").nth(0).check()
    page.locator(".picture__tick input").nth(2).click(modifiers=["Shift"])
    expect(page.locator("#selection-count")).to_have_text("3 pictures selected")
    page.locator("[data-do=tag]").click()
    page.locator("#tag-new").fill("By the sea")
    page.keyboard.press("Enter")
    expect(page.locator("#tag-there .chip")).to_have_count(1)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("#By the sea")).to_have_count(3)

    with page.expect_download() as download:
        page.locator("[data-do=download]").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3

    page.locator("[data-do=trash]").click()
    expect(cards).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(cards).to_have_count(4)


def test_more_cards_come_while_scrolling(page: Page) -> None:
    page.goto("/")
    page.locator("[data-sample=kite]").click()
    EditorPage(page).opened()
    upload_samples(page, ["kite"] * 29)
    # So narrow that the end of the first cards is far below.
    page.set_viewport_size({"width": 390, "height": 600})
    page.goto("/pictures/")
    expect(page.locator(".picture")).to_have_count(24)
    page.keyboard.press("End")
    expect(page.locator(".picture")).to_have_count(30)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_picture_with_its_versions_comments_votes_and_links(
    new_page: NewPage, complaints: Complaints, axe: str, width: int, scheme: str
) -> None:
    page = new_page(viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce")
    sign_up(page, f"eve{width}")
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    version, picture_id = editor.picture()["versions"][1], editor.picture_id
    api(page, "POST", f"/api/versions/{version['id']}/rerun", {"model": "patchmatch"})
    # The editor hears of jobs that it did not ask for itself.
    expect(page.locator("#history .version")).to_have_count(3, timeout=LONG)

    page.goto(f"/pictures/{picture_id}/")
    expect(page.locator(".tree__version")).to_have_count(3)
    page.locator(".tree__version").nth(1).click()
    expect(page.locator("#command")).to_contain_text("--model telea")
    expect(page.locator("#facts-list")).to_contain_text("known pixels unchanged")

    page.locator("#verdict-note").fill("Good enough")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#verdicts")).to_contain_text("Good enough")
    page.locator("#point").click()
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.keyboard.type("The seam shows here.")
    page.locator("#comment-form [type=submit]").click()
    expect(page.locator(".thread")).to_contain_text("The seam shows here.")
    expect(page.locator(".spot")).to_have_count(1)
    look(page, f"picture-reviewed-{width}-{scheme}")
    check(page, axe)

    page.locator("#share-version").click()
    check(page, axe)
    page.get_by_role("button", name="Make a link").click()
    expect(page.locator("#share-url")).to_have_value(re.compile("/s/"))
    address = page.locator("#share-url").input_value()
    embed = page.locator("#share-embed").input_value()
    page.get_by_role("button", name="Done").click()

    # Somebody without an account, and somebody else's page with the slider in it.
    visitor = new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    visitor.goto(address)
    before = visitor.locator(".compare").evaluate("(each) => each.style.getPropertyValue('--at')")
    visitor.get_by_role("slider", name="Before and after").press("ArrowRight")
    assert visitor.locator(".compare").evaluate("(each) => each.style.getPropertyValue('--at')") != before
    look(visitor, f"shared-{width}-{scheme}")
    check(visitor, axe)
    with elsewhere(embed) as other:
        visitor.goto(other)
        expect(visitor.frame_locator("iframe").get_by_role("slider", name="Before and after")).to_be_visible()

    page.goto("/shares/")
    look(page, f"shares-{width}-{scheme}")
    check(page, axe)
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Taken back", exact=True)).to_be_visible()
    complaints.expected.append("404")
    assert visitor.goto(address).status == 404  # type: ignore[union-attr]

    page.goto(f"/vote/?picture={picture_id}")
    expect(page.locator("#picture-first")).to_be_visible()
    assert "elea" not in page.locator("#ballot").inner_html()
    look(page, f"vote-{width}-{scheme}")
    check(page, axe)
    page.keyboard.press("1")
    expect(page.locator("#vote-status")).to_contain_text("You chose")
    expect(page.locator("#model-first")).not_to_be_empty()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing left to judge")).to_be_visible()
