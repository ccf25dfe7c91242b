"""Find a Chromium to drive, or get the distribution's when that is allowed here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

# No sandbox: in containers it has no user namespaces to stand on. The rest keeps it from asking the network for things.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]


class NoChromium(RuntimeError):
    """There is no Chromium and none can be installed; the text says what to do."""


def find_chromium(playwright: Playwright) -> Path:
    """A Chromium on the PATH, else Playwright's own, else the Debian package installed now; raises `NoChromium`."""
    on_path = _on_path()
    if on_path:
        return on_path
    bundled = Path(playwright.chromium.executable_path)
    if bundled.is_file():
        return bundled
    return _install()


def _on_path() -> Path | None:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return Path(found) if found else None


def _install() -> Path:
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        raise NoChromium(
            "The browser tests need Chromium: install it (Debian and Ubuntu: “sudo apt-get install chromium”) or run "
            "“.venv/bin/playwright install chromium”; to leave them out, run pytest with -m 'not browser'."
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run([apt, "-qq", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoChromium(f"“apt-get {' '.join(arguments)}” failed: {done.stderr.strip() or done.stdout.strip()}")
    installed = _on_path()
    if installed is None:
        raise NoChromium("The package “chromium” was installed, but no Chromium is on the PATH.")
    return installed
