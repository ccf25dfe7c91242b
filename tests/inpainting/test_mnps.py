"""MNPS as a whole: pyramid, synthesis over the scales, and the model behind the engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inpainting import catalog, model_entry
from inpainting.backbones.vgg import random_vgg19
from inpainting.catalog import CatalogError, available_contents, get_entry
from inpainting.engine import Cancelled, Engine, FillError
from inpainting.imaging import Photo
from inpainting.models.base import FillInput, Step
from inpainting.models.mnps import MNPSFill
from inpainting.models.mnps.contents import pick_content
from inpainting.models.mnps.energy import EnergySettings
from inpainting.models.mnps.fill import WORKING_SIDES
from inpainting.models.mnps.pyramid import enlarged, halved_hole, make_pyramid, reduced_to, scale_count
from inpainting.models.mnps.synthesis import LEAST_GAIN, Moment, Schedule, synthesise
from inpainting.results import Progress
from tests.inpainting.pictures import disc, texture

ENGINE = Engine("cpu")
QUICK = {"iterations": 6, "rematch": 3, "content": "telea"}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def square(height: int, width: int, top: int, left: int, side: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    mask[top : top + side, left : left + side] = True
    return mask


def run(mask: NDArray[np.bool_], photo: NDArray[Any] | None = None, **params: Any) -> Any:
    pixels = texture(*mask.shape) if photo is None else photo
    return ENGINE.fill(Photo(pixels), mask, model="mnps", params=QUICK | params)


# --- pyramid


@pytest.mark.parametrize(
    ("size", "count"), [((1, 1), 1), ((128, 90), 1), ((129, 3), 2), ((256, 256), 2), ((512, 300), 3), ((900, 1024), 4)]
)
def test_scale_count(size: tuple[int, int], count: int) -> None:
    """The paper's 512 px have three scales."""
    assert scale_count(*size) == count


@pytest.mark.parametrize("size", [(257, 131), (300, 181), (130, 519)])
def test_a_hole_never_shrinks_on_the_way_down(size: tuple[int, int]) -> None:
    hole = torch.rand(size) < 0.002
    hole[size[0] - 1, size[1] - 1] = True
    scales = make_pyramid(torch.rand(1, 3, *size), hole)
    assert len(scales) == scale_count(*size)
    for coarse, fine in itertools.pairwise(scales):
        assert coarse.size == (-(-fine.size[0] // 2), -(-fine.size[1] // 2))
        small, large = coarse.without_padding(coarse.hole), fine.without_padding(fine.hole)
        assert torch.equal(small, halved_hole(large))
        for y, x in large.nonzero().tolist():
            assert small[y // 2, x // 2]
    assert all(side % 8 == 0 for scale in scales for side in scale.hole.shape)


def test_coarse_known_pixels_have_nothing_of_the_hole() -> None:
    photo, hole = torch.rand(1, 3, 200, 150), torch.from_numpy(square(200, 150, 61, 33, 40))
    other = photo.clone()
    other[..., hole] = 1.0 - other[..., hole]
    for mine, theirs in zip(make_pyramid(photo, hole), make_pyramid(other, hole), strict=True):
        assert torch.equal(mine.photo, theirs.photo)
        assert bool((mine.photo[..., mine.hole] == 0).all())


def test_scales_at_which_nothing_is_known_are_left_out() -> None:
    hole = torch.ones(256, 256, dtype=torch.bool)
    hole[::2, ::2] = False
    assert [scale.size for scale in make_pyramid(torch.rand(1, 3, 256, 256), hole)] == [(256, 256)]


def test_enlarging_keeps_the_place() -> None:
    ramp = torch.linspace(0, 1, 160).view(1, 1, 1, 160).expand(1, 3, 131, 160).contiguous()
    hole = torch.from_numpy(square(131, 160, 50, 50, 30))
    fine = make_pyramid(ramp, hole)[-1]
    back = fine.without_padding(enlarged(reduced_to(ramp, 1), fine))
    assert back.shape == ramp.shape
    assert float((back - ramp)[..., 2:-2].abs().max()) < 1e-5


# --- synthesis


def synthesis_case(side: int = 140) -> dict[str, Any]:
    settings = EnergySettings()
    photo = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    scales = make_pyramid(photo, torch.from_numpy(square(side, side, 50, 60, 24)))
    first = scales[0]
    guess = first.without_padding(first.with_fill(torch.full_like(first.photo, 0.5)))
    return {
        "network": random_vgg19(settings.network_taps, width=0.125),
        "scales": scales,
        "content": guess,
        "settings": settings,
        "schedule": Schedule(12, 4),
        "on_moment": lambda moment: None,
    }


def test_every_scale_lowers_its_objective() -> None:
    made = synthesise(**synthesis_case())
    assert len(made.losses) == len(made.iterations) == 2
    for values, iterations in zip(made.losses, made.iterations, strict=True):
        assert values[-1] < 0.98 * values[0]
        assert 0 < iterations <= 12


def test_known_pixels_are_the_same_at_every_scale() -> None:
    case = synthesis_case()
    seen: list[int] = []

    def look(moment: Moment) -> None:
        scale = case["scales"][moment.scale]
        known = ~scale.without_padding(scale.hole)
        assert torch.equal(moment.picture()[..., known], scale.without_padding(scale.photo)[..., known])
        seen.append(moment.scale)

    synthesise(**case | {"on_moment": look})
    assert set(seen) == {0, 1}


def test_without_texture_the_content_is_returned() -> None:
    case = synthesis_case()
    made = synthesise(**case | {"settings": EnergySettings(strength=0.0)})
    fine = case["scales"][-1]
    expected = fine.without_padding(fine.with_fill(enlarged(case["content"], fine)))
    assert torch.equal(made.picture, expected)


def test_a_scale_ends_when_little_is_gained() -> None:
    made = synthesise(**synthesis_case() | {"schedule": Schedule(200, 4)})
    for values, iterations in zip(made.losses, made.iterations, strict=True):
        assert iterations < 200
        assert values[-2] - values[-1] <= LEAST_GAIN * values[-2]
        assert all(a - b > LEAST_GAIN * a for a, b in itertools.pairwise(values[1:-1]))


# --- the model


def test_periodic_texture_is_continued() -> None:
    """At least 24 dB in the hole, and 6 dB more than Telea's on the same photo."""
    pixels = texture(128, 128, period=16)
    mask = square(128, 128, 48, 52, 28)

    def psnr(filled: NDArray[Any]) -> float:
        error = (filled[mask].astype(float) - pixels[mask]) / 255.0
        return float(-10.0 * np.log10(np.mean(error**2)))

    mine = psnr(run(mask, pixels, iterations=60, rematch=10, content="patchmatch").photo.pixels)
    telea = psnr(ENGINE.fill(Photo(pixels), mask, model="telea").photo.pixels)
    assert mine > 24.0
    assert mine > telea + 6.0


def test_result_tells_what_it_is_made_of() -> None:
    mask = square(150, 170, 60, 70, 31)
    result = run(mask)
    assert result.notes["backbone"] == "VGG-19, random orthogonal, seed 0"
    assert result.notes["content"] == "telea"
    assert result.notes["scales"] == 2
    assert len(result.notes["iterations"]) == 2
    assert [overlay.name for overlay in result.overlays] == ["content", "sources", "match"]
    (sources,) = result.sources
    inside = sources.sources[sources.box.slices] if sources.sources.shape[:2] == mask.shape else sources.sources
    found = inside[..., 0] >= 0
    assert found[mask].mean() > 0.9
    assert not found[~mask].any()
    y, x = inside[found].T
    assert not mask[y, x].any()


def test_progress_shows_the_hole_and_the_terms() -> None:
    heard: list[Progress] = []
    mask = square(150, 150, 60, 60, 25)
    ENGINE.fill(Photo(texture(150, 150)), mask, model="mnps", params=QUICK, on_step=heard.append)
    stages = [progress.stage for progress in heard]
    assert "Guessing the content with Telea" in stages
    assert any(stage.startswith("Scale 1/2, looking for matches") for stage in stages)
    assert any(stage.startswith("Scale 2/2, iteration ") and stage.endswith("/6") for stage in stages)
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    losses = [progress.losses for progress in heard if progress.losses]
    assert losses
    assert all(set(each) == {"content", "texture", "variation"} for each in losses)
    preview = next(progress for progress in reversed(heard) if progress.losses).render_preview(64)
    assert preview is not None
    assert max(preview.rgba.shape[:2]) <= 64


def test_cancel_is_heard_at_the_next_evaluation() -> None:
    mask = square(100, 100, 40, 40, 20)
    after: list[str] = []

    def stop(progress: Progress) -> None:
        after.append(progress.stage)
        if "iteration 2/" in progress.stage:
            raise Cancelled

    with pytest.raises(Cancelled):
        ENGINE.fill(Photo(texture(100, 100)), mask, model="mnps", params=QUICK, on_step=stop)
    assert "iteration 2/" in after[-1]


@pytest.mark.parametrize("params", [{"layers": "paper"}, {"content_term": "feature"}, {"targets": "turned"}])
def test_options_change_the_result(params: dict[str, str]) -> None:
    mask = disc(96, 96, center=(48, 48), radius=11)
    photo = np.random.default_rng(2).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    plain, other = run(mask, photo), run(mask, photo, **params)
    assert np.array_equal(other.photo.pixels[~mask], photo[~mask])
    assert not np.array_equal(plain.photo.pixels, other.photo.pixels)


def test_more_strength_moves_further_from_the_content() -> None:
    mask = disc(96, 96, center=(48, 48), radius=11)
    photo = np.random.default_rng(2).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    content = ENGINE.fill(Photo(photo), mask, model="telea").photo.pixels[mask].astype(float)

    def moved(strength: float) -> float:
        filled = run(mask, photo, strength=strength).photo.pixels[mask]
        return float(np.abs(filled - content).mean())

    assert moved(0.25) < moved(4.0)


def test_large_holes_are_reduced_and_get_fine_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKING_SIDES, "cpu", 128)
    pixels = texture(300, 300, period=40)
    mask = square(300, 300, 100, 104, 80)
    result = Engine("cpu").fill(Photo(pixels), mask, model="mnps", params=QUICK | {"content": "patchmatch"})
    assert result.notes["scale"] <= 0.5
    assert result.proof["changed_pixels"] == 0
    rough = np.abs(np.diff(result.photo.pixels.astype(float), axis=1)).mean(2)
    # Halved, the noise of this texture is gone; what is there has been brought over from the photo.
    assert rough[110:170, 114:174].mean() > 0.7 * rough[:90].mean()


def test_nothing_known_and_nothing_missing() -> None:
    model = MNPSFill(get_entry("mnps"))
    steps: list[Step] = []
    image = np.zeros((20, 20, 3), np.float32)

    def job(mask: NDArray[np.bool_]) -> FillInput:
        return FillInput(image, mask, get_entry("mnps").parse_params({}), 0, steps.append)

    assert np.array_equal(model.fill(job(np.zeros((20, 20), np.bool_))).image, image)
    assert steps[-1].fraction == 1.0
    with pytest.raises(FillError, match="nothing to go by"):
        model.fill(job(np.ones((20, 20), np.bool_)))


# --- content


def test_contents_that_are_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in (catalog, model_entry):
        monkeypatch.setattr(module, "WEIGHTS_DIR", tmp_path)
    assert available_contents() == ("patchmatch", "telea")
    assert pick_content("auto") == "patchmatch"
    assert pick_content("telea") == "telea"
    with pytest.raises(FillError, match=r"The content network has not been trained yet.*Use patchmatch or telea"):
        pick_content("network")
    with pytest.raises(FillError, match="TTA-Net has not been trained yet"):
        pick_content("tta")
    with pytest.raises(FillError, match="There is no content 'mnps'"):
        pick_content("mnps")
    (tmp_path / "tta.safetensors").touch()
    (tmp_path / "mnps.safetensors").touch()
    assert set(available_contents()) == {"patchmatch", "telea", "tta", "network"}
    assert pick_content("network") == "network"


def test_the_catalogue_offers_only_what_is_there() -> None:
    (content,) = [param for param in get_entry("mnps").params if param.name == "content"]
    assert content.choices == ("auto", *available_contents())
    with pytest.raises(CatalogError, match="“Content” must be one of auto, "):
        get_entry("mnps").parse_params({"content": "magic"})
