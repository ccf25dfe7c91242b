"""Closing a fill's seam to the photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from inpainting.layers.seam import RING, membrane, painted_beyond, seamless
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter
from inpainting.models.tmad.checkpoint import describe, network_from
from inpainting.models.tmad.refiner import PatchRefiner, RefineTask
from inpainting.models.tmad.system import build
from inpainting.models.tta import describe_generator, generator_from


def photo_of(height: int, width: int, batch: int = 1) -> Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    channels = torch.stack([torch.sin(3 * x) * y, (x * y > 0.3).float(), 0.5 * x - 0.2 * y])
    return channels.expand(batch, -1, -1, -1).clone()


def hole_of(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., top:bottom, left:right] = 1
    return mask


def exact_membrane(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The discrete Laplace equation in the hole, solved directly."""
    number = np.cumsum(hole).reshape(hole.shape) - 1
    system, right = np.zeros((hole.sum(), hole.sum())), np.zeros(hole.sum())
    for y, x in np.argwhere(hole):
        row = number[y, x]
        for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= other[0] < hole.shape[0] and 0 <= other[1] < hole.shape[1]):
                continue
            system[row, row] += 1
            if hole[other]:
                system[row, number[other]] -= 1
            else:
                right[row] += values[other]
    solved = values.copy()
    solved[hole] = np.linalg.solve(system, right)
    return solved


@pytest.mark.parametrize("box", [(8, 6, 30, 33), (0, 5, 21, 30), (17, 20, 40, 45)])
def test_a_blank_fill_becomes_the_membrane_of_the_edge(box: tuple[int, int, int, int]) -> None:
    photo, mask = photo_of(40, 45), hole_of(40, 45, *box)
    closed = seamless(torch.zeros_like(photo), photo, mask)
    hole = mask[0, 0].numpy() > 0.5
    for channel in range(3):
        wanted = exact_membrane(photo[0, channel].double().numpy(), hole)
        error = (closed[0, channel].numpy() - wanted)[hole]
        assert np.sqrt(np.mean(error**2)) < 0.06 * np.ptp(wanted)


def test_an_error_that_is_the_same_everywhere_vanishes() -> None:
    photo, mask = photo_of(50, 37), hole_of(50, 37, 9, 11, 40, 30)
    closed = seamless(photo + 0.25, photo, mask)
    torch.testing.assert_close(closed, photo, atol=1e-5, rtol=0)


def test_the_fill_keeps_its_own_gradients() -> None:
    photo, mask = photo_of(64, 64), hole_of(64, 64, 16, 16, 48, 48)
    texture = 0.2 * torch.sin(torch.arange(64) * 1.3).expand(1, 3, 64, -1) * mask
    with_texture = seamless(photo + texture, photo, mask)
    torch.testing.assert_close(with_texture - photo, texture, atol=1e-5, rtol=0)


def test_known_pixels_stay_and_what_lies_in_the_hole_is_not_looked_at() -> None:
    photo, mask = photo_of(33, 29), hole_of(33, 29, 5, 5, 30, 12)
    prediction = torch.rand(1, 3, 33, 29, generator=torch.Generator().manual_seed(0))
    closed = seamless(prediction, photo, mask)
    known = (mask < 0.5).expand_as(photo)
    assert torch.equal(closed[known], photo[known])
    assert torch.equal(closed, seamless(prediction, torch.where(mask > 0.5, 9.0, photo), mask))


def test_only_the_ring_around_the_hole_counts() -> None:
    photo, mask = photo_of(48, 48), hole_of(48, 48, 16, 16, 32, 32)
    near = hole_of(48, 48, 16 - RING, 16 - RING, 32 + RING, 32 + RING)
    prediction = photo + 0.1
    closed = seamless(prediction, photo, mask)
    assert torch.equal(closed, seamless(torch.where(near > 0.5, prediction, -5.0), photo, mask))


def test_painting_beyond_the_edge_takes_the_nearest_of_the_hole() -> None:
    mask = hole_of(40, 40, 10, 10, 30, 30)
    fill = torch.where(mask > 0.5, 0.75, -9.0).expand(1, 3, -1, -1)
    grown = painted_beyond(fill, mask)
    near = hole_of(40, 40, 10 - RING, 10 - RING, 30 + RING, 30 + RING).expand(1, 3, -1, -1) > 0.5
    torch.testing.assert_close(grown[near], torch.full_like(grown[near], 0.75))
    photo = torch.full((1, 3, 40, 40), 0.25)
    torch.testing.assert_close(seamless(grown, photo, mask), photo)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    photo = photo_of(32, 40, batch=2)
    mask = torch.cat([hole_of(32, 40, 4, 4, 20, 20), hole_of(32, 40, 10, 15, 30, 38)])
    prediction = torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(1))
    both = seamless(prediction, photo, mask)
    for row in range(2):
        alone = seamless(prediction[row : row + 1], photo[row : row + 1], mask[row : row + 1])
        torch.testing.assert_close(both[row : row + 1], alone)


def test_without_a_known_pixel_or_without_a_hole_there_is_nothing_to_move() -> None:
    photo, prediction = photo_of(17, 23), torch.rand(1, 3, 17, 23)
    torch.testing.assert_close(seamless(prediction, photo, torch.ones(1, 1, 17, 23)), prediction)
    assert torch.equal(seamless(prediction, photo, torch.zeros(1, 1, 17, 23)), photo)


def test_gradients_reach_the_fill_and_its_error_at_the_edge() -> None:
    photo, mask = photo_of(12, 12).double(), hole_of(12, 12, 4, 4, 8, 8)
    prediction = torch.rand(1, 3, 12, 12, requires_grad=True)
    seamless(prediction, photo, mask)[..., 4:8, 4:8].sum().backward()
    assert prediction.grad is not None
    assert (prediction.grad[..., 4:8, 4:8] == 1).all()
    # Each pixel of the hole is moved by a weighted mean of the edge's errors, so their weights add up to the hole.
    ring = hole_of(12, 12, 2, 2, 10, 10) - mask
    assert prediction.grad[:, 0][ring[:, 0] > 0].sum() == pytest.approx(-16, rel=1e-4)


def test_a_membrane_stays_between_the_values_it_spans() -> None:
    generator = torch.Generator().manual_seed(3)
    known = (torch.rand(1, 1, 31, 50, generator=generator) < 0.02).float()
    values = torch.rand(1, 2, 31, 50, generator=generator) * known
    spanned = membrane(values, known)
    given = values[(known > 0).expand_as(values)]
    assert spanned.min() >= given.min() - 1e-6
    assert spanned.max() <= given.max() + 1e-6
    assert torch.equal(membrane(torch.zeros_like(values), torch.zeros_like(known)), torch.zeros_like(values))


def test_networks_close_the_seam_of_what_they_paint_and_their_weights_say_so() -> None:
    photo, mask = photo_of(64, 64) * 0.1, hole_of(64, 64, 20, 12, 50, 40)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        tta = generator_from(describe_generator("tiny", seam=True)).eval()
        closed = tta(photo, mask).prediction
        tta.seam = False
        paint = tta(photo, mask).prediction
        assert torch.equal(closed, torch.where(mask > 0.5, seamless(paint, photo, mask), paint))

        lbp = LBPInpainter(LBPConfig.from_metadata(LBPConfig.of("small", seam=True).to_metadata())).eval()
        prediction = lbp(photo, mask)[0]
        assert torch.equal(prediction.composite, seamless(painted_beyond(prediction.raw, mask), photo, mask))

        tmad = network_from(describe(build("small", seam=True), "small")).eval()
        coarse = torch.where(mask > 0.5, seamless(tmad.coarse(photo, mask), photo, mask), photo)
        synthesis = tmad(photo, mask, generator=torch.Generator().manual_seed(0))
        assert torch.equal(synthesis.composite, coarse * mask + photo * (1 - mask))
        refined = PatchRefiner(tmad).refine([RefineTask(synthesis.composite, mask, seed=0, tiling="grid")])[0]
        torch.testing.assert_close(refined.image, synthesis.result, atol=1e-4, rtol=0)
