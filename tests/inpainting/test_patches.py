"""Cutting, averaging and matching of patches."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inpainting.layers import patches
from inpainting.layers.patches import best_among, best_matches, cosine_at, fold_patches, unfold_patches, window_touches


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_cosines(queries: Tensor, keys: Tensor) -> Tensor:
    """The definition, in float64."""
    q, k = queries.double(), keys.double()
    return (q @ k.T) / (q.norm(dim=1)[:, None] * k.norm(dim=1)[None])


@pytest.mark.parametrize("side", [(8, 8), (7, 10), (17, 5), (1, 6)])
@pytest.mark.parametrize(("size", "stride"), [(5, 2), (3, 1), (3, 2)])
def test_fold_is_the_inverse_of_unfold(side: tuple[int, int], size: int, stride: int) -> None:
    maps = random(2, 3, *side)
    cut = unfold_patches(maps, size, stride, size // 2)
    torch.testing.assert_close(fold_patches(cut, side, size, stride, size // 2), maps, atol=1e-6, rtol=0)


def test_uncovered_pixels_are_zero_not_nan() -> None:
    cut = unfold_patches(torch.ones(1, 1, 6, 6), 2, 3)
    folded = fold_patches(cut, (6, 6), 2, 3)
    assert folded[0, 0, 2, 2] == 0
    assert folded[0, 0, 1, 1] == 1


def test_window_touches_any_hole_pixel() -> None:
    mask = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    mask[0, 0, 4, 4] = True
    touched = window_touches(mask, 5, 2).view(5, 5)
    # Centres are 0, 2, 4, 6, 8; a window reaches two pixels either way.
    assert touched.nonzero().tolist() == [[r, c] for r in (1, 2, 3) for c in (1, 2, 3)]


@pytest.mark.parametrize("top", [1, 2, 5])
def test_matches_are_the_true_best(top: int) -> None:
    queries, keys = random(23, 12), random(41, 12, seed=1)
    found = best_matches(queries, keys, top=top)
    expected = plain_cosines(queries, keys).topk(top, dim=1)
    assert torch.equal(found.indices, expected.indices)
    torch.testing.assert_close(found.scores.double(), expected.values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_result_does_not_depend_on_chunks(rows: int) -> None:
    queries, keys = random(50, 16), random(33, 16, seed=1)
    admissible = torch.arange(33) % 3 != 0
    excluded = torch.arange(50) % 33
    whole = best_matches(queries, keys, top=3, admissible=admissible, excluded=excluded)
    budget = rows * 8 * int(admissible.sum())
    parts = best_matches(queries, keys, top=3, admissible=admissible, excluded=excluded, budget_bytes=budget)
    assert torch.equal(whole.indices, parts.indices)
    torch.testing.assert_close(whole.scores, parts.scores, atol=1e-5, rtol=0)


def test_chunks_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    pick = patches._pick_best

    def watch(scores: Tensor, labels: Tensor, matches: patches.Matches, chunk: slice) -> None:
        seen.append(scores.numel() * 8)
        pick(scores, labels, matches, chunk)

    monkeypatch.setattr(patches, "_pick_best", watch)
    best_matches(random(100, 4), random(60, 4, seed=1), budget_bytes=5000)
    assert max(seen) <= 5000
    assert len(seen) == 10


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_ties_go_to_the_lowest_index(rows: int) -> None:
    key = random(1, 48)
    other = random(6, 48, seed=1)
    keys = torch.cat([other[:2], key * 2, other[2:5], key, key * 0.1, other[5:]])
    found = best_matches(key.expand(10, -1), keys, top=3, budget_bytes=rows * 8 * len(keys))
    assert found.indices.tolist() == [[2, 6, 7]] * 10


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=5, max_size=20), st.integers(1, 4))
def test_only_admissible_keys_are_taken(allowed: list[bool], top: int) -> None:
    admissible = torch.tensor(allowed)
    found = best_matches(random(6, 5), random(len(allowed), 5, seed=1), top=top, admissible=admissible)
    taken = found.indices[found.indices >= 0]
    assert admissible[taken].all()
    expected = min(top, sum(allowed))
    assert ((found.indices >= 0).sum(1) == expected).all()
    assert torch.equal(found.indices < 0, found.scores == -torch.inf)
    for row in found.indices:
        real = row[row >= 0].tolist()
        assert len(set(real)) == len(real)


def test_a_query_does_not_take_its_excluded_key() -> None:
    rows = random(20, 8)
    found = best_matches(rows, rows, top=19, excluded=torch.arange(20))
    assert (found.indices != torch.arange(20)[:, None]).all()
    assert (found.indices >= 0).all()
    alone = best_matches(rows[:1], rows[:1], excluded=torch.tensor([0]))
    assert alone.indices.item() == -1


def test_a_twin_is_found_when_the_query_itself_is_excluded() -> None:
    rows = random(20, 8)
    rows[13] = rows[4]
    found = best_matches(rows, rows, top=2, excluded=torch.arange(20))
    assert found.indices[4, 0] == 13
    assert found.indices[13, 0] == 4


def test_candidates_give_the_exhaustive_result_when_they_hold_it() -> None:
    queries, keys = random(15, 9), random(30, 9, seed=1)
    admissible = torch.arange(30) % 4 != 1
    everything = torch.arange(30).flip(0).repeat(15, 2)
    expected = best_matches(queries, keys, top=3, admissible=admissible)
    found = best_among(queries, keys, everything, top=3, admissible=admissible, budget_bytes=3000)
    assert torch.equal(found.indices, expected.indices)
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-6, rtol=0)


def test_candidates_are_a_limit() -> None:
    queries, keys = random(8, 9), random(30, 9, seed=1)
    candidates = torch.tensor([[3, -1, 17, 3]]).repeat(8, 1)
    found = best_among(queries, keys, candidates, top=4)
    assert set(found.indices.flatten().tolist()) == {3, 17, -1}
    assert (found.indices[:, 2:] == -1).all()
    empty = best_among(queries, keys, torch.full((8, 2), -1))
    assert (empty.indices == -1).all()


def test_gathered_cosine_has_the_gradient_of_the_maximum() -> None:
    queries, keys = random(6, 10).requires_grad_(), random(9, 10, seed=1).requires_grad_()
    weights = random(6, seed=2)
    indices = best_matches(queries, keys).indices
    (cosine_at(queries, keys, indices)[:, 0] * weights).sum().backward()
    gathered = queries.grad, keys.grad
    queries.grad = keys.grad = None
    similarities = torch.nn.functional.normalize(queries) @ torch.nn.functional.normalize(keys).T
    (similarities.max(1).values * weights).sum().backward()
    torch.testing.assert_close(gathered[0], queries.grad, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(gathered[1], keys.grad, atol=1e-6, rtol=1e-5)


def test_missing_matches_weigh_nothing_in_a_softmax() -> None:
    queries, keys = random(2, 4), random(3, 4, seed=1)
    cosines = cosine_at(queries, keys, torch.tensor([[1, -1], [0, 2]]))
    assert cosines.softmax(1)[0].tolist() == [1.0, 0.0]


def test_no_keys_and_no_queries() -> None:
    assert best_matches(random(3, 4), random(0, 4)).indices.tolist() == [[-1], [-1], [-1]]
    assert best_matches(random(0, 4), random(3, 4)).indices.shape == (0, 1)


def test_half_precision_features_are_compared_in_float32() -> None:
    queries, keys = random(20, 64), random(40, 64, seed=1)
    found = best_matches(queries.half(), keys.half())
    expected = best_matches(queries.half().float(), keys.half().float())
    assert found.scores.dtype == torch.float32
    assert torch.equal(found.indices, expected.indices)
