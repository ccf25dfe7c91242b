"""TTA-Net as a model behind the engine's interface, and its weights files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.catalog import get_entry
from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.layers.padding import pad_to_multiple
from inpainting.models import tta
from inpainting.models.base import BoolMask, Cancelled, FillError, FillInput, FillOutput, FloatImage, Step
from inpainting.models.tta import TTAFill, TTAGenerator, build_generator, describe_generator, generator_from
from inpainting.weights.loading import WeightsError, write_weights


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tta, "WEIGHTS_DIR", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TTAFill:
    """The model with seeded tiny weights, read from a file like shipped ones."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tta, "WEIGHTS_DIR", folder)
        write_weights(folder / "tta.safetensors", seeded("tiny").state_dict(), describe_generator("tiny"))
        return TTAFill(get_entry("tta"))


def seeded(size: str = "tiny", **switches: Any) -> TTAGenerator:
    torch.manual_seed(5)
    return build_generator(size, **switches)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def photo(height: int, width: int, seed: int = 0) -> FloatImage:
    small = random(1, 3, (height + 3) // 4, (width + 3) // 4, seed=seed)
    large = F.interpolate(small, size=(height, width), mode="bilinear") + 0.2 * random(1, 3, height, width, seed=seed)
    return large[0].add(1).mul(0.5).clamp(0, 1).permute(1, 2, 0).contiguous().numpy()


def job(
    image: FloatImage, mask: BoolMask, *, search: str = "auto", seed: int = 0, on_step: Callable[[Step], None] = print
) -> FillInput:
    return FillInput(np.where(mask[..., None], 0, image).astype(np.float32), mask, {"search": search}, seed, on_step)


def box(height: int, width: int, *boxes: tuple[int, int, int, int]) -> BoolMask:
    mask = np.zeros((height, width), bool)
    for top, left, tall, wide in boxes:
        mask[top : top + tall, left : left + wide] = True
    return mask


def valid_sources(output: FillOutput, mask: BoolMask) -> None:
    """Every hole pixel has a source, it lies in the crop and is known; known pixels have none."""
    assert output.sources is not None
    assert (output.sources[~mask] == -1).all()
    assert (output.sources[mask] >= 0).all()
    y, x = output.sources[mask].T
    assert not mask[y, x].any()


@pytest.mark.parametrize(
    ("height", "width"), [(17, 70), (70, 23), (33, 41), (64, 64), (57, 39), (48, 31), (21, 21), (18, 66)]
)
def test_odd_sizes(model: TTAFill, height: int, width: int) -> None:
    mask = box(height, width, (height // 2 - 2, width // 2 - 1, 3, 4))
    output = model.fill(job(photo(height, width), mask))
    assert output.image.shape == (height, width, 3)
    assert output.image.dtype == np.float32
    assert output.image.min() >= 0
    assert output.image.max() <= 1
    for overlay in output.overlays:
        assert overlay.image.shape == (height, width, 3)
        assert overlay.image.dtype == np.uint8


@pytest.mark.parametrize(
    "holes",
    [
        [(30, 31, 1, 1)],
        [(0, 0, 9, 12)],
        [(55, 40, 9, 24)],
        [(0, 20, 64, 6)],
        [(3, 3, 1, 1), (20, 40, 10, 9), (50, 5, 6, 7), (40, 30, 1, 20)],
    ],
    ids=["one pixel", "corner", "two borders", "across", "several"],
)
def test_holes_of_all_kinds(model: TTAFill, holes: list[tuple[int, int, int, int]]) -> None:
    mask = box(64, 64, *holes)
    output = model.fill(job(photo(64, 64), mask))
    assert np.isfinite(output.image).all()
    valid_sources(output, mask)
    assert output.source_patch == 5
    assert [overlay.name for overlay in output.overlays] == [
        f"{kind}-{level}" for level in (4, 2, 1) for kind in ("sources", "ratio")
    ]


def test_nothing_is_copied_from_the_padding(model: TTAFill) -> None:
    """57 is padded to 64 by a mirror image. A strip of five known columns is too narrow to copy from; together with
    its mirror image it would not be, but a place in the mirror is no place in the photo."""
    image, mask = photo(57, 57), ~box(57, 57, (0, 52, 57, 5))
    assert model.fill(job(image, mask)).sources is None
    padded = [
        pad_to_multiple(torch.from_numpy(array).float()[None], 8) for array in (image.transpose(2, 0, 1), mask[None])
    ]
    assert model.network(*padded).levels[1].queries.any()


def test_sources_are_where_the_attention_looked(model: TTAFill) -> None:
    image, mask = photo(64, 64), box(64, 64, (24, 20, 12, 16))
    output = model.fill(job(image, mask))
    known = torch.from_numpy(image).permute(2, 0, 1)[None] * 2 - 1
    match = model.network(known, torch.from_numpy(mask)[None, None]).levels[1]
    for y, x in np.argwhere(mask):
        row, column = divmod(int(match.sources[0, y // 2, x // 2]), 32)
        assert output.sources is not None
        assert output.sources[y, x].tolist() == [2 * row + y % 2, 2 * column + x % 2]


def test_no_hole_returns_the_photo(model: TTAFill) -> None:
    image = photo(20, 30)
    steps: list[Step] = []
    output = model.fill(job(image, np.zeros((20, 30), bool), on_step=steps.append))
    assert np.array_equal(output.image, image)
    assert steps[-1].fraction == 1


def test_nothing_known_is_refused(model: TTAFill) -> None:
    with pytest.raises(FillError, match="nothing to go by"):
        model.fill(job(photo(20, 30), np.ones((20, 30), bool)))


def test_too_little_known_to_copy_from_still_fills(model: TTAFill) -> None:
    mask = ~box(40, 40, (0, 0, 40, 1))
    output = model.fill(job(photo(40, 40), mask))
    assert np.isfinite(output.image).all()
    assert output.sources is None
    assert output.overlays == []
    assert output.notes["levels_matched"] == []


def test_fine_levels_match_where_coarse_ones_cannot(model: TTAFill) -> None:
    """A known strip too narrow for the quarter-size level still feeds the full-size one."""
    mask = ~box(64, 64, (0, 0, 64, 9))
    output = model.fill(job(photo(64, 64), mask))
    assert 1 in output.notes["levels_matched"]
    assert 4 not in output.notes["levels_matched"]
    valid_sources(output, mask)


def test_the_same_job_twice_gives_the_same_bytes(model: TTAFill) -> None:
    mask = box(50, 60, (12, 14, 20, 18))
    for search in ("auto", "quick", "exhaustive"):
        first, second = (model.fill(job(photo(50, 60), mask, search=search, seed=3)) for _ in range(2))
        assert first.image.tobytes() == second.image.tobytes()
        assert np.array_equal(first.sources, second.sources)  # type: ignore[arg-type]


def test_a_batch_gives_what_single_jobs_give(model: TTAFill) -> None:
    jobs = [
        job(photo(48, 48, 1), box(48, 48, (10, 10, 12, 14))),
        job(photo(40, 48, 2), box(40, 48, (10, 10, 12, 14))),
        job(photo(48, 48, 3), box(48, 48, (30, 2, 9, 40), (4, 4, 3, 3))),
        job(photo(48, 48, 4), np.zeros((48, 48), bool)),
    ]
    together = model.fill_batch(jobs)
    for one, output in zip(jobs, together, strict=True):
        alone = model.fill(one)
        np.testing.assert_allclose(output.image, alone.image, atol=1e-5)
        assert (output.sources is None) == (alone.sources is None)
        if alone.sources is not None:
            assert np.array_equal(output.sources, alone.sources)  # type: ignore[arg-type]


def test_steps_come_in_order_with_previews_of_the_photo(model: TTAFill) -> None:
    steps: list[Step] = []
    image, mask = np.full((77, 84, 3), 0.25, np.float32), box(77, 84, (22, 14, 16, 18))
    model.fill(job(image, mask, on_step=steps.append))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1
    moved = [step.preview for step in steps[:-1] if step.preview is not None]
    assert len(moved) == 3
    for preview in moved:
        assert preview.shape == (77, 84, 3)
        # Previews are made of the photo's own pixels, so a plain photo stays plain.
        np.testing.assert_allclose(preview[mask], 0.25, atol=1e-6)


@pytest.mark.parametrize("stop_at", range(5))
def test_a_step_can_stop_the_fill(model: TTAFill, stop_at: int) -> None:
    seen: list[Step] = []

    def stop(step: Step) -> None:
        seen.append(step)
        if len(seen) > stop_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        model.fill(job(photo(40, 40), box(40, 40, (10, 10, 8, 8)), on_step=stop))
    assert len(seen) == stop_at + 1


def test_padding_reflects_and_repeats_on_narrow_maps() -> None:
    ramp = torch.arange(5.0).view(1, 1, 1, 5)
    padded = pad_to_multiple(ramp, 8)
    assert padded.shape == (1, 1, 8, 8)
    assert padded[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert pad_to_multiple(ramp[..., :1], 8).unique().tolist() == [0]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_engine_changes_nothing_but_the_hole(without_weights: Path, kind: type[np.unsignedinteger[Any]]) -> None:
    write_weights(without_weights / "tta.safetensors", seeded().state_dict(), describe_generator("tiny"))
    before = (photo(75, 93) * np.iinfo(kind).max).astype(kind)
    mask = box(75, 93, (20, 30, 18, 21), (60, 3, 1, 1))
    result = Engine("cpu").fill(Photo(before), mask, model="tta", allow_untrained=True)
    after = result.photo.pixels
    assert after.dtype == kind
    assert np.array_equal(after[~mask], before[~mask])
    assert not np.array_equal(after[mask], before[mask])
    assert result.proof == {"known_pixels": int((~mask).sum()), "changed_pixels": 0}


def test_the_engine_brings_large_crops_down_and_detail_back(without_weights: Path) -> None:
    """Fine stripes that the working scale cannot show come back along the index map."""
    write_weights(without_weights / "tta.safetensors", seeded().state_dict(), describe_generator("tiny"))
    before = np.full((1100, 1100, 3), 128, np.uint8)
    before[:, ::2] += 40
    mask = box(1100, 1100, (350, 350, 420, 420))
    result = Engine("cpu").fill(Photo(before), mask, model="tta", params={"search": "quick"}, allow_untrained=True)
    assert result.notes["scale"] < 0.5
    hole = result.photo.pixels[360:760, 360:760].astype(float)
    assert np.abs(np.diff(hole, axis=1)).mean() > 10


# Weights


def test_without_a_file_the_weights_are_seeded(without_weights: Path) -> None:
    assert not (without_weights / "tta.safetensors").exists()
    first, second = TTAFill(get_entry("tta")), TTAFill(get_entry("tta"))
    for mine, theirs in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert first.origin == "untrained"


def test_the_file_says_what_network_it_is_for(without_weights: Path) -> None:
    network = seeded(attention="soft", normalise=False)
    metadata = describe_generator("tiny", attention="soft", normalise=False)
    sha256 = write_weights(without_weights / "tta.safetensors", network.state_dict(), metadata)
    loaded = TTAFill(get_entry("tta"))
    assert loaded.network.transform1.attention == "soft"
    assert not loaded.network.transform4.normalise
    assert loaded.origin == f"tta.safetensors {sha256[:8]}"
    for mine, theirs in zip(loaded.network.parameters(), network.parameters(), strict=True):
        assert mine.dtype == torch.float32
        assert torch.equal(mine, theirs.half().float())


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"model": "lbp", "size": "tiny"}, "for 'lbp', not for TTA-Net"),
        ({}, "not for TTA-Net"),
        ({"model": "tta", "size": "vast"}, "no size 'vast'"),
    ],
)
def test_weights_of_something_else_are_refused(metadata: dict[str, str], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        generator_from(metadata)


def test_damaged_weights_do_not_reach_the_photo(without_weights: Path) -> None:
    network = seeded()
    write_weights(without_weights / "tta.safetensors", network.state_dict(), describe_generator("tiny"))
    loaded = TTAFill(get_entry("tta"))
    with torch.no_grad():
        loaded.network.out.weight.fill_(torch.nan)
    with pytest.raises(FillError, match="not numbers"):
        loaded.fill(job(photo(24, 24), box(24, 24, (8, 8, 6, 6))))
