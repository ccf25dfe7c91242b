"""The loss of section 3.1 over a group of patches, and its minimisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inpainting.layers.gram_statistics import STRIDES, Statistics, texture_loss
from inpainting.layers.lbfgs import LBFGSResult, LBFGSState, minimise, with_gradient
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.reference import active_masks
from inpainting.models.gram.variables import LEVEL_WEIGHT, PyramidVariables

HISTORY = 15
FIRST_STEP = 0.2
TOLERANCE, PATIENCE = 0.08, 10
"""A patch is finished when ten iterations together lower its loss by less than 8 %."""
GOOD_ENOUGH = 2e4
"""So is one whose Gramians differ from the reference's by about 3 % in the mean (of squared activations of 1): two
windows of one natural texture differ by more, and to go on is to learn the window's accidents."""
GOOD_AS_COPIED = 2e3
"""The same for a patch whose reference is its own content before it was joined, from which it should hardly differ."""
ACTIVE_MARGIN = 12
SHADE_CELL = 4
SHADING_WEIGHT = 1000.0
FINE_LEVEL_WEIGHT = 0.25
"""`PyramidVariables`' weight when the start has the photo's own structure, which is to be kept."""
RANGE_WEIGHT = 1e7
"""Of the mean squared excess over [0, 1]: keeps colours possible without bounds, which whitened colour cannot have."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One texture term: what is to be like what."""

    reference: Statistics
    """The Gramians to reach, (B, 3, C, C) a tap."""
    weight: float
    active: list[Tensor] | None
    """As from `active_masks`; ``None`` measures everywhere, as in the paper."""
    taps: tuple[str, ...]

    def loss(self, features: list[Tensor], all_taps: tuple[str, ...]) -> Tensor:
        """L_s,cc: (B,), unweighted."""
        present = dict(zip(all_taps, features, strict=False))
        masks = None if self.active is None else dict(zip(STRIDES, self.active, strict=False))
        taps = [tap for tap in self.taps if tap in present]
        wanted = dict(zip(self.reference.taps, self.reference.gramians, strict=True))
        found = Statistics.of(
            taps, [present[tap] for tap in taps], None if masks is None else [masks[tap] for tap in taps]
        )
        return texture_loss(found, Statistics(tuple(taps), tuple(wanted[tap] for tap in taps)))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The pooled window that a patch is embedded in for the global branch."""

    window: Tensor
    """(B, 3, h, w): the window pooled Q times, in whitened colour."""
    corners: tuple[tuple[int, int], ...]
    """Where each patch's pooled picture goes: top, left."""
    poolings: int

    def embed(self, patches: Tensor) -> Tensor:
        """x̂_g: the window with each of `patches` (B, 3, H, W), pooled, in its place. Differentiable."""
        pooled = F.avg_pool2d(patches, 2**self.poolings)
        windows = []
        for window, patch, (top, left) in zip(self.window, pooled, self.corners, strict=True):
            height, width = window.shape[-2:]
            inside = patch[:, : height - top, : width - left]
            rest = (left, width - left - inside.shape[2], top, height - top - inside.shape[1])
            hole = F.pad(torch.ones_like(inside[:1]), rest)
            windows.append(window * (1 - hole) + F.pad(inside, rest))
        return torch.stack(windows)


@dataclass(frozen=True, slots=True)
class PatchProblem:
    """Equal patches to be synthesised at once; all pictures in whitened colour."""

    start: Tensor
    """x_b, (B, 3, H, W)."""
    movable: Tensor
    """(B, 1, H, W), 1 where pixels may change."""
    bound: Tensor
    """m, (B, 1, H, W): 1 where the boundary loss holds pixels to the start."""
    detail: Branch | None
    overview: Branch | None
    surroundings: Surroundings | None
    boundary_weight: float
    shading_weight: float = 0.0
    """How firmly broad light and shade are held to the start, where that has the photo's own: see `PatchLoss`."""
    begun: Tensor | None = None
    """(B, 3, H, W): what an interrupted optimisation had reached."""
    level_weight: float = LEVEL_WEIGHT
    """As for `PyramidVariables`."""
    good_enough: float = GOOD_ENOUGH
    """The loss at which a patch is finished."""


Terms = dict[str, float]
Listener = Callable[[LBFGSState, Tensor, Mapping[str, float]], None]
"""Told after every evaluation: the optimiser's state, the pictures (B, 3, H, W) and the weighted terms."""


class PatchLoss:
    """L = w_d L_s,cc(x_d, x̂_d) + w_g L_s,cc(x_g, x̂_g) + w_b L_b, and what keeps colours between 0 and 1.

    Starts that come from the photo add a shading term, the mean square change of 4-pixel cells' mean colours in 8-bit
    steps. Gramians say how much darkness there is to be, not where: without it, a whole crack gathers in one corner.
    """

    def __init__(self, problem: PatchProblem, backbone: Backbone, space: ColourSpace) -> None:
        self.problem, self.backbone, self.space = problem, backbone, space
        self.start_rgb = space.decode(problem.start)
        self.terms: Terms = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) to (B,); the means over the batch of the weighted terms are left in `terms`."""
        problem, terms = self.problem, {}
        if problem.detail is not None:
            features = self.backbone.features(pictures, self.space)
            terms["detail"] = problem.detail.weight * problem.detail.loss(features, self.backbone.taps)
        if problem.overview is not None and problem.surroundings is not None:
            features = self.backbone.features(problem.surroundings.embed(pictures), self.space)
            terms["global"] = problem.overview.weight * problem.overview.loss(features, self.backbone.taps)
        rgb = self.space.decode(pictures)
        # L_b counts in 8-bit steps: that is what w_b between 5 and 25 was chosen for.
        moved = problem.bound * (rgb - self.start_rgb) * 255.0
        terms["boundary"] = problem.boundary_weight * moved.square().flatten(1).mean(1)
        if problem.shading_weight:
            shade = 255.0 * F.avg_pool2d(rgb - self.start_rgb, min(SHADE_CELL, *rgb.shape[-2:]))
            terms["shading"] = problem.shading_weight * shade.square().flatten(1).mean(1)
        self.terms = {name: float(value.detach().mean()) for name, value in terms.items()}
        excess = RANGE_WEIGHT * (rgb - rgb.clamp(0.0, 1.0)).square().flatten(1).mean(1)
        return torch.stack([*terms.values(), excess]).sum(0)


def synthesise(
    problem: PatchProblem, backbone: Backbone, space: ColourSpace, *, iterations: int, on_evaluation: Listener
) -> tuple[Tensor, LBFGSResult]:
    """Optimise a group of patches; returns the pictures (B, 3, H, W) in whitened colour and how it went."""
    loss = PatchLoss(problem, backbone, space)
    variables = PyramidVariables(problem.start, problem.movable, problem.level_weight)

    def listen(state: LBFGSState) -> None:
        on_evaluation(state, variables.pictures(state.points), loss.terms)

    result = minimise(
        with_gradient(lambda moved: loss(variables.pictures(moved))),
        variables.start(problem.begun),
        iterations=iterations,
        history=HISTORY,
        first_step=FIRST_STEP,
        tolerance=TOLERANCE,
        patience=PATIENCE,
        target=problem.good_enough,
        on_evaluation=listen,
    )
    return variables.pictures(result.points), result


def measured_branch(
    pictures: Sequence[Tensor | None],
    fallback: Callable[[], Statistics],
    weight: float,
    hole: Tensor,
    backbone: Backbone,
    space: ColourSpace,
    *,
    everywhere: bool,
) -> Branch:
    """A `Branch` for the holes (B, 1, H, W) of some patches, measured around them or `everywhere`.

    `pictures` are the patches' references, (1, 3, H, W) each, measured by the same pass and at the same places as the
    patch will be: then a patch that looks like its reference has a loss of zero, whatever the padding at its border
    does to the features. For ``None`` the statistics of `fallback` are used.
    """
    taps = backbone.taps
    active = None if everywhere else active_masks(hole, ACTIVE_MARGIN, len(STRIDES))
    if active is not None:
        # A hole in the last odd row or column of a map vanishes when it is pooled.
        seen = {tap for tap, mask in zip(STRIDES, active, strict=False) if mask.any()}
        taps = tuple(tap for tap in taps if tap in seen)
    found: list[Statistics] = []
    for index, picture in enumerate(pictures):
        if picture is None:
            found.append(fallback())
            continue
        present = dict(zip(backbone.taps, backbone.features(picture, space), strict=False))
        kept = [tap for tap in taps if tap in present]
        masks = None if active is None else dict(zip(STRIDES, active, strict=False))
        known = None if masks is None else [masks[tap][index : index + 1] for tap in kept]
        found.append(Statistics.of(kept, [present[tap] for tap in kept], known))
    common = [tap for tap in taps if all(tap in each.taps for each in found)]
    joined = [torch.cat([each.gramians[each.taps.index(tap)] for each in found]) for tap in common]
    return Branch(Statistics(tuple(common), tuple(joined)), weight, active, tuple(common))
