"""A running studio and a browser for every test here; a test fails when the browser's console shows an error."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.e2e.studio import running_studio

NewPage = Callable[..., Page]


@pytest.fixture(scope="session")
def studio(project_root: Path) -> Iterator[str]:
    """Address of a studio that was started for this run."""
    # A short path: the embedded Redis listens on a socket below it, and such paths may not be long.
    folder = Path(tempfile.mkdtemp(prefix="reweave-e2e-"))
    try:
        with running_studio(project_root, folder) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=ARGUMENTS)
    yield browser
    browser.close()


class Complaints:
    """What the browser complained about, less what a test expects."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.expected: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("console", self._console)

    def unexpected(self) -> list[str]:
        return [text for text in self.heard if not any(part in text for part in self.expected)]

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.heard.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    """Add parts of messages to `expected` where a test provokes them."""
    complaints = Complaints()
    yield complaints
    assert not complaints.unexpected()


@pytest.fixture
def new_page(browser: Browser, studio: str, complaints: Complaints) -> Iterator[NewPage]:
    """Make pages, each of a new visitor unless a `context` is given; options go to `Browser.new_context`."""
    contexts: list[BrowserContext] = []

    def make(context: BrowserContext | None = None, **options: Any) -> Page:
        if context is None:
            options.setdefault("viewport", {"width": 1280, "height": 800})
            context = browser.new_context(base_url=studio, **options)
            contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A page of a new visitor."""
    return new_page()
