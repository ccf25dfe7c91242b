"""Patches of feature maps: cutting, averaging back, and finding the most similar ones in bounded memory.

Conventions: a *patch* of side `size` at grid position (row, column) is centred on the pixel
``(row · stride, column · stride)`` when ``padding = size // 2``; grids are counted row by row. Similarities are
cosines, eq. (1) of TTA-Net, computed in float32 whatever the maps' type. A full similarity matrix of
``queries × keys`` is never built: queries go through in chunks that fit a memory budget, and the result does not
depend on how many chunks there were.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_BUDGET = 256 * 2**20
"""Bytes that the blocks of one search may take on the CPU."""
GPU_BUDGET = 2**30
"""Bytes that the blocks of one search may take on an accelerator."""
GATHER_BUDGET = 16 * 2**20
"""Bytes of keys that `best_among` gathers at a time on the CPU: blocks that stay in the cache measured 2.5 times as
fast as blocks of 256 MiB."""
NORM_EPSILON = 1e-6
TIE = 1e-6
"""Similarities closer than this are equal: rounding differs with a block's shape, and ties go to the lowest index."""
_BYTES_PER_SCORE = 8
"""A float32 score, its tie flag and what the comparison needs meanwhile."""


class Matches(NamedTuple):
    """The best keys of each query, best first."""

    indices: Tensor
    """(Nq, top) int64 into the keys that were handed over; -1 where fewer than `top` keys were admissible."""
    scores: Tensor
    """(Nq, top) float32 cosines in [-1, 1]; -inf (weight 0 in a softmax) where the index is -1."""


def memory_budget(device: torch.device) -> int:
    """Bytes that one search may use for its blocks on `device`."""
    return CPU_BUDGET if device.type == "cpu" else GPU_BUDGET


def unit_rows(rows: Tensor, eps: float = NORM_EPSILON) -> Tensor:
    """(N, D) rows divided by their length, in float32; rows shorter than `eps` stay (almost) zero."""
    return F.normalize(rows.float(), dim=-1, eps=eps)


def unfold_patches(maps: Tensor, size: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Cut (B, C, H, W) into (B, N, C · size²) patches; outside the map there are zeros."""
    return F.unfold(maps, size, padding=padding, stride=stride).transpose(1, 2)


def fold_patches(patches: Tensor, output_size: tuple[int, int], size: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Lay (B, N, C · size²) patches out as (B, C, H, W), averaging where they overlap.

    The exact inverse of `unfold_patches`: each pixel is divided by the number of patches that cover it (near the
    border there are fewer). Pixels that no patch covers are zero.
    """
    total = F.fold(patches.transpose(1, 2), output_size, size, padding=padding, stride=stride)
    one = patches.new_ones((1, size * size, patches.shape[1]))
    count = F.fold(one, output_size, size, padding=padding, stride=stride)
    return total / count.clamp_min(1.0)


def window_touches(mask: Tensor, size: int, stride: int = 1, padding: int | None = None) -> Tensor:
    """Whether the window of each grid position holds any hole pixel.

    `mask` is (B, 1, H, W), bool or 0/1; the result is (B, N) bool on the grid of `unfold_patches` with the same
    arguments (`padding` is ``size // 2`` unless given). Outside the map there is no hole.
    """
    pad = size // 2 if padding is None else padding
    return F.max_pool2d(mask.float(), size, stride=stride, padding=pad).flatten(1) > 0.5


@torch.no_grad()
def best_matches(
    queries: Tensor,
    keys: Tensor,
    *,
    top: int = 1,
    admissible: Tensor | None = None,
    excluded: Tensor | None = None,
    budget_bytes: int | None = None,
) -> Matches:
    """The `top` keys with the highest cosine for each query, exactly, by exhaustive search.

    `queries` is (Nq, D), `keys` (Nk, D). `admissible` (Nk,) bool says which keys may be taken at all; `excluded`
    (Nq,) int64 names one key that this query may not take (itself, for example), -1 for none. Ties go to the lowest
    index. No gradient: use `cosine_at` on the indices, which gives the same gradient as the maximum itself.
    """
    matches = _no_matches(queries, top)
    pool = _admissible_keys(keys, admissible)
    if pool.numel() == 0 or queries.shape[0] == 0:
        return matches
    with torch.autocast(queries.device.type, enabled=False):
        usable = unit_rows(keys[pool]).T
        barred = _columns_of(excluded, pool, keys.shape[0])
        rows = _rows_per_chunk(_BYTES_PER_SCORE * pool.numel(), budget_bytes, queries.device)
        for start in range(0, queries.shape[0], rows):
            chunk = slice(start, start + rows)
            scores = unit_rows(queries[chunk]) @ usable
            if barred is not None:
                _bar(scores, barred[chunk])
            _pick_best(scores, pool.expand(scores.shape), matches, chunk)
    return matches


@torch.no_grad()
def best_among(
    queries: Tensor,
    keys: Tensor,
    candidates: Tensor,
    *,
    top: int = 1,
    admissible: Tensor | None = None,
    budget_bytes: int | None = None,
) -> Matches:
    """Like `best_matches`, but query i may only take one of ``candidates[i]``.

    `candidates` is (Nq, K) int64 into the keys, -1 for an empty place; a key listed twice counts once. Ties go to
    the lowest index, as there.
    """
    matches = _no_matches(queries, top)
    if queries.shape[0] == 0 or candidates.shape[1] == 0:
        return matches
    ordered = candidates.sort(dim=1).values
    allowed = ordered >= 0
    allowed[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    if admissible is not None:
        allowed &= admissible[ordered.clamp_min(0)]
    row_bytes = candidates.shape[1] * (4 * keys.shape[1] + _BYTES_PER_SCORE)
    if budget_bytes is None and queries.device.type == "cpu":
        budget_bytes = GATHER_BUDGET
    rows = _rows_per_chunk(row_bytes, budget_bytes, queries.device)
    with torch.autocast(queries.device.type, enabled=False):
        lengths = keys.float().norm(dim=1).clamp_min(NORM_EPSILON)
        for start in range(0, queries.shape[0], rows):
            chunk = slice(start, start + rows)
            places = ordered[chunk].clamp_min(0)
            gathered = keys.index_select(0, places.flatten()).float().view(*places.shape, -1)
            dots = torch.bmm(gathered, unit_rows(queries[chunk]).unsqueeze(2)).squeeze(2)
            scores = (dots / lengths[places]).masked_fill_(~allowed[chunk], -torch.inf)
            _pick_best(scores, ordered[chunk], matches, chunk)
    return matches


def cosine_at(queries: Tensor, keys: Tensor, indices: Tensor) -> Tensor:
    """Cosines (Nq, T) of query i with the keys ``indices[i]``, with gradient into both; -inf where the index is -1.

    Together with `best_matches` this is the maximum with its gradient at a memory of ``Nq · T · D`` instead of
    ``Nq · Nk``.
    """
    with torch.autocast(queries.device.type, enabled=False):
        chosen = unit_rows(keys.index_select(0, indices.clamp_min(0).flatten())).view(*indices.shape, -1)
        cosines = (chosen * unit_rows(queries).unsqueeze(1)).sum(-1)
    return cosines.masked_fill(indices < 0, -torch.inf)


def _no_matches(queries: Tensor, top: int) -> Matches:
    shape = (queries.shape[0], top)
    return Matches(
        torch.full(shape, -1, dtype=torch.int64, device=queries.device),
        torch.full(shape, -torch.inf, device=queries.device),
    )


def _admissible_keys(keys: Tensor, admissible: Tensor | None) -> Tensor:
    if admissible is None:
        return torch.arange(keys.shape[0], device=keys.device)
    return admissible.nonzero().squeeze(1)


def _rows_per_chunk(row_bytes: int, budget_bytes: int | None, device: torch.device) -> int:
    budget = memory_budget(device) if budget_bytes is None else budget_bytes
    return max(1, budget // row_bytes)


def _columns_of(excluded: Tensor | None, pool: Tensor, key_count: int) -> Tensor | None:
    """Where the excluded keys stand among the admissible ones; -1 when they are not among them."""
    if excluded is None:
        return None
    column = torch.full((key_count,), -1, dtype=torch.int64, device=pool.device)
    column[pool] = torch.arange(pool.numel(), device=pool.device)
    return torch.where(excluded >= 0, column[excluded.clamp_min(0)], -1)


def _bar(scores: Tensor, columns: Tensor) -> None:
    rows = (columns >= 0).nonzero().squeeze(1)
    scores[rows, columns[rows]] = -torch.inf


def _pick_best(scores: Tensor, labels: Tensor, matches: Matches, chunk: slice) -> None:
    """Write the best labels of each row of `scores` (which is used up) into `matches`, best first."""
    for rank in range(min(matches.indices.shape[1], scores.shape[1])):
        best = scores.amax(1, keepdim=True)
        # argmax gives the first of equals; the flag makes equals of scores that differ only by rounding.
        first = (scores >= best - TIE).view(torch.uint8).argmax(1, keepdim=True)
        score = scores.gather(1, first)
        found = torch.isfinite(score).squeeze(1)
        matches.indices[chunk, rank] = torch.where(found, labels.gather(1, first).squeeze(1), -1)
        matches.scores[chunk, rank] = score.squeeze(1).clamp(max=1.0)
        scores.scatter_(1, first, -torch.inf)
