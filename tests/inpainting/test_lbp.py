"""LBP inpainting as a model: frames of any size and hole, switches, weights files, cancelling, overlays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inpainting.catalog import ModelEntry, get_entry
from inpainting.layers.padding import pad_to_multiple
from inpainting.models import lbp as lbp_module
from inpainting.models.base import BoolMask, Cancelled, FillError, FillInput, FloatImage, Step
from inpainting.models.lbp import LBPFill, fold_back
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter
from inpainting.overlays import flow_picture, heat_picture
from inpainting.weights.loading import WeightsError, write_weights

ENTRY = get_entry("lbp")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def seeded(**switches: object) -> LBPInpainter:
    torch.manual_seed(0)
    return LBPInpainter(LBPConfig.of("small", **switches))


@pytest.fixture(scope="module")
def model() -> LBPFill:
    return LBPFill(ENTRY, network=seeded())


def crop(height: int, width: int, seed: int = 0) -> FloatImage:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float32) / 255


def job(
    image: FloatImage, mask: BoolMask, on_step: Callable[[Step], None] = lambda step: None, *, inside: float = 0.0
) -> FillInput:
    return FillInput(np.where(mask[..., None], np.float32(inside), image), mask, {}, 0, on_step)


def box(height: int, width: int, top: int, left: int, side: int) -> BoolMask:
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def several(height: int, width: int) -> BoolMask:
    mask = box(height, width, 5, 5, 12) | box(height, width, 30, 20, 20)
    mask[-1, -1] = True
    return mask


HOLES = {
    "one pixel": lambda height, width: box(height, width, 40, 33, 1),
    "at the border": lambda height, width: box(height, width, 0, width - 21, 21),
    "in the corner": lambda height, width: box(height, width, height - 9, width - 9, 9),
    "several": several,
    "nearly everything": lambda height, width: ~box(height, width, 0, 0, 3),
}


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 65), (100, 77), (131, 200), (20, 150), (3, 5)])
def test_any_size(model: LBPFill, height: int, width: int) -> None:
    image, mask = crop(height, width), box(height, width, height // 3, width // 3, max(1, height // 3))
    output = model.fill(job(image, mask))
    assert output.image.shape == image.shape
    assert output.image.dtype == np.float32
    assert output.image.min() >= 0
    assert output.image.max() <= 1
    assert np.array_equal(output.image[~mask], image[~mask])
    assert (output.image[mask] != 0).any()


@pytest.mark.parametrize("name", HOLES)
def test_any_hole(model: LBPFill, name: str) -> None:
    image, mask = crop(96, 90), HOLES[name](96, 90)
    output = model.fill(job(image, mask))
    assert np.isfinite(output.image).all()
    assert np.array_equal(output.image[~mask], image[~mask])


def test_what_lies_inside_the_hole_does_not_matter(model: LBPFill) -> None:
    image, mask = crop(90, 70), several(90, 70)
    first, second = model.fill(job(image, mask, inside=0.0)), model.fill(job(image, mask, inside=0.9))
    assert np.array_equal(first.image[mask], second.image[mask])


def test_same_bytes_twice(model: LBPFill) -> None:
    image, mask = crop(90, 70), several(90, 70)
    assert model.fill(job(image, mask)).image.tobytes() == model.fill(job(image, mask)).image.tobytes()


def test_batch_equals_single(model: LBPFill) -> None:
    sizes = [(64, 64), (60, 50), (100, 70), (64, 40)]
    jobs = [job(crop(h, w, seed), box(h, w, 10 + seed, 12, 20)) for seed, (h, w) in enumerate(sizes)]
    jobs.append(job(crop(40, 40), np.zeros((40, 40), bool)))
    for together, single in zip(model.fill_batch(jobs), [model.fill(one) for one in jobs], strict=True):
        np.testing.assert_allclose(together.image, single.image, rtol=0, atol=1e-5)
        assert [overlay.name for overlay in together.overlays] == [overlay.name for overlay in single.overlays]


def test_empty_mask_returns_the_crop(model: LBPFill) -> None:
    image = crop(50, 60)
    steps: list[Step] = []
    output = model.fill(job(image, np.zeros((50, 60), bool), steps.append))
    assert np.array_equal(output.image, image)
    assert steps[-1].fraction == 1.0


def test_full_mask_is_refused_with_a_sentence(model: LBPFill) -> None:
    with pytest.raises(FillError, match=r"whole crop is masked.*\."):
        model.fill(job(crop(50, 60), np.ones((50, 60), bool)))


def test_values_that_are_not_numbers_are_refused() -> None:
    network = seeded()
    with torch.no_grad():
        network.image_network.expand[-1].bias.fill_(torch.nan)
    with pytest.raises(FillError, match="not numbers"):
        LBPFill(ENTRY, network=network).fill(job(crop(64, 64), box(64, 64, 20, 20, 20)))


def test_steps_come_in_order_with_a_picture_of_the_pattern(model: LBPFill) -> None:
    steps: list[Step] = []
    image, mask = crop(80, 70), box(80, 70, 20, 20, 30)
    output = model.fill(job(image, mask, steps.append))
    assert [step.stage for step in steps] == ["reading patterns", "pattern predicted", "attention", "final"]
    assert [step.fraction for step in steps] == [0.0, 0.5, 0.8, 1.0]
    pattern, final = steps[1].preview, steps[3].preview
    assert pattern is not None
    assert final is not None
    assert pattern.shape == final.shape == image.shape
    assert np.ptp(pattern, axis=2).max() == 0
    assert pattern[mask].std() > 0
    assert np.array_equal(final, output.image)


@pytest.mark.parametrize("stage", ["reading patterns", "pattern predicted", "attention", "final"])
def test_a_callback_that_raises_stops_the_fill_there(model: LBPFill, stage: str) -> None:
    seen: list[str] = []

    def stop(step: Step) -> None:
        seen.append(step.stage)
        if step.stage == stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.fill(job(crop(64, 64), box(64, 64, 20, 20, 20), stop))
    assert seen[-1] == stage


# Overlays and sources


def test_overlays_and_sources_tell_where_the_fill_came_from(model: LBPFill) -> None:
    height, width = 100, 77
    mask = box(height, width, 30, 20, 33)
    output = model.fill(job(crop(height, width), mask))
    assert [overlay.name for overlay in output.overlays] == ["lbp", "attention", "attention-within"]
    for overlay in output.overlays:
        assert overlay.image.dtype == np.uint8
        assert overlay.image.shape[:2] == (height, width)
    assert output.sources is not None
    assert output.source_patch == 8
    assert (output.sources[~mask] == -1).all()
    y, x = output.sources[mask].T
    assert y.min() >= 0
    assert y.max() < height
    assert x.min() >= 0
    assert x.max() < width
    assert not mask[y, x].any()


def test_the_pattern_overlay_is_the_photos_own_pattern_where_it_is_known(model: LBPFill) -> None:
    image = np.zeros((64, 64, 3), np.float32)
    image[::2] = 1.0  # bright rows between dark ones: 0 on bright pixels, the six neighbours above and below on dark
    mask = box(64, 64, 20, 20, 9)
    lbp = model.fill(job(image, mask)).overlays[0].image
    assert lbp[10, 10] == 0
    assert lbp[11, 10] == 0b11101110


def test_sources_find_the_place_that_was_copied() -> None:
    """A photo with one textured spot; the hole's features equal those of a known cell."""
    torch.manual_seed(1)
    decoder = torch.rand(1, 4, 8, 8)
    encoder = torch.rand(1, 4, 8, 8)
    encoder[0, :, 6, 2] = decoder[0, :, 3, 3]
    hole = torch.zeros(1, 1, 8, 8)
    hole[..., 3, 3] = 1
    network = seeded()
    assert network.image_network.attention is not None
    _, picks = network.image_network.attention(decoder, encoder, hole)
    cells = lbp_module._AttendedCells(picks, 0, box(64, 64, 24, 24, 8), 64)
    sources = cells.sources()
    assert sources[24, 24].tolist() == [48, 16]
    assert sources[31, 29].tolist() == [55, 21]
    shown = {overlay.name: overlay.image for overlay in cells.overlays()}
    direction = flow_picture(np.array([[3]]), np.array([[-1]]), np.array([[True]]))[0, 0]
    assert (shown["attention"][24:32, 24:32] == direction).all()
    assert (shown["attention"][:24] == flow_picture(*np.zeros((2, 1, 1), int), np.array([[False]]))[0, 0]).all()
    assert (shown["attention-within"][24:32, 24:32] <= 5).all()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 127), (200, 3), (1, 1), (33, 32)])
def test_every_padded_pixel_is_a_copy_of_the_one_it_folds_back_to(height: int, width: int) -> None:
    maps = torch.rand(1, 2, height, width)
    padded = pad_to_multiple(maps, 64)
    rows = fold_back(np.arange(padded.shape[-2]), height, 64)
    columns = fold_back(np.arange(padded.shape[-1]), width, 64)
    assert torch.equal(padded, maps[..., rows, :][..., columns])


# Switches


@pytest.mark.parametrize("guidance", [True, False])
@pytest.mark.parametrize("attention", ["full", "known", "off"])
def test_every_ablation_fills(guidance: bool, attention: str) -> None:
    model = LBPFill(ENTRY, network=seeded(guidance=guidance, attention=attention))
    mask = box(70, 64, 10, 10, 30)
    output = model.fill(job(crop(70, 64), mask))
    assert np.isfinite(output.image).all()
    names = [overlay.name for overlay in output.overlays]
    assert ("lbp" in names) == guidance
    assert ("attention" in names) == (attention != "off")
    assert (output.sources is None) == (attention == "off")
    assert output.notes == {"size": "small", "guidance": guidance, "attention": attention}
    if attention == "known":
        within: NDArray[np.uint8] = output.overlays[-1].image
        nothing = heat_picture(np.zeros((1, 1), np.float32))[0, 0]
        assert (within[mask] == nothing).all()


# Weights


@pytest.fixture
def weights_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("inpainting.model_entry.WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr("inpainting.models.lbp.WEIGHTS_DIR", tmp_path)
    return tmp_path


def test_exported_weights_fill_as_the_network_they_came_from(weights_dir: Path) -> None:
    assert not ENTRY.trained
    network = seeded(attention="known")
    # What fp16 cannot hold is lost on export; compare with a network that has lost it too.
    network.load_state_dict({name: value.half().float() for name, value in network.state_dict().items()})
    path = weights_dir / "lbp.safetensors"
    write_weights(path, network.state_dict(), network.config.to_metadata())
    assert path.stat().st_size <= 8 * 2**20
    assert ENTRY.trained
    task = job(crop(70, 64), several(70, 64))
    shipped = LBPFill(ENTRY)
    assert shipped.network.config == network.config
    assert np.array_equal(shipped.fill(task).image, LBPFill(ENTRY, network=network).fill(task).image)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({}, "does not say"),
        ({"model": "tta", "size": "small"}, "does not say"),
        ({"model": "lbp", "size": "huge"}, "sizes paper, small"),
        ({"model": "lbp", "size": "small", "attention": "maybe"}, "full, known, off"),
        ({"model": "lbp", "size": "small", "top": "none"}, "number of picks"),
        ({"model": "lbp", "size": "small", "guidance": "off"}, "another network"),
    ],
)
def test_a_weights_file_of_something_else_is_refused(
    weights_dir: Path, metadata: dict[str, str], sentence: str
) -> None:
    write_weights(weights_dir / "lbp.safetensors", seeded().state_dict(), metadata)
    with pytest.raises(WeightsError, match=sentence):
        LBPFill(ENTRY)


def test_untrained_networks_are_the_same_every_time_and_leave_the_random_state_alone() -> None:
    entry: ModelEntry = replace(ENTRY, weights=("there-is-no-such-file.safetensors",))
    state = torch.get_rng_state()
    first, second = LBPFill(entry).network.state_dict(), LBPFill(entry).network.state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
