"""Selections on pictures of which the answer is known, measured by intersection over union."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.imaging import Photo
from inpainting.imaging.edges import refine_edge
from inpainting.selection import SelectionError, abilities, select
from tests.inpainting.pictures import disc, noise

Mask = NDArray[np.bool_]


def overlap(found: Mask, truth: Mask) -> float:
    """Intersection over union, 0 to 1."""
    return float((found & truth).sum() / (found | truth).sum())


def background(height: int, width: int, *, seed: int = 1) -> NDArray[np.float64]:
    """Soft blotches of greens and browns with fine noise."""
    random = np.random.default_rng(seed)
    coarse = random.uniform((60, 80, 30), (120, 150, 80), (9, 12, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) + random.normal(0, 6, (height, width, 3))


def scene(truth: Mask, *, color: tuple[int, int, int] = (190, 60, 50), seed: int = 1) -> Photo:
    """An object of one colour, shaded and noisy, with a soft edge of about a pixel, before the background."""
    height, width = truth.shape
    random = np.random.default_rng(seed + 100)
    shade = np.linspace(0.75, 1.15, width)[np.newaxis, :, np.newaxis]
    thing = np.array(color) * shade + random.normal(0, 6, (height, width, 3))
    alpha = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 0.7)[..., np.newaxis]
    mixed = background(height, width, seed=seed) * (1 - alpha) + thing * alpha
    return Photo(np.clip(mixed, 0, 255).astype(np.uint8))


def ellipse(height: int, width: int, angle: float = 30.0) -> Mask:
    canvas = np.zeros((height, width), np.uint8)
    centre, axes = (int(width * 0.45), int(height * 0.55)), (int(width * 0.18), int(height * 0.12))
    cv2.ellipse(canvas, centre, axes, angle, 0, 360, 1, -1)
    return canvas.view(np.bool_)


def star(height: int, width: int) -> Mask:
    corners = []
    for number in range(10):
        radius = (0.3 if number % 2 == 0 else 0.14) * height
        angle = np.pi * number / 5
        corners.append((width / 2 + radius * np.sin(angle), height / 2 - radius * np.cos(angle)))
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], 1)
    return canvas.view(np.bool_)


def scribble(truth: Mask, thickness: int) -> Mask:
    """A stroke through the middle of the object, within its inner part."""
    inner = cv2.erode(truth.view(np.uint8), np.ones((2 * thickness + 1,) * 2, np.uint8))
    ys, xs = np.nonzero(inner)
    canvas = np.zeros(truth.shape, np.uint8)
    ends = (int(xs.min()), int(ys[xs.argmin()])), (int(xs.max()), int(ys[xs.argmax()]))
    cv2.line(canvas, *ends, 1, thickness)
    return canvas.view(np.bool_)


@pytest.mark.parametrize("shape", [ellipse, star])
@pytest.mark.parametrize("size", [(300, 400), (900, 1200)])
def test_an_object_under_a_scribble(shape: Any, size: tuple[int, int]) -> None:
    truth = shape(*size)
    photo = scene(truth)
    hint = scribble(truth, size[0] // 40)
    assert overlap(hint, truth) < 0.35, "the stroke itself is no answer"
    assert overlap(select(photo, hint, "object"), truth) > 0.95


def test_an_object_painted_over_beyond_its_edge() -> None:
    truth = ellipse(600, 800)
    hint = cv2.dilate(truth.view(np.uint8), np.ones((41, 41), np.uint8)).view(np.bool_)
    assert overlap(hint, truth) < 0.75
    assert overlap(select(scene(truth), hint, "object"), truth) > 0.95


def test_an_object_at_the_photos_edge() -> None:
    truth = disc(500, 700, center=(250, 20), radius=160)
    assert overlap(select(scene(truth), scribble(truth, 20), "object"), truth) > 0.95


def test_an_object_far_beyond_a_short_stroke() -> None:
    truth = ellipse(900, 1200)
    hint = np.zeros(truth.shape, np.bool_)
    hint[480:510, 500:560] = True
    assert truth[hint].all()
    assert overlap(select(scene(truth), hint, "object"), truth) > 0.95


def test_only_the_object_that_was_painted_on() -> None:
    one, other = disc(500, 700, center=(250, 180), radius=90), disc(500, 700, center=(250, 560), radius=90)
    found = select(scene(one | other), scribble(one, 20), "object")
    assert overlap(found, one) > 0.95
    assert not (found & other).any()


@pytest.mark.parametrize("kind", ["grey", "alpha", "16 bit"])
def test_photos_of_all_kinds(kind: str) -> None:
    truth = ellipse(300, 400)
    photo = scene(truth, color=(230, 220, 210))
    pixels: NDArray[Any] = photo.pixels
    if kind == "grey":
        pixels = pixels[..., :1]
    elif kind == "alpha":
        pixels = np.concatenate([pixels, np.full((300, 400, 1), 200, np.uint8)], axis=2)
    else:
        pixels = pixels.astype(np.uint16) * 257
    assert overlap(select(Photo(pixels), scribble(truth, 9), "object"), truth) > 0.95


def test_a_large_photo_is_quick_and_sharp() -> None:
    """24 megapixels: the edge lies within 1.5 pixels of the truth for 95 % of its length, as a scale of 8 could not."""
    truth = ellipse(4000, 6000)
    photo, hint = scene(truth), scribble(truth, 100)
    began = time.process_time()
    found = select(photo, hint, "object")
    took = time.process_time() - began
    assert overlap(found, truth) > 0.99
    away = cv2.distanceTransform((~_edge(truth)).view(np.uint8), cv2.DIST_L2, 5)
    assert np.quantile(away[_edge(found)], 0.95) <= 1.5
    assert took < 30


def test_the_same_stroke_gives_the_same_mask() -> None:
    truth = star(300, 400)
    photo, hint = scene(truth), scribble(truth, 9)
    first = select(photo, hint, "object")
    cv2.randu(np.empty((9, 9)), 0, 1)  # somebody else draws from the same generator
    assert np.array_equal(select(photo, hint, "object"), first)


def test_progress_grows_and_a_listener_can_stop_it() -> None:
    truth = ellipse(600, 800)
    photo, hint = scene(truth), scribble(truth, 15)
    heard: list[float] = []
    select(photo, hint, "object", on_round=lambda stage, part: heard.append(part))
    assert heard == sorted(heard)
    assert len(heard) >= 4
    assert heard[-1] == pytest.approx(1.0)

    class Enough(Exception):
        pass

    def stop(stage: str, part: float) -> None:
        if part > 0.2:
            raise Enough

    with pytest.raises(Enough):
        select(photo, hint, "object", on_round=stop)


def test_what_cannot_be_selected_is_said_in_a_sentence() -> None:
    photo = scene(ellipse(60, 80))
    with pytest.raises(SelectionError, match="Paint a rough stroke"):
        select(photo, np.zeros((60, 80), np.bool_), "object")
    with pytest.raises(SelectionError, match="another size"):
        select(photo, np.ones((60, 81), np.bool_), "object")
    with pytest.raises(SelectionError, match="covers everything"):
        select(photo, np.ones((60, 80), np.bool_), "object")


def test_an_enlarged_edge_moves_to_the_edge_in_the_colours() -> None:
    truth = disc(512, 512, center=(250, 262), radius=150)
    pixels = scene(truth, seed=4).pixels.astype(np.uint8)
    coarse = cv2.resize(truth.view(np.uint8), (64, 64), interpolation=cv2.INTER_AREA).view(np.bool_)
    enlarged = cv2.resize(coarse.view(np.uint8), (512, 512), interpolation=cv2.INTER_NEAREST).view(np.bool_)
    refined = refine_edge(pixels, coarse)
    assert overlap(enlarged, truth) < 0.98
    assert overlap(refined, truth) > 0.99


def test_an_edge_without_colours_to_go_by_stays_where_it_was() -> None:
    coarse = disc(64, 64, center=(32, 32), radius=20)
    plain = np.full((512, 512, 3), 128, np.uint8)
    enlarged = cv2.resize(coarse.view(np.uint8), (512, 512), interpolation=cv2.INTER_NEAREST).view(np.bool_)
    assert overlap(refine_edge(plain, coarse), enlarged) > 0.97


def test_text_where_the_detector_is_missing_and_where_it_is_there() -> None:
    """Finds the letters where the optional package is installed; says what is missing where it is not."""
    pixels = background(600, 900).clip(0, 255).astype(np.uint8)
    letters = np.zeros((600, 900), np.uint8)
    cv2.putText(letters, "SALE TODAY", (180, 320), cv2.FONT_HERSHEY_SIMPLEX, 2.5, 255, 8)
    pixels[letters > 0] = (245, 245, 235)
    photo, everywhere = Photo(pixels), np.ones((600, 900), np.bool_)
    if "text" not in abilities():
        with pytest.raises(SelectionError, match="rapidocr"):
            select(photo, everywhere, "text")
        return
    found = select(photo, everywhere, "text")
    assert found[letters > 0].mean() > 0.99
    ys, xs = np.nonzero(letters)
    box = np.zeros_like(found)
    box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    assert overlap(found, box) > 0.55
    with pytest.raises(SelectionError, match="No text"):
        select(photo, disc(600, 900, center=(80, 80), radius=40), "text")
    with pytest.raises(SelectionError, match="No text"):
        select(Photo(noise(64, 64, 3) // 64 + 90), np.ones((64, 64), np.bool_), "text")


def _edge(mask: Mask) -> Mask:
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).view(np.bool_)
