"""From content to texture: minimising the objective at every scale, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG
from inpainting.layers.lbfgs import LBFGSState, minimise
from inpainting.layers.neural_patches import Nearest
from inpainting.layers.padding import pad_to_multiple
from inpainting.models.mnps.energy import EnergySettings, ScaleEnergy
from inpainting.models.mnps.pyramid import MULTIPLE, Scale, enlarged

FIRST_STEP = 0.1
"""How far the first step of a block moves the pixel with the largest gradient."""
BLOCK_GAIN = 2e-3
"""A block of steps ends early when three steps together lowered the objective by a smaller share."""
LEAST_GAIN = 0.01
"""A scale ends early when a block, its nearest neighbours fresh, ended lower than the one before by a smaller share."""
_PATIENCE = 3
_MOST_REFUSALS = 6
"""A block also ends when so many trial steps in a row were refused: what is left to gain is below rounding."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long every scale is optimised."""

    iterations: int = 60
    rematch: int = 20
    """L-BFGS iterations between two searches for nearest neighbours."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a synthesis has got: enough to go on from, without the optimiser's memory."""

    scale: int
    iteration: int
    variables: Tensor
    """(1, 3, n): the scale's hole pixels as they are now."""
    content: Tensor
    """(1, 3, n): as they were when the scale began, y of eq. (1)."""
    block: int
    """The iteration at which the nearest neighbours were last looked for."""
    matches: dict[str, Nearest]
    """They, by layer; empty before the scale's first search."""
    weights: tuple[float, float]
    """α and β of the scale; zero before its first search."""
    iterations: tuple[int, ...]
    """As `Synthesis.iterations`, of the finished scales."""
    losses: tuple[tuple[float, ...], ...]
    """As `Synthesis.losses`, of the finished scales."""


@dataclass(slots=True)
class Moment:
    """Where the synthesis is."""

    scale: int
    """0 for the coarsest."""
    iteration: int
    searching: bool = False
    """Whether nearest neighbours are being looked for."""
    losses: dict[str, float] = field(default_factory=dict)
    """The weighted terms at the last evaluation."""
    picture: Callable[[], Tensor] = torch.empty
    """The scale's picture (1, 3, h, w) as it is now, without padding."""
    reached: Callable[[], Reached] | None = None
    """Makes the state to resume from."""


@dataclass(slots=True)
class Synthesis:
    """What became of the hole."""

    picture: Tensor
    """(1, 3, H, W) in [0, 1], the finest scale without padding."""
    energy: ScaleEnergy
    """The finest scale's, with its last nearest neighbours."""
    iterations: list[int]
    """Accepted L-BFGS steps at each scale."""
    losses: list[list[float]]
    """The objective at each scale after every block, the start of the first block in front."""


def synthesise(
    network: VGG,
    scales: list[Scale],
    content: Tensor,
    settings: EnergySettings,
    schedule: Schedule,
    on_moment: Callable[[Moment], None],
    resume: Reached | None = None,
) -> Synthesis:
    """Optimise the hole at every scale, each starting from the enlarged result of the one before.

    `content` (1, 3, h, w) is the coarsest scale's first guess, without padding. `on_moment` hears of every evaluation
    and of every block of a search; what it raises stops the work at once. With `resume` the synthesis goes on there.
    """
    guess = pad_to_multiple(content, MULTIPLE)
    iterations: list[int] = []
    losses: list[list[float]] = []
    if resume is not None:
        iterations += resume.iterations
        losses += [list(values) for values in resume.losses]
        guess = scales[resume.scale].with_hole_pixels(resume.content)
    for number, scale in list(enumerate(scales))[len(iterations) :]:
        energy = ScaleEnergy(network, scale, guess, settings)
        # On the coarsest scale the content is as sharp as the photo; on the others it is enlarged.
        run = _ScaleRun(energy, number, on_moment, guess if number else None, (tuple(iterations), losses))
        if resume is not None and number == resume.scale:
            run.take_up(resume)
        losses.append(run.minimise(schedule))
        iterations.append(run.iterations)
        picture = scale.without_padding(energy.picture(run.variables))
        if number + 1 < len(scales):
            guess = enlarged(picture, scales[number + 1])
    return Synthesis(picture, energy, iterations, losses)


class _StalledError(Exception):
    """A block of steps that gets no further."""


class _ScaleRun:
    """The optimisation of one scale."""

    def __init__(
        self,
        energy: ScaleEnergy,
        number: int,
        on_moment: Callable[[Moment], None],
        soft: Tensor | None,
        finished: tuple[tuple[int, ...], list[list[float]]],
    ) -> None:
        """`finished` are the steps and objectives of the scales before."""
        self.energy, self._number, self._on_moment, self._soft = energy, number, on_moment, soft
        self._finished = finished
        self.variables = energy.content.clone()
        self.iterations = self._block_began = 0
        self._is_matched = False
        self._value = 0.0
        self._losses: dict[str, float] = {}

    def take_up(self, reached: Reached) -> None:
        """Go on where an interrupted run of this scale was."""
        if reached.matches:
            self._soft = None  # only a scale that has just begun is as soft as the enlarged result it began with
            self.variables = reached.variables.clone()
            self.iterations, self._block_began = reached.iteration, reached.block
            self.energy.alpha, self.energy.beta = reached.weights
            self.energy.take_matches(reached.matches)
            self._is_matched = True

    def minimise(self, schedule: Schedule) -> list[float]:
        """Blocks of L-BFGS steps with fresh nearest neighbours each; returns the objective after each of them."""
        values: list[float] = []
        while self.iterations < schedule.iterations:
            block = schedule.rematch - (self.iterations - self._block_began)
            if block <= 0 or not self._is_matched:
                self.energy.match(self.variables, soft=self._soft, on_block=self._tell_search)
                self._soft, self._is_matched = None, True
                self._block_began, block = self.iterations, schedule.rematch
            before, after = self._block(min(block, schedule.iterations - self.iterations))
            self._block_began = self.iterations - schedule.rematch  # over, however many steps it took
            values += [after] if values else [before, after]
            if len(values) > 2 and values[-2] - after <= LEAST_GAIN * values[-2]:
                break
        return values

    def _block(self, iterations: int) -> tuple[float, float]:
        """L-BFGS with the present nearest neighbours; returns the objective before and after."""
        done, first, refused = self.iterations, float("nan"), 0

        def look(state: LBFGSState) -> None:
            nonlocal first, refused
            reached = done + state.iterations[0]
            if state.evaluations == 1:
                first = float(state.values)
            refused = 0 if reached > self.iterations else refused + 1
            self.iterations, self.variables, self._value = reached, state.points, float(state.values)
            self._tell(searching=False)
            if refused > _MOST_REFUSALS:
                raise _StalledError

        with suppress(_StalledError):
            minimise(
                self._evaluate,
                self.variables,
                iterations=iterations,
                bounds=(0.0, 1.0),
                first_step=FIRST_STEP,
                tolerance=BLOCK_GAIN,
                patience=_PATIENCE,
                on_evaluation=look,
            )
        return first, self._value

    def _evaluate(self, points: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            variables = points.detach().requires_grad_()
            terms = self.energy.terms(variables)
            total = torch.stack(list(terms.values())).sum()
            (gradient,) = torch.autograd.grad(total, variables)
        self._losses = {name: float(term.detach()) for name, term in terms.items()}
        return total.detach()[None], gradient

    def _tell_search(self) -> None:
        self._tell(searching=True)

    def _tell(self, *, searching: bool) -> None:
        self._on_moment(Moment(self._number, self.iterations, searching, self._losses, self._picture, self._reached))

    def _reached(self) -> Reached:
        energy, (iterations, losses) = self.energy, self._finished
        return Reached(
            self._number,
            self.iterations,
            self.variables,
            energy.content,
            self._block_began,
            energy.matches if self._is_matched else {},
            (energy.alpha, energy.beta),
            iterations,
            tuple(tuple(values) for values in losses),
        )

    def _picture(self) -> Tensor:
        return self.energy.scale.without_padding(self.energy.picture(self.variables))
