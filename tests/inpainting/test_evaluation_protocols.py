"""Holes are the same for every model, from a seed, and lie where their protocol says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inpainting.evaluation.cases import MaskFolder, cases_of_photo, prepare
from inpainting.evaluation.protocols import BINS, PROTOCOLS, ProtocolError, bin_of, draw_holes, get_protocol
from inpainting.files import UsageError
from inpainting.imaging import PhotoError, encode_mask
from tests.inpainting.pictures import disc, file_of, texture

SHA = hashlib.sha256(b"a photo").hexdigest()


@pytest.mark.parametrize("key", PROTOCOLS)
@pytest.mark.parametrize(("height", "width"), [(256, 256), (96, 160)])
def test_holes_depend_on_seed_photo_and_size_only(key: str, height: int, width: int) -> None:
    protocol = get_protocol(key)
    first = draw_holes(protocol, SHA, 3, height, width)
    again = draw_holes(protocol, SHA, 3, height, width)
    assert [hole.part for hole in first] == [part for part, _ in protocol.parts]
    for one, other in zip(first, again, strict=True):
        assert one.mask.shape == (height, width)
        assert one.mask.any()
        assert not one.mask.all()
        assert np.array_equal(one.mask, other.mask)
    if not key.startswith("centre"):
        assert not np.array_equal(draw_holes(protocol, SHA, 4, height, width)[0].mask, first[0].mask)
        other_photo = hashlib.sha256(b"another").hexdigest()
        assert not np.array_equal(draw_holes(protocol, other_photo, 3, height, width)[0].mask, first[0].mask)


def test_bins_hold_what_they_say() -> None:
    for number in range(12):
        sha = hashlib.sha256(bytes([number])).hexdigest()
        holes = draw_holes(get_protocol("irregular"), sha, 0, 128, 128)
        for hole, (low, high) in zip(holes, BINS, strict=True):
            assert low <= hole.mask.mean() < high
            single = draw_holes(get_protocol(f"irregular-{hole.part}"), sha, 0, 128, 128)
            assert low <= single[0].mask.mean() < high
        assert 0.1 <= draw_holes(get_protocol("object"), sha, 0, 128, 128)[0].mask.mean() < 0.4


def test_the_centre_squares_are_the_papers() -> None:
    hole = draw_holes(get_protocol("centre-120"), SHA, 0, 256, 256)[0].mask
    assert np.flatnonzero(hole.any(0)).tolist() == list(range(68, 188))
    assert hole.sum() == 120 * 120
    assert draw_holes(get_protocol("centre-128"), SHA, 0, 256, 256)[0].mask.sum() == 128 * 128


def test_rectangles_are_one_box_of_deepfills_sizes() -> None:
    for number in range(20):
        sha = hashlib.sha256(bytes([number])).hexdigest()
        hole = draw_holes(get_protocol("rectangle"), sha, 0, 256, 256)[0].mask
        tall, wide = int(hole.any(1).sum()), int(hole.any(0).sum())
        assert tall * wide == hole.sum()
        assert 112 <= tall <= 128
        assert 112 <= wide <= 128


def test_refusals_name_what_there_is() -> None:
    with pytest.raises(ProtocolError, match="There are: irregular"):
        get_protocol("squares")
    with pytest.raises(ProtocolError, match="too small"):
        draw_holes(get_protocol("object"), SHA, 0, 8, 100)


@pytest.mark.parametrize(
    ("share", "name"), [(0.0, "0–10 %"), (0.1, "10–20 %"), (0.3, "30–40 %"), (0.299, "20–30 %"), (1.0, "90–100 %")]
)
def test_bin_names_are_half_open(share: float, name: str) -> None:
    assert bin_of(share) == name


def test_photos_are_prepared_as_the_report_says() -> None:
    pixels = texture(60, 100)
    square = prepare(file_of(Image.fromarray(pixels), "PNG"), "256")
    assert square.shape == (256, 256, 3)
    whole = prepare(file_of(Image.fromarray(pixels), "PNG"), "full")
    assert np.array_equal(whole, pixels)
    clear = Image.fromarray(np.dstack([pixels, np.zeros((60, 100), np.uint8)]))
    assert prepare(file_of(clear, "PNG"), "full").min() == 255  # transparency is white
    case = cases_of_photo(
        "a/b c.png", file_of(Image.fromarray(pixels), "PNG"), size="full", protocol=get_protocol("object"), seed=0
    )[0]
    assert case.id.startswith("b_c-")
    assert not case.damaged()[case.hole].any()


def save_mask(
    path: Path, height: int, width: int, radius: float = 9
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    hole = disc(height, width, center=(height / 2, width / 2), radius=radius)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encode_mask(hole))
    return hole


def test_own_masks_are_found_by_name(tmp_path: Path) -> None:
    photo = file_of(Image.fromarray(texture(60, 60)), "PNG")
    hole = save_mask(tmp_path / "masks" / "one.png", 60, 60)
    masks = MaskFolder(tmp_path / "masks", ["one"], size="full", seed=0)
    assert np.array_equal(masks.case_of("one", "one.jpg", photo).hole, hole)
    scaled = MaskFolder(tmp_path / "masks", ["one"], size="256", seed=0).case_of("one", "one.jpg", photo)
    assert scaled.hole.shape == (256, 256)
    assert scaled.share == pytest.approx(float(hole.mean()), rel=0.05)
    save_mask(tmp_path / "masks" / "two.png", 256, 256)  # already of the evaluated size
    assert MaskFolder(tmp_path / "masks", ["two"], size="256", seed=0).case_of("two", "two.png", photo).hole.any()
    single = MaskFolder(tmp_path / "masks" / "one.png", ["any", "other"], size="full", seed=0)
    assert np.array_equal(single.case_of("other", "other.png", photo).hole, hole)


def test_a_pile_of_masks_is_dealt_out_by_the_seed(tmp_path: Path) -> None:
    for number in range(20):
        save_mask(tmp_path / "pile" / f"mask{number}.png", 40, 50, radius=4 + number / 2)
    photo = file_of(Image.fromarray(texture(60, 80)), "PNG")
    dealt = [
        MaskFolder(tmp_path / "pile", ["photo"], size="full", seed=seed).case_of("photo", "p.png", photo)
        for seed in (1, 1, 2, 3, 4)
    ]
    assert np.array_equal(dealt[0].hole, dealt[1].hole)
    assert dealt[0].hole.shape == (60, 80)
    assert len({case.hole_sha256 for case in dealt}) > 1


def test_masks_that_do_not_fit_are_refused_with_a_sentence(tmp_path: Path) -> None:
    save_mask(tmp_path / "masks" / "one.png", 30, 30)
    with pytest.raises(UsageError, match="no mask called two"):
        MaskFolder(tmp_path / "masks", ["one", "two"], size="full", seed=0)
    with pytest.raises(UsageError, match="no file or folder"):
        MaskFolder(tmp_path / "nowhere", ["one"], size="full", seed=0)
    photo = file_of(Image.fromarray(texture(60, 60)), "PNG")
    with pytest.raises(PhotoError, match="30 × 30 pixels, but the photo has 60 × 60"):
        MaskFolder(tmp_path / "masks", ["one"], size="full", seed=0).case_of("one", "one.png", photo)
    (tmp_path / "masks" / "empty.png").write_bytes(encode_mask(np.zeros((60, 60), np.bool_)))
    with pytest.raises(PhotoError, match="has no hole"):
        MaskFolder(tmp_path / "masks", ["empty"], size="full", seed=0).case_of("empty", "e.png", photo)
