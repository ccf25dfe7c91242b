"""The bounded L-BFGS against scipy's, on problems whose minimum is known, in batches, and its ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import optimize
from torch import Tensor

from inpainting.layers.lbfgs import LBFGSState, minimise, with_gradient


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def rosenbrock(points: Tensor) -> Tensor:
    head, tail = points[:, :-1], points[:, 1:]
    return (100 * (tail - head.square()).square() + (1 - head).square()).sum(1)


def ill_conditioned(points: Tensor) -> Tensor:
    scales = torch.logspace(0, 4, points.shape[1], dtype=points.dtype)
    return 0.5 * (scales * (points - 0.5).square()).sum(1)


@pytest.mark.parametrize("loss", [rosenbrock, ill_conditioned])
@pytest.mark.parametrize("bounds", [None, (-0.8, 0.75)])
def test_as_low_as_scipys_in_a_comparable_number_of_evaluations(loss: object, bounds: tuple[float, float]) -> None:
    start = torch.linspace(-0.9, 0.6, 40, dtype=torch.float64)[None]
    evaluate = with_gradient(loss)  # type: ignore[arg-type]  # the parametrised functions are losses

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(torch.from_numpy(x)[None])
        return float(value), gradient[0].numpy()

    begin = start.clamp(*bounds) if bounds else start
    theirs = optimize.minimize(
        flat,
        begin[0].numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=None if bounds is None else [bounds] * 40,
        options={"maxcor": 10, "maxiter": 120, "ftol": 1e-13, "gtol": 1e-9},
    )
    ours = minimise(evaluate, start, iterations=theirs.nfev, bounds=bounds, first_step=0.1)
    first = float(loss(begin))  # type: ignore[operator]
    assert float(ours.values) - theirs.fun < 0.02 * (first - theirs.fun)
    assert ours.evaluations < 1.5 * theirs.nfev
    assert float(ours.first_values) == pytest.approx(first)
    if bounds:
        assert ours.points.min() >= bounds[0]
        assert ours.points.max() <= bounds[1]


def test_a_minimum_at_the_bounds_is_found_exactly() -> None:
    target = torch.tensor([[-2.0, 0.25, 3.0]])
    result = minimise(
        with_gradient(lambda x: (x - target).square().sum(1)), torch.zeros(1, 3), iterations=20, bounds=(0.0, 1.0)
    )
    torch.testing.assert_close(result.points, torch.tensor([[0.0, 0.25, 1.0]]))


def test_each_problem_of_a_batch_goes_its_own_way() -> None:
    """A batch gives what its problems give alone, although their steps are shortened at different times."""
    starts = torch.stack([torch.linspace(-1.2, 1.0, 8), torch.full((8,), 3.0), torch.linspace(0.9, 1.1, 8)]).double()
    evaluate = with_gradient(rosenbrock)
    together = minimise(evaluate, starts, iterations=30)
    for index in range(3):
        alone = minimise(evaluate, starts[index : index + 1], iterations=30)
        torch.testing.assert_close(together.points[index], alone.points[0])
        assert together.iterations[index] == alone.iterations[0]


def test_the_value_never_rises_and_every_evaluation_is_told() -> None:
    told: list[tuple[int, float]] = []

    def listen(state: LBFGSState) -> None:
        told.append((state.evaluations, float(state.values)))
        assert float(rosenbrock(state.points)) == pytest.approx(float(state.values))

    start = torch.linspace(-1.2, 1.0, 10)[None].double()
    result = minimise(with_gradient(rosenbrock), start, iterations=25, on_evaluation=listen)
    assert [number for number, _ in told] == list(range(1, result.evaluations + 1))
    assert all(later <= earlier for (_, earlier), (_, later) in itertools.pairwise(told))
    assert float(result.values) == pytest.approx(float(rosenbrock(result.points)))


def test_what_the_listener_raises_stops_at_once() -> None:
    class Stop(Exception):
        pass

    calls = []

    def listen(state: LBFGSState) -> None:
        calls.append(state.evaluations)
        if len(calls) == 3:
            raise Stop

    with pytest.raises(Stop):
        minimise(with_gradient(rosenbrock), torch.full((1, 5), 2.0), iterations=50, on_evaluation=listen)
    assert calls == [1, 2, 3]


def test_ends_by_itself_when_steps_gain_little() -> None:
    start = torch.full((1, 20), 3.0, dtype=torch.float64)
    evaluate = with_gradient(lambda x: ill_conditioned(x) + 1.0)  # the tolerance is a share of the value
    patient = minimise(evaluate, start, iterations=300, tolerance=1e-3)
    hasty = minimise(evaluate, start, iterations=300, tolerance=0.9, patience=3)
    assert patient.converged == hasty.converged == (True,)
    assert hasty.evaluations < patient.evaluations < 300


def test_ends_when_the_target_is_reached() -> None:
    """Each problem for itself; one begins below the target."""
    starts = torch.tensor([[3.0, -2.0], [0.1, 0.1]])
    result = minimise(with_gradient(lambda x: x.square().sum(1)), starts, iterations=50, target=0.5, first_step=0.01)
    assert result.converged == (True, True)
    assert result.iterations[1] == 0
    assert result.points[1].equal(starts[1])
    assert float(result.values[0]) <= 0.5


def test_a_start_at_the_minimum_needs_one_evaluation() -> None:
    result = minimise(with_gradient(lambda x: x.square().sum(1)), torch.zeros(2, 3), iterations=10)
    assert result.evaluations == 1
    assert result.converged == (True, True)


def test_no_iterations_returns_the_clipped_start() -> None:
    result = minimise(
        with_gradient(lambda x: x.square().sum(1)), torch.full((1, 2), 9.0), iterations=0, bounds=(0.0, 5.0)
    )
    assert result.points.tolist() == [[5.0, 5.0]]
    assert float(result.values) == 50


def test_a_step_into_the_undefined_is_shortened() -> None:
    """log x is not a number left of 0, where the first step leads."""
    result = minimise(
        with_gradient(lambda x: (x - x.log()).sum(1)), torch.full((1, 1), 6.0).double(), iterations=40, first_step=8.0
    )
    assert float(result.points) == pytest.approx(1.0, abs=1e-5)


def test_a_start_into_the_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="not a number"):
        minimise(with_gradient(lambda x: x.log().sum(1)), torch.full((1, 1), -1.0), iterations=5)


def test_pictures_keep_their_shape_and_precision() -> None:
    start = torch.rand(2, 3, 4, 5)
    result = minimise(with_gradient(lambda x: (x - 7).square().flatten(1).sum(1)), start, iterations=5)
    assert result.points.shape == start.shape
    assert result.points.dtype == torch.float32
    torch.testing.assert_close(result.points, torch.full_like(start, 7.0))
