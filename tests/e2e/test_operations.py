"""Staff's pages in the browser: the queue changes by itself, ticks survive it, and axe finds nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.studio import running_studio
from tests.e2e.test_looks import check, look

pytestmark = pytest.mark.browser

PASSWORD = "a fine long password"
PAGES = {
    "queue": "?state=all",
    "empty": "?user=nobody",
    "workers": "workers/",
    "numbers": "numbers/",
    "audit": "audit/",
}
# A member of staff, and three jobs of somebody else's that no worker takes before the tests let it.
_PREPARE = f"""
from webapp.accounts.models import User
from webapp.jobs.services import submit_job
from webapp.operations.models import DrainedNode
from webapp.jobs.models import WorkerSeen
from webapp.operations.fleet import node_of
from webapp.photos import services as photos
from inpainting.imaging import encode_mask
import numpy as np
User.objects.create_superuser("boss", "boss@example.org", "{PASSWORD}")
DrainedNode.objects.create(node=node_of(WorkerSeen.objects.first().name), by="test")
ada = User.objects.create_user("ada")
version = photos.add_sample(ada, "kite").versions.get()
hole = np.zeros((version.height, version.width), bool)
hole[200:260, 200:260] = True
mask = photos.add_mask(version, encode_mask(hole))
for seed in range(3):
    submit_job(ada, version, mask, model="telea", params={{}}, seed=seed)
"""


@pytest.fixture(scope="module")
def operated(project_root: Path) -> Iterator[str]:
    """Address of a studio of its own, with staff and a queue."""
    folder = Path(tempfile.mkdtemp(prefix="reweave-ops-"))
    try:
        with running_studio(project_root, folder) as address:
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "webapp.settings",
                "REWEAVE_VAR": str(folder),
                "CELERY_SKIP_CHECKS": "1",
            }
            command = [sys.executable, "manage.py", "shell", "-c", _PREPARE]
            subprocess.run(command, cwd=project_root, env=environment, check=True, capture_output=True)
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def staff(browser: Browser, operated: str, complaints: Complaints) -> Iterator[Page]:
    """A page of somebody of the staff who has signed in."""
    context = browser.new_context(base_url=operated, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    complaints.watch(page)
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill("boss")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url("**/pictures/")
    yield page
    context.close()


def test_from_why_it_waits_to_done(staff: Page) -> None:
    staff.get_by_role("link", name="Operations").click()
    expect(staff.locator("tbody tr")).to_have_count(3)

    # Why does it wait? Two clicks from anywhere.
    staff.get_by_role("link", name="Why is it waiting?").first.click()
    expect(staff.get_by_text("Every worker of the interactive queue is drained.")).to_be_visible()
    expect(staff.get_by_alt_text("The photo before")).to_be_visible()

    # Two are chosen in one page; another page changes the third; the ticks are still there when it shows.
    staff.get_by_role("link", name="Queue", exact=True).click()
    boxes = staff.locator("[data-tick]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(staff.locator("#chosen-count")).to_have_text("2 jobs chosen")
    other = staff.context.new_page()
    other.goto(staff.url)
    other.locator("[data-tick]").nth(2).check()
    other.get_by_role("button", name="Hold").click()
    expect(other.get_by_text("1 job was held.")).to_be_visible()
    expect(staff.locator("tbody .badge", has_text="held")).to_have_count(1, timeout=10_000)
    expect(staff.locator("#chosen-count")).to_have_text("2 jobs chosen")
    expect(staff.locator("[data-tick]:checked")).to_have_count(2)
    other.close()

    staff.locator("#reason").fill("quick look")
    staff.on("dialog", lambda dialog: dialog.accept())
    staff.get_by_role("button", name="Cancel jobs").click()
    expect(staff.get_by_text("2 jobs were cancelled.")).to_be_visible()
    expect(staff.locator("tbody tr")).to_have_count(1)

    # Release the third, let the worker work again, and see it go without touching the page.
    staff.locator("[data-tick-all]").check()
    staff.get_by_role("button", name="Release").click()
    expect(staff.get_by_text("1 job was released.")).to_be_visible()
    workers = staff.context.new_page()
    workers.goto("/operations/workers/")
    workers.get_by_role("button", name="Resume").click()
    expect(workers.get_by_text("works again.")).to_be_visible()
    workers.close()
    expect(staff.get_by_role("heading", name="All threads are tied off")).to_be_visible(timeout=60_000)

    # What was done about it, by whom.
    staff.get_by_role("link", name="Audit log").click()
    staff.locator("#audit-q").fill("quick look")
    staff.get_by_role("button", name="Search").click()
    expect(staff.locator("tbody tr")).to_have_count(2)
    with staff.expect_download() as download:
        staff.goto("/operations/?state=all")
        staff.get_by_role("link", name="CSV").click()
    assert len(Path(download.value.path()).read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_looks(staff: Page, project_root: Path, width: int, scheme: str) -> None:
    axe = (project_root / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    staff.set_viewport_size({"width": width, "height": 800})
    staff.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name, path in PAGES.items():
        staff.goto(f"/operations/{path}")
        look(staff, f"operations-{name}-{width}-{scheme}")
        check(staff, axe)
    staff.goto("/operations/?state=all")
    staff.locator(".ops-job").first.click()
    expect(staff.get_by_role("heading", name="What happened")).to_be_visible()
    look(staff, f"operations-job-{width}-{scheme}")
    check(staff, axe)
