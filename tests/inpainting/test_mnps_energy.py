"""The objective of one scale: against a plain transcription, by finite differences, and where its optimum is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG, random_vgg19
from inpainting.models.mnps.energy import TEXTURE_SHARE, EnergySettings, ScaleEnergy
from inpainting.models.mnps.pyramid import Scale, make_pyramid
from inpainting.models.mnps.synthesis import Schedule, synthesise
from inpainting.models.mnps.texture import LEADER
from inpainting.models.mnps.views import TURNED
from tests.inpainting import mnps_reference as reference

FINE = EnergySettings()
PAPER = EnergySettings(layers="paper", coherence=0.0, rim=0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def network(settings: EnergySettings) -> VGG:
    return random_vgg19(settings.network_taps, width=0.125)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def periodic(height: int, width: int, period: int = 8) -> Tensor:
    tile = rand(1, 3, period, period, seed=5)
    return tile.repeat(1, 1, -(-height // period), -(-width // period))[..., :height, :width]


def scale_of(photo: Tensor, holes: list[tuple[slice, slice]]) -> Scale:
    hole = torch.zeros(photo.shape[-2:], dtype=torch.bool)
    for place in holes:
        hole[place] = True
    return make_pyramid(photo, hole)[-1]


CASES = {
    "middle": (64, 72, [(slice(24, 41), slice(29, 50))]),
    "border": (56, 64, [(slice(0, 13), slice(40, 64))]),
    "several": (64, 64, [(slice(8, 12), slice(8, 20)), (slice(44, 57), slice(40, 41))]),
    "pixel": (64, 64, [(slice(30, 31), slice(17, 18))]),
}


@pytest.mark.parametrize("case", CASES)
def test_terms_agree_with_the_transcription(case: str) -> None:
    """Within 1e-4, relatively, of the plain sums."""
    height, width, holes = CASES[case]
    scale = scale_of(rand(1, 3, height, width), holes)
    net, guess = network(PAPER), rand(1, 3, height, width, seed=1)
    energy = ScaleEnergy(net, scale, guess, PAPER)
    variables = (energy.content + 0.2 * rand(*energy.content.shape, seed=2)).clamp(0, 1)
    energy.match(variables)
    terms = energy.terms(variables)
    now, first = energy.picture(variables), scale.with_fill(guess)
    expected = {
        "content": reference.content_term(now, first, scale.hole),
        "texture": energy.alpha * reference.texture_term(net, now, first, scale.hole),
        "variation": energy.beta * reference.variation_term(now, scale.hole),
    }
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name
    assert min(expected.values()) > 0


def test_the_transcription_with_a_gradient_is_the_transcription() -> None:
    height, width, holes = CASES["middle"]
    scale = scale_of(rand(1, 3, height, width), holes)
    net, first = network(PAPER), scale.with_fill(rand(1, 3, height, width, seed=1))
    now = scale.with_fill(rand(1, 3, height, width, seed=2))
    weights = (0.3, 0.05)
    expected = reference.content_term(now, first, scale.hole)
    expected += weights[0] * reference.texture_term(net, now, first, scale.hole)
    expected += weights[1] * reference.variation_term(now, scale.hole)
    found = reference.objective(net, now, first, scale.hole, reference.known_features(net, first), weights)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_the_model_gets_as_low_as_the_transcription() -> None:
    """As many evaluations, neighbours renewed every five steps instead of every time: within 10 % by the plain sum."""
    height, width, holes = CASES["middle"]
    scale = scale_of(periodic(height, width), holes)
    net, first = network(PAPER), scale.with_fill(torch.full((1, 3, height, width), 0.5))
    energy = ScaleEnergy(net, scale, first, PAPER)
    energy.match(energy.content)
    weights = (energy.alpha, energy.beta)
    theirs, evaluations = reference.optimise(net, first, scale.hole, weights, 20)
    made = synthesise(net, [scale], scale.without_padding(first), PAPER, Schedule(evaluations, 5), lambda _moment: None)

    def loss(photo: Tensor) -> float:
        return float(reference.objective(net, photo, first, scale.hole, known, weights))

    known = reference.known_features(net, first)
    assert loss(theirs) < 0.6 * loss(first)
    assert loss(made.picture) < 1.1 * loss(theirs)


@pytest.mark.parametrize(
    "settings",
    [FINE, PAPER, replace(FINE, content="feature"), replace(FINE, views=TURNED[:3])],
    ids=["fine", "paper", "feature", "turned"],
)
def test_gradient_is_the_slope(settings: EnergySettings) -> None:
    scale = scale_of(rand(1, 3, 48, 56).double(), [(slice(16, 29), slice(20, 37))])
    energy = ScaleEnergy(network(settings).double(), scale, rand(1, 3, 48, 56, seed=1).double(), settings)
    start = (0.8 * energy.content + 0.1).requires_grad_()
    energy.match(start.detach())

    def objective(variables: Tensor) -> Tensor:
        return torch.stack(list(energy.terms(variables).values())).sum()

    (gradient,) = torch.autograd.grad(objective(start), start)
    for seed in range(3):
        direction = rand(*start.shape, seed=10 + seed).double() - 0.5
        step = 1e-6
        with torch.no_grad():
            slope = (objective(start + step * direction) - objective(start - step * direction)) / (2 * step)
        assert float(slope) == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


@pytest.mark.parametrize("settings", [FINE, PAPER], ids=["fine", "paper"])
def test_truth_is_the_optimum_where_it_has_a_twin(settings: EnergySettings) -> None:
    photo = periodic(128, 128)
    scale = scale_of(photo, [(slice(56, 72), slice(56, 72))])
    energy = ScaleEnergy(network(settings), scale, photo, settings)
    truth = energy.content.clone().requires_grad_()
    energy.match(truth.detach())
    energy.alpha, energy.beta = 1.0, 0.0
    there = energy.terms(truth)["texture"]
    (gradient,) = torch.autograd.grad(there, truth)
    other = energy.content.flip(-1).clone().requires_grad_()
    elsewhere_value = energy.terms(other)["texture"]
    (elsewhere,) = torch.autograd.grad(elsewhere_value, other)
    # Not zero to the last digit: some neighbours lie at the photo's edge, where convolutions read zeros.
    assert float(there.detach()) < 2e-3 * float(elsewhere_value.detach())
    assert float(gradient.abs().max()) < 1e-2 * float(elsewhere.abs().max())
    leader = energy.taps[LEADER]
    assert leader.nearest is not None
    moves = (leader.nearest.places - leader.positions) * leader.stride
    assert (moves % 8 == 0).all()


@pytest.mark.parametrize("views", [FINE.views, TURNED], ids=["upright", "turned"])
def test_nearest_neighbours_lie_outside_the_hole(views: Callable[..., None]) -> None:
    settings = replace(FINE, views=views)  # type: ignore[arg-type]
    scale = scale_of(rand(1, 3, 75, 90), [(slice(30, 45), slice(40, 66)), (slice(70, 75), slice(2, 9))])
    energy = ScaleEnergy(network(settings), scale, rand(1, 3, 80, 96, seed=1), settings)
    energy.match(energy.content)
    for tap in energy.taps.values():
        assert tap.nearest is not None
        assert len(tap.nearest.places) == len(tap.positions)
        for y, x in tap.sources(settings.views).round().long().tolist():
            assert 0 <= y < 75
            assert 0 <= x < 90
            assert not scale.hole[y, x]


def test_variation_counts_edges() -> None:
    scale = scale_of(torch.full((1, 3, 40, 40), 0.25), [(slice(10, 20), slice(10, 30))])
    energy = ScaleEnergy(network(FINE), scale, torch.full((1, 3, 40, 40), 0.25), FINE)
    window = energy.scale.photo.masked_fill(scale.hole, 0.25)[(..., *energy.window.slices)]
    assert float(energy.variation(window)) == 0.0
    step = window.clone()
    step[..., energy.window.size[1] // 2 :] += 1.0  # ten rows of the hole have one pair across this edge
    assert float(energy.variation(step)) == pytest.approx(10 * 3 / (3 * 200), rel=1e-5)


def test_only_the_hole_changes() -> None:
    scale = scale_of(rand(1, 3, 50, 61), [(slice(20, 31), slice(22, 40))])
    energy = ScaleEnergy(network(FINE), scale, rand(1, 3, 56, 64, seed=1), FINE)
    picture = energy.picture(torch.ones_like(energy.content))
    assert torch.equal(picture[..., ~scale.hole], scale.photo[..., ~scale.hole])
    assert bool((picture[..., scale.hole] == 1.0).all())
    assert energy.content.shape == (1, 3, int(scale.hole.sum()))


def test_the_balance_at_the_start() -> None:
    scale = scale_of(rand(1, 3, 64, 64), [(slice(24, 40), slice(24, 40))])
    for strength in (0.25, 1.0, 4.0):
        settings = replace(FINE, strength=strength)
        energy = ScaleEnergy(network(settings), scale, torch.full((1, 3, 64, 64), 0.5), settings)
        energy.match(energy.content)
        texture = float(energy.terms(energy.content)["texture"])
        assert texture == pytest.approx(strength * TEXTURE_SHARE * energy.spread, rel=1e-4)
    assert energy.spread == pytest.approx(float(scale.photo[..., ~scale.hole].var()), rel=1e-2)


def test_without_any_patch_there_is_only_the_content() -> None:
    scale = scale_of(rand(1, 3, 12, 12), [(slice(0, 12), slice(0, 10))])
    energy = ScaleEnergy(network(FINE), scale, rand(1, 3, 16, 16, seed=1), FINE)
    energy.match(energy.content)
    assert energy.taps == {}
    assert {name: float(term) for name, term in energy.terms(energy.content).items()} == {
        "content": 0.0,
        "texture": 0.0,
        "variation": 0.0,
    }
