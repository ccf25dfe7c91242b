"""Bounded L-BFGS for pictures: several independent problems at once, a callback after every evaluation.

Projected limited-memory BFGS: the direction comes from the two-loop recursion over the free variables (those that are
not held at a bound by the gradient), trial points are clipped to the bounds, and a step is taken when it satisfies
Armijo's condition along the clipped path. Problems of a batch share evaluations but nothing else: each has its own
history, step length and end, so a problem that must shorten its step never makes another wait.

The recursion runs on inner products of the history (as in Chen, Wang and Zhou, "Large-scale L-BFGS using MapReduce",
2014), so an iteration reads the history twice in two matrix products, whatever the device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (B, …) to values (B,) and gradients (B, …). Values that are not finite count as a failed step."""

_SUFFICIENT_DECREASE = 1e-4
_MIN_CURVATURE = 1e-10
_MAX_REJECTIONS = 20


@dataclass(frozen=True, slots=True)
class LBFGSState:
    """Where an optimisation is after an evaluation."""

    evaluations: int
    """Calls of `evaluate` so far."""
    iterations: tuple[int, ...]
    """Accepted steps of each problem."""
    values: Tensor
    """(B,), the lowest so far."""
    points: Tensor
    """(B, …), where they were found; owned by the optimiser, copy it to keep it."""


@dataclass(frozen=True, slots=True)
class LBFGSResult:
    """Where an optimisation ended."""

    points: Tensor
    """(B, …), within the bounds."""
    first_values: Tensor
    """(B,), at the (clipped) start."""
    values: Tensor
    """(B,), at `points`; never above `first_values`."""
    evaluations: int
    iterations: tuple[int, ...]
    converged: tuple[bool, ...]
    """Whether a problem stopped by itself, before `iterations` ran out."""


def with_gradient(loss: Callable[[Tensor], Tensor]) -> Evaluate:
    """An `Evaluate` from a differentiable `loss` of points (B, …) to values (B,); each value may depend on its own
    point only."""

    def evaluate(points: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            variable = points.detach().requires_grad_()
            values = loss(variable)
            (gradient,) = torch.autograd.grad(values.sum(), variable)
        return values.detach(), gradient

    return evaluate


@torch.no_grad()
def minimise(
    evaluate: Evaluate,
    start: Tensor,
    *,
    iterations: int,
    bounds: tuple[float, float] | None = None,
    history: int = 10,
    first_step: float = 1.0,
    tolerance: float = 0.0,
    patience: int = 10,
    target: float = -math.inf,
    on_evaluation: Callable[[LBFGSState], None] | None = None,
) -> LBFGSResult:
    """Minimise one value per problem from `start` (B, …), a floating-point tensor on any device.

    Args:
        evaluate: values and gradients; called at most ``iterations + 1`` times more often than steps are shortened.
        iterations: most accepted steps of each problem.
        bounds: lowest and highest value that a variable may have.
        history: pairs of differences kept, L-BFGS's m.
        first_step: how far the first step moves the variable with the largest gradient; later steps have length 1.
        tolerance: a problem ends when `patience` steps together lowered its value by less than this share of it.
        target: a problem ends when its value is no higher.
        on_evaluation: told after every evaluation; what it raises ends the optimisation and passes through.

    Deterministic: the same start gives the same points on the same machine.
    """
    run = _Run(start, bounds, history, first_step, tolerance, patience, iterations, target)
    values, gradients = evaluate(run.points())
    run.begin(values, gradients)
    first = run.values.clone()
    if on_evaluation is not None:
        on_evaluation(run.state())
    while run.active.any():
        trial = run.propose()
        values, gradients = evaluate(trial)
        run.judge(values, gradients)
        if on_evaluation is not None:
            on_evaluation(run.state())
    return LBFGSResult(
        points=run.points().clone(),
        first_values=first,
        values=run.values.clone(),
        evaluations=run.evaluations,
        iterations=tuple(int(count) for count in run.steps),
        converged=tuple(bool(done) for done in run.converged),
    )


class _Run:
    """The state of a batch of problems; vectors are (B, n), numbers per problem are float64 on the host."""

    def __init__(
        self,
        start: Tensor,
        bounds: tuple[float, float] | None,
        history: int,
        first_step: float,
        tolerance: float,
        patience: int,
        iterations: int,
        target: float,
    ) -> None:
        self.shape = start.shape
        self.bounds, self.first_step = bounds, first_step
        self.tolerance, self.patience, self.limit = tolerance, patience, iterations
        self.target = target
        self.x = self._clip(start.detach().flatten(1).clone())
        count = len(self.x)
        self.memory = _History(self.x, history)
        self.steps = np.zeros(count, np.int64)
        self.rejections = np.zeros(count, np.int64)
        self.length = np.ones(count)
        self.active = np.ones(count, np.bool_)
        self.converged = np.zeros(count, np.bool_)
        self.evaluations = 0
        self.past: list[list[float]] = []

    def points(self) -> Tensor:
        return self.x.view(self.shape)

    def state(self) -> LBFGSState:
        return LBFGSState(self.evaluations, tuple(int(n) for n in self.steps), self.values, self.points())

    def begin(self, values: Tensor, gradients: Tensor) -> None:
        if not bool(torch.isfinite(values).all()):
            raise ValueError("The optimisation cannot start: its first value is not a number.")
        self.evaluations = 1
        self.values, self.gradient = values.detach().clone(), gradients.flatten(1).clone()
        self.past = [[float(value)] for value in values]
        for index, past in enumerate(self.past):
            if past[0] <= self.target:
                self._end(index)
        self.active &= self.limit > 0
        self._aim(np.ones(len(self.x), np.bool_))

    def propose(self) -> Tensor:
        """The next trial points; problems that have ended stay where they are."""
        length = self._on_device(np.where(self.active, self.length, 0.0))
        self.trial = self._clip(self.x + length[:, None] * self.direction)
        return self.trial.view(self.shape)

    def judge(self, values: Tensor, gradients: Tensor) -> None:
        """Take the trial points that are good enough, shorten the steps of the others."""
        self.evaluations += 1
        gradients = gradients.flatten(1)
        moved = self.trial - self.x
        promised = (self.gradient * moved).sum(1).double().cpu().numpy()
        before = self.values.double().cpu().numpy()
        after = values.double().cpu().numpy()
        with np.errstate(invalid="ignore"):
            enough = after <= before + _SUFFICIENT_DECREASE * promised
        # Rounding hides a decrease that is smaller than the value's own precision: then there is nothing to gain.
        taken = self.active & np.isfinite(after) & enough & (promised < 0)
        refused = self.active & ~taken
        if taken.any():
            kept = self._on_device(taken)
            self.memory.push(moved, gradients - self.gradient, taken)
            self.x = torch.where(kept[:, None], self.trial, self.x)
            self.gradient = torch.where(kept[:, None], gradients, self.gradient)
            self.values = torch.where(kept, values.to(self.values.dtype), self.values)
            self.steps += taken
            self.rejections[taken] = 0
        for index in np.flatnonzero(taken):
            self._after_step(int(index), float(after[index]))
        for index in np.flatnonzero(refused):
            self._after_refusal(int(index), float(before[index]), float(after[index]), float(promised[index]))
        self._aim(taken | (refused & (self.rejections == 0)))

    def _after_step(self, index: int, value: float) -> None:
        past = self.past[index]
        past.append(value)
        if value <= self.target or self._stalls(past):
            self._end(index)
        if self.steps[index] >= self.limit:
            self.active[index] = False

    def _stalls(self, past: list[float]) -> bool:
        if len(past) <= self.patience:
            return False
        return past[-1 - self.patience] - past[-1] <= self.tolerance * abs(past[-1])

    def _after_refusal(self, index: int, before: float, after: float, promised: float) -> None:
        """Shorten by the minimum of the parabola through what is known; give up after many tries."""
        self.rejections[index] += 1
        if self.rejections[index] >= _MAX_REJECTIONS or promised >= 0:
            if self.memory.count[index] == 0:
                self._end(index)
                return
            self.memory.forget(index)  # a history that leads nowhere: start again along the gradient
            self.rejections[index] = 0
            return
        curvature = 2.0 * (after - before - promised)
        factor = -promised / curvature if np.isfinite(curvature) and curvature > 0 else 0.1
        self.length[index] *= min(max(factor, 0.1), 0.5)

    def _end(self, index: int) -> None:
        self.active[index] = False
        self.converged[index] = True

    def _aim(self, fresh: NDArray[np.bool_]) -> None:
        """New directions and step lengths for the `fresh` problems."""
        if not (fresh & self.active).any():
            return
        free = self._free()
        steepest = self.gradient * free
        direction = -self.memory.times_inverse(steepest) * free
        slope = (direction * self.gradient).sum(1).double().cpu().numpy()
        largest = steepest.abs().amax(1).double().cpu().numpy()
        straight = (self.memory.count == 0) | ~(slope < 0)
        for index in np.flatnonzero(fresh & self.active):
            if largest[index] == 0:
                self._end(int(index))
            elif straight[index]:
                self.memory.forget(int(index))
                self.length[index] = self.first_step / largest[index]
            else:
                self.length[index] = 1.0
        direction = torch.where(self._on_device(straight)[:, None], -steepest, direction)
        if self.evaluations == 1:
            self.direction = direction
        else:
            self.direction = torch.where(self._on_device(fresh)[:, None], direction, self.direction)

    def _free(self) -> Tensor:
        """1 for variables that may move, 0 for those whose gradient presses them against a bound."""
        if self.bounds is None:
            return torch.ones_like(self.x)
        low, high = self.bounds
        held = ((self.x <= low) & (self.gradient > 0)) | ((self.x >= high) & (self.gradient < 0))
        return (~held).to(self.x.dtype)

    def _clip(self, points: Tensor) -> Tensor:
        return points if self.bounds is None else points.clamp(*self.bounds)

    def _on_device(self, numbers: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
        made = torch.from_numpy(numbers)
        return made.to(self.x.device, torch.bool if numbers.dtype == np.bool_ else self.x.dtype)


class _History:
    """The last m pairs s = x₊ - x, y = g₊ - g of each problem, with all their inner products."""

    def __init__(self, like: Tensor, size: int) -> None:
        batch, length = like.shape
        self.size = size
        self.pairs = like.new_zeros(batch, 2 * size, length)
        """s in the first `size` rows, y in the others."""
        self.products = np.zeros((batch, 2 * size, 2 * size))
        self.count = np.zeros(batch, np.int64)
        self.newest = np.zeros(batch, np.int64)

    def push(self, s: Tensor, y: Tensor, taken: NDArray[np.bool_]) -> None:
        """Keep the pairs of the `taken` problems whose curvature is positive, in place of their oldest."""
        products = torch.stack([(s * y).sum(1), (y * y).sum(1)]).double().cpu().numpy()
        for index in np.flatnonzero(taken & (products[0] > _MIN_CURVATURE * products[1])):
            slot = (self.newest[index] + 1) % self.size if self.count[index] else 0
            self.pairs[index, slot], self.pairs[index, self.size + slot] = s[index], y[index]
            for row in (slot, self.size + slot):
                with_all = (self.pairs[index] @ self.pairs[index, row]).double().cpu().numpy()
                self.products[index, row], self.products[index, :, row] = with_all, with_all
            self.newest[index] = slot
            self.count[index] = min(self.count[index] + 1, self.size)

    def forget(self, index: int) -> None:
        self.count[index] = 0

    def times_inverse(self, gradient: Tensor) -> Tensor:
        """The approximate inverse Hessian times `gradient` (B, n); the gradient itself where there is no history."""
        with_gradient = torch.bmm(self.pairs, gradient[:, :, None])[:, :, 0].double().cpu().numpy()
        weights = np.zeros_like(with_gradient)
        scale = np.ones(len(gradient))
        for index in np.flatnonzero(self.count):
            weights[index], scale[index] = self._recursion(int(index), with_gradient[index])
        as_tensor = torch.from_numpy(np.concatenate([scale[:, None], weights], axis=1)).to(gradient)
        return as_tensor[:, :1] * gradient + torch.bmm(as_tensor[:, None, 1:], self.pairs)[:, 0]

    def _recursion(self, index: int, with_gradient: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """The two loops for one problem: weights of the 2m history vectors and of the gradient."""
        m, products = self.size, self.products[index]
        newest_first = [(self.newest[index] - back) % m for back in range(self.count[index])]
        weights = np.zeros(2 * m)
        alphas = {}
        for i in newest_first:
            alphas[i] = (with_gradient[i] + weights @ products[i]) / products[i, m + i]
            weights[m + i] -= alphas[i]
        newest = newest_first[0]
        scale = float(products[newest, m + newest] / products[m + newest, m + newest])
        weights *= scale
        for i in reversed(newest_first):
            beta = (scale * with_gradient[m + i] + weights @ products[m + i]) / products[i, m + i]
            weights[i] += alphas[i] - beta
        return weights, scale
