"""The thread everything hangs on: a photo goes in, a hole is painted, filled, watched, compared, kept."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.conftest import Complaints, NewPage
from tests.e2e.pages import LONG, EditorPage, SocketLog, decoded, drop_file, photo_bytes

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("model", ["telea", "patchmatch"])
def test_from_a_dropped_photo_to_the_downloaded_result(page: Page, model: str) -> None:
    upload = photo_bytes()
    socket = SocketLog(page)
    editor = EditorPage.with_upload(page, upload, "my weave.jpg")
    editor.cover_disc()
    painted = editor.hole_pixels
    assert painted > 2000
    editor.choose(model)
    editor.fill()
    editor.expect_result()

    # Over the socket came the end, and for a model that takes a moment also the way there.
    states = [message["job"]["status"] for message in socket.of_type("job.state")]
    assert states[-1] == "succeeded"
    if model == "patchmatch":
        steps = socket.of_type("job.progress")
        assert steps
        assert all(0 <= step["fraction"] <= 1 and step["stage"] for step in steps)

    # The proof on the page is about this very photo.
    known = 960 * 640 - painted
    digits = "".join(filter(str.isdigit, page.locator("#proof").inner_text()))
    assert int(digits) == known

    page.get_by_label("Download", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG, lossless").click()
    result = decoded(Path(download.value.path()).read_bytes())
    original = decoded(upload)
    version = editor.picture()["versions"][-1]
    hole = decoded(page.request.get(version["mask_url"]).body())[..., 0] >= 128
    assert hole.sum() == painted
    assert result.shape == original.shape
    assert np.array_equal(result[~hole], original[~hole])
    # The red disc is gone: nothing in the hole is as red as it was.
    redness = result[hole].astype(int)
    was = original[hole].astype(int)
    assert (was[:, 0] - was[:, 1]).max() > 120
    assert (redness[:, 0] - redness[:, 1]).max() < 110


def test_what_the_model_shows_is_drawn_inside_the_hole(page: Page, complaints: Complaints) -> None:
    """The baselines show nothing on their way, so a preview is put into the progress messages on their way here, and
    the end is held back, so that it can be looked at in peace."""
    box = [500, 220, 660, 360]
    preview = Image.new("RGBA", (80, 70))
    preview.paste((30, 60, 250, 255), (20, 20, 60, 50))
    file = io.BytesIO()
    preview.save(file, "PNG")
    page.route("**/preview/of/this/test", lambda route: route.fulfill(body=file.getvalue(), content_type="image/png"))
    ended: list[str] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] == "job.progress":
                message["preview"] = {"url": "/preview/of/this/test", "box": box}
            if message["type"] == "job.state" and message["job"]["status"] == "succeeded" and not ended:
                ended.append(str(text))
            else:
                socket.send(json.dumps(message))

        server.on_message(pass_on)

    page.route_web_socket("**/ws/live/", between)
    complaints.expected.append("getImageData")  # this test reads the canvas, the page never does
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    beside = editor.colour_at((510 / 960, 230 / 640))
    editor.choose("patchmatch")
    editor.fill()
    deadline = time.monotonic() + LONG / 1000
    while not ended and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.wait_for_timeout(400)
    expect(page.locator("#run-busy")).to_be_visible()
    assert editor.colour_at((580 / 960, 290 / 640)) == (30, 60, 250)
    assert editor.colour_at((510 / 960, 230 / 640)) == beside
    # The API brings the end that the socket kept, and with it the result instead of the preview.
    editor.expect_result()
    page.keyboard.press("c")
    expect(page.locator("#split")).to_be_hidden()
    red, green, blue = editor.colour_at((580 / 960, 290 / 640))
    assert blue - max(red, green) < 100


def test_the_slider_starts_at_the_hole_and_follows_pointer_and_keys(page: Page) -> None:
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    split = page.locator("#split")
    expect(split).to_be_visible()
    assert abs(int(split.get_attribute("aria-valuenow") or 0) - 60) <= 2
    box = split.bounding_box()
    assert box
    page.mouse.move(box["x"] + 22, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(*editor.at((0.25, 0.3)), steps=5)
    page.mouse.up()
    assert abs(int(split.get_attribute("aria-valuenow") or 0) - 25) <= 2
    split.press("End")
    assert split.get_attribute("aria-valuenow") == "100"
    split.press("ArrowLeft")
    assert split.get_attribute("aria-valuenow") == "98"
    # Opened again it begins at the hole again, also when the page has not seen the fill itself.
    page.reload()
    editor.ready()
    expect(split).to_be_hidden()
    page.keyboard.press("c")
    expect(split).to_be_visible()
    assert abs(int(split.get_attribute("aria-valuenow") or 0) - 60) <= 2
    # Painting on goes on with the result, not with the comparison.
    editor.stroke((0.2, 0.2), (0.3, 0.2))
    expect(split).to_be_hidden()
    assert editor.hole_pixels > 0


def test_after_a_reload_it_is_among_my_pictures_and_opens_again(page: Page) -> None:
    editor = EditorPage.with_upload(page, photo_bytes(seed=11), "holiday.jpg")
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    page.reload()
    editor.ready()
    editor.expect_result()
    page.get_by_role("link", name="My pictures").click()
    card = page.locator(".picture", has_text="holiday")
    expect(card).to_contain_text("2 versions")
    page.reload()
    card.get_by_role("link").first.click()
    page.locator("#edit").click()
    editor.opened()
    expect(page.locator(".version")).to_have_count(2)
    page.locator(".version").first.click()
    expect(page.locator(".version").first).to_have_attribute("aria-current", "true")
    expect(page.locator("#result")).to_be_hidden()


def test_an_unfinished_mask_survives_a_reload(page: Page) -> None:
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    painted = editor.hole_pixels
    page.wait_for_timeout(800)
    page.reload()
    editor.ready()
    assert editor.hole_pixels == painted


def test_a_running_fill_is_still_watched_after_a_reload(page: Page) -> None:
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6):
        editor.stroke((0.2, y), (0.8, y))
    editor.choose("patchmatch")
    editor.fill()
    expect(page.locator("#run-stage")).not_to_have_text("Sending the mask")
    page.reload()
    boot = page.locator("#boot").text_content() or ""
    assert '"status": "running"' in boot or '"status": "queued"' in boot
    expect(page.locator("#run-busy")).to_be_visible()
    editor.expect_result()


def test_stopping_keeps_the_mask(page: Page) -> None:
    editor = EditorPage.with_sample(page)
    for y in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6):
        editor.stroke((0.2, y), (0.8, y))
    painted = editor.hole_pixels
    editor.choose("patchmatch")
    editor.fill()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. Your mask is still here.")).to_be_visible(timeout=LONG)
    assert editor.hole_pixels == painted
    assert len(editor.picture()["versions"]) == 1


def test_without_websockets_the_fill_is_followed_all_the_same(page: Page, complaints: Complaints) -> None:
    page.route_web_socket("**/ws/live/", lambda socket: socket.close())
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    editor.choose("patchmatch")
    editor.fill()
    editor.expect_result()
    complaints.expected.append("WebSocket")


def test_several_files_become_several_pictures(page: Page) -> None:
    page.goto("/")
    files = [
        {"name": f"shot {number}.png", "mimeType": "image/png", "buffer": photo_bytes(320, 240, "PNG", seed=number)}
        for number in range(3)
    ]
    page.locator("#file-input").set_input_files(files)  # type: ignore[arg-type]
    page.wait_for_url("**/pictures/")
    expect(page.locator(".picture")).to_have_count(3)


def test_more_pictures_come_as_one_scrolls(page: Page) -> None:
    page.goto("/")
    small = photo_bytes(64, 48, "PNG")
    files = [{"name": f"{number:02}.png", "mimeType": "image/png", "buffer": small} for number in range(30)]
    page.locator("#file-input").set_input_files(files)  # type: ignore[arg-type]
    page.wait_for_url("**/pictures/", timeout=LONG)
    page.locator("#gallery-end").scroll_into_view_if_needed()
    expect(page.locator(".picture")).to_have_count(30)
    titles = page.locator(".picture__title").all_inner_texts()
    assert titles == [f"{number:02}" for number in reversed(range(30))]


def test_a_file_that_is_no_photo_is_refused_beside_the_zone(page: Page, complaints: Complaints) -> None:
    complaints.expected.append("Failed to load resource")
    page.goto("/")
    drop_file(page, b"just some words" * 40, "notes.jpg")
    alert = page.locator("#upload-errors")
    expect(alert).to_contain_text("notes.jpg")
    sentence = alert.inner_text()
    assert sentence.rstrip().endswith(".")
    assert "error" not in sentence.lower()
    # And the page is ready for the next try.
    drop_file(page, photo_bytes(), "right.jpg")
    page.wait_for_url("**/edit")


def test_another_visitor_cannot_open_what_is_mine(page: Page, new_page: NewPage, complaints: Complaints) -> None:
    complaints.expected.append("404")
    editor = EditorPage.with_upload(page, photo_bytes())
    editor.cover_disc()
    editor.choose("telea")
    editor.fill()
    editor.expect_result()
    picture = editor.picture()
    urls = [picture["edit_url"], f"/api/pictures/{picture['id']}"]
    for version in picture["versions"]:
        urls += [version["display_url"], version["thumb_url"], f"{version['download_url']}?as=png"]
        urls += [version["mask_url"]] if version["mask_url"] else []
    for url in urls:
        assert page.request.get(url).status == 200, url

    stranger = new_page()
    EditorPage.with_sample(stranger, "kite")
    for url in urls:
        assert stranger.request.get(url).status == 404, url
    nobody = new_page()
    for url in urls:
        assert nobody.request.get(url).status in {401, 404}, url
    answer = stranger.goto(picture["edit_url"])
    assert answer
    assert answer.status == 404
    expect(stranger.get_by_role("heading", name="There is nothing here")).to_be_visible()
