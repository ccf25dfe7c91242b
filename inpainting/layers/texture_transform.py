"""Texture Transform Attention: eq. (1)–(6) of TTA-Net (Kim, Cheon and Lee, arXiv 2012.04242).

At one level of a U-Net, `P` is the encoder's map (fine texture, wrong inside the hole), `Q` the decoder's (coarse
meaning everywhere), both (B, C, h, w). Every position whose surroundings touch the hole looks for the most similar
place outside it and takes that place's texture:

1. *Relevance* (eq. 1): cosines of 3×3 patches of `Q` and `P` at half resolution.
2. *Swap* (eq. 2, 3): the 5×5 patch of `P` at the best match replaces the one at the position; overlaps are averaged.
3. *Fusion* (eq. 4–6): the similarity of the match says how much of the texture is let in.

Both patch sizes share one grid: half-resolution pixel (r, c) is the centre (2r, 2c) of a 5×5 patch with stride 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.layers.padding import pad_same
from inpainting.layers.patches import (
    NORM_EPSILON,
    TIE,
    Matches,
    best_among,
    best_matches,
    fold_patches,
    memory_budget,
    unfold_patches,
    unit_rows,
    window_touches,
)

Attention = Literal["hard", "soft", "off"]
SOFT_SCALE = 10.0
"""Factor before the softmax of the soft variant, as in contextual attention (Yu et al. 2018)."""
MATCH_SIZE = 3
SWAP_SIZE = 5
_CPU_LIMIT = 5e10
_GPU_LIMIT = 2e12


@dataclass(frozen=True, slots=True)
class Search:
    """How matches are looked for.

    Exhaustively, or from the coarser level's matches (index propagation): each query then tries a window of
    ``(2 · window + 1)²`` positions around its coarser match and `random_keys` keys drawn from `seed`. ``"auto"``
    propagates where the exhaustive search would take more than `limit` multiplications.
    """

    mode: Literal["auto", "exhaustive", "quick"] = "auto"
    limit: float | None = None
    """5e10 on the CPU (about a second on one core), 2e12 on an accelerator, unless given."""
    window: int = 4
    random_keys: int = 256
    seed: int = 0
    budget_bytes: int | None = None
    seeds: tuple[int, ...] = ()
    """One for each sample of a batch, in place of `seed`."""

    def of_sample(self, number: int) -> Search:
        """The search for one sample, which is the same whatever batch the sample is part of."""
        return replace(self, seed=self.seeds[number], seeds=()) if self.seeds else self

    def propagates(self, queries: int, keys: int, width: int, device: torch.device) -> bool:
        """Whether a search of this size should start from the coarser level."""
        if self.mode != "auto":
            return self.mode == "quick"
        limit = self.limit or (_CPU_LIMIT if device.type == "cpu" else _GPU_LIMIT)
        return float(queries) * keys * width > limit


class LevelMatch(NamedTuple):
    """What one level copied from where. The grid has one position for every second pixel of the level's map."""

    sources: Tensor
    """(B, gh, gw) int64: the flat grid index each position's patch was taken from; its own where nothing moved."""
    queries: Tensor
    """(B, gh, gw) bool: positions that looked for a match and found one."""
    ratio: Tensor
    """(B, 1, h, w) fusion ratio R in [0, 1], eq. (4); 1 outside the queries, 0 all over where no key was admissible."""


class TextureTransform(nn.Module):
    """Texture Transform Attention and fusion at one level.

    `attention`: ``"hard"`` is the paper's swap; ``"soft"`` mixes all patches by softmax (what the paper argues
    against); ``"off"`` is a plain skip connection (T = P, R = 1). `normalise` switches the division of eq. (6).
    """

    def __init__(self, channels: int, *, attention: Attention = "hard", normalise: bool = True) -> None:
        super().__init__()
        self.attention = attention
        self.normalise = normalise
        self.fuse = nn.Conv2d(2 * channels, channels, 3)
        nn.init.xavier_normal_(self.fuse.weight)
        nn.init.zeros_(self.fuse.bias)  # type: ignore[arg-type]

    def forward(
        self,
        context: Tensor,
        texture: Tensor,
        hole: Tensor,
        *,
        barred: Tensor | None = None,
        coarser: LevelMatch | None = None,
        search: Search | None = None,
    ) -> tuple[Tensor, LevelMatch]:
        """Fuse the context map Q with the texture map P reassembled for it.

        `context` and `texture` are (B, C, h, w), `hole` (B, 1, h, w) bool, True where the level's map saw any hole;
        `barred` marks more places that nothing may be copied from. `coarser` is the next coarser level's result.
        Returns F_out (B, C, h, w) and what was copied. A sample without any admissible key gives F_out = Q.
        """
        if self.attention == "off":
            match = _plain_skip(context)
            return self.combine(context, texture, match.ratio), match
        match = find_level_match(context, texture, hole, barred=barred, coarser=coarser, search=search or Search())
        if self.attention == "hard":
            swapped = swap_patches(texture, match.sources)
        else:
            unusable = hole if barred is None else hole | barred
            swapped = mix_patches(context, texture, match.queries, admissible_keys(unusable), search or Search())
        return self.combine(context, swapped, match.ratio), match

    def combine(self, context: Tensor, swapped: Tensor, ratio: Tensor) -> Tensor:
        """Eq. (5) and (6): ``(Q + Conv([Q, T]) ⊙ R) ⊘ (1 + R)``; the paper's (6) prints H where it means R."""
        fused = self.fuse(pad_same(torch.cat([context, swapped], dim=1), 1))
        summed: Tensor = context + fused * ratio
        return summed / (1.0 + ratio) if self.normalise else summed


def admissible_keys(unusable: Tensor) -> Tensor:
    """(B, N) bool: grid positions whose 5×5 patch, and 3×3 patch at half resolution, lie wholly outside `unusable`.

    `unusable` is (B, 1, h, w) bool.
    """
    halved = F.max_pool2d(unusable.float(), 2, ceil_mode=True)
    swap_touches = window_touches(unusable, SWAP_SIZE, stride=2)
    return ~(swap_touches | window_touches(halved, MATCH_SIZE))


def query_positions(hole: Tensor) -> Tensor:
    """(B, N) bool: grid positions whose 3×3 patch at half resolution touches the hole; `hole` is (B, 1, h, w)."""
    return window_touches(F.max_pool2d(hole.float(), 2, ceil_mode=True), MATCH_SIZE)


def find_level_match(
    context: Tensor,
    texture: Tensor,
    hole: Tensor,
    *,
    barred: Tensor | None = None,
    coarser: LevelMatch | None = None,
    search: Search,
) -> LevelMatch:
    """Eq. (1), (2) and (4): for each query of Q the index of the best key of P and its similarity.

    Arguments as for `TextureTransform`. The search itself runs without gradient; the ratio is computed again at the
    indices found, which gives the gradient of the maximum.
    """
    batch, _, height, width = context.shape
    q, p = context[:, :, ::2, ::2], texture[:, :, ::2, ::2]
    rows, columns = q.shape[-2:]
    wanted = query_positions(hole)
    keys = admissible_keys(hole if barred is None else hole | barred)
    has_keys = keys.any(1)
    queries = wanted & has_keys[:, None]
    sources = torch.arange(rows * columns, device=q.device).repeat(batch, 1)
    with torch.no_grad():
        for sample in range(batch):
            if has_keys[sample] and wanted[sample].any():
                at = queries[sample].nonzero().squeeze(1)
                pool = keys[sample].nonzero().squeeze(1)
                guide = None if coarser is None else coarser.sources[sample]
                sources[sample, at] = _search(q[sample], p[sample], at, pool, guide, search.of_sample(sample))
    similarity = matched_cosines(q, p, queries, sources).clamp(0.0, 1.0)
    grid = has_keys.to(q.dtype)[:, None].repeat(1, rows * columns).masked_scatter(queries, similarity.to(q.dtype))
    ratio = F.interpolate(grid.view(batch, 1, rows, columns), scale_factor=2, mode="nearest")[..., :height, :width]
    shape = (batch, rows, columns)
    return LevelMatch(sources.view(shape), queries.view(shape), ratio)


def matched_cosines(q: Tensor, p: Tensor, queries: Tensor, sources: Tensor) -> Tensor:
    """Cosines of 3×3 patches of `q` at the query positions with those of `p` at their sources, with gradient.

    `q`, `p` are (B, C, gh, gw), `queries` (B, N) bool, `sources` (B, N) int64; the result is (number of queries,)
    in float32, in the order of ``queries.nonzero()``. Patches reach over the border as zeros, like `unfold_patches`.
    """
    with torch.autocast(q.device.type, enabled=False):
        samples, at = queries.nonzero(as_tuple=True)
        source = sources[samples, at]
        height, width = q.shape[-2:]
        q, p = q.float(), p.float()
        q_rows, p_rows = _pixel_rows(q), _pixel_rows(p)
        dots = q_rows.new_zeros(at.shape)
        for dy, dx in _offsets(MATCH_SIZE // 2):
            here, here_inside = _shifted(samples, at // width + dy, at % width + dx, height, width)
            there, there_inside = _shifted(samples, source // width + dy, source % width + dx, height, width)
            products = (q_rows.index_select(0, here) * p_rows.index_select(0, there)).sum(1)
            dots = dots + products * (here_inside & there_inside)
        return dots / (_patch_lengths(q)[samples, at] * _patch_lengths(p)[samples, source])


def swap_patches(texture: Tensor, sources: Tensor) -> Tensor:
    """Eq. (3): replace the 5×5 patch of each grid position by the one at its source; average where patches overlap.

    `texture` is (B, C, h, w), `sources` (B, gh, gw) int64 flat grid indices. The same as unfolding, exchanging rows
    and `fold_patches`, but it gathers only the pixels that change. Parts of a source patch beyond the map's edge
    are left out of the average instead of counting as zeros.
    """
    batch, channels, height, width = texture.shape
    rows, columns = sources.shape[1:]
    own = torch.arange(rows * columns, device=sources.device).view(rows, columns)
    moved = (sources != own).float().unsqueeze(1)
    near = F.interpolate(F.max_pool2d(moved, 3, stride=1, padding=1), scale_factor=2, mode="nearest")
    samples, _, y, x = (near[..., :height, :width] > 0).nonzero(as_tuple=True)
    if samples.numel() == 0:
        return texture
    pixels = _pixel_rows(texture)
    total = pixels.new_zeros((samples.numel(), channels))
    count = pixels.new_zeros((samples.numel(), 1))
    for dr, dc in _offsets(1):
        row, column = y // 2 + dr, x // 2 + dc
        covers = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        covers &= ((y - 2 * row).abs() <= SWAP_SIZE // 2) & ((x - 2 * column).abs() <= SWAP_SIZE // 2)
        source = sources[samples, row.clamp(0, rows - 1), column.clamp(0, columns - 1)]
        from_y, from_x = y + 2 * (source // columns - row), x + 2 * (source % columns - column)
        index, inside = _shifted(samples, from_y, from_x, height, width)
        weight = (covers & inside).unsqueeze(1).to(pixels.dtype)
        total = total + pixels.index_select(0, index) * weight
        count = count + weight
    changed = (samples * height + y) * width + x
    # A pixel at the far edge may have no part of any source patch inside the map; it keeps its own value.
    value = torch.where(count > 0, total / count.clamp_min(1.0), pixels.index_select(0, changed))
    return pixels.index_copy(0, changed, value).view(batch, height, width, channels).permute(0, 3, 1, 2)


def mix_patches(context: Tensor, texture: Tensor, queries: Tensor, keys: Tensor, search: Search) -> Tensor:
    """The soft variant: each query's 5×5 patch becomes the softmax-weighted mean of all admissible patches.

    For comparison with the swap. With gradient it keeps a weight for every pair of query and key.
    """
    height, width = texture.shape[-2:]
    q = unfold_patches(context[:, :, ::2, ::2], MATCH_SIZE, padding=1)
    p = unfold_patches(texture[:, :, ::2, ::2], MATCH_SIZE, padding=1)
    inside = texture.new_ones((1, 1, height, width)).expand(texture.shape[0], -1, -1, -1)
    values = unfold_patches(torch.cat([texture, inside], dim=1), SWAP_SIZE, 2, 2)
    mixed = []
    for sample in range(q.shape[0]):
        at, pool = queries[sample].flatten().nonzero().squeeze(1), keys[sample].nonzero().squeeze(1)
        own = values[sample]
        if at.numel():
            budget = memory_budget(q.device) if search.budget_bytes is None else search.budget_bytes
            size = max(1, budget // (8 * pool.numel()))
            wanted, offered = unit_rows(q[sample, at]), unit_rows(p[sample, pool])
            parts = [
                (SOFT_SCALE * part @ offered.T).softmax(1).to(own.dtype) @ own[pool]
                for part in torch.split(wanted, size)
            ]
            own = own.index_copy(0, at, torch.cat(parts))
        mixed.append(own)
    folded = fold_patches(torch.stack(mixed), (height, width), SWAP_SIZE, 2, 2)
    # The last channel is the share of each average that lay inside the map.
    return folded[:, :-1] / folded[:, -1:].clamp_min(NORM_EPSILON)


def _plain_skip(context: Tensor) -> LevelMatch:
    batch, _, height, width = context.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    own = torch.arange(rows * columns, device=context.device).view(1, rows, columns).expand(batch, -1, -1)
    return LevelMatch(own, torch.zeros_like(own, dtype=torch.bool), context.new_ones((batch, 1, height, width)))


def _search(q: Tensor, p: Tensor, at: Tensor, pool: Tensor, guide: Tensor | None, search: Search) -> Tensor:
    """Flat grid index in `p` (C, gh, gw) of the best of the `pool` positions for each of the `at` positions of `q`."""
    queries, keys = _patches_at(q, at), _patches_at(p, pool)
    work = (queries.shape[0], keys.shape[0], keys.shape[1])
    if guide is None or keys.shape[0] <= search.random_keys or not search.propagates(*work, q.device):
        return pool[best_matches(queries, keys, budget_bytes=search.budget_bytes).indices[:, 0]]
    rows, columns = q.shape[-2:]
    place = torch.full((rows * columns,), -1, dtype=torch.int64, device=q.device)
    place[pool] = torch.arange(pool.numel(), device=q.device)
    candidates = _window_candidates(at, guide, rows, columns, search.window, place)
    near = best_among(queries, keys, candidates, budget_bytes=search.budget_bytes)
    drawn = torch.randperm(keys.shape[0], generator=torch.Generator().manual_seed(search.seed))[: search.random_keys]
    chosen = drawn.sort().values.to(q.device)
    far = best_matches(queries, keys[chosen], budget_bytes=search.budget_bytes)
    return pool[_better(near, Matches(chosen[far.indices], far.scores))]


def _window_candidates(at: Tensor, guide: Tensor, rows: int, columns: int, window: int, place: Tensor) -> Tensor:
    """Keys (Nq, K) around twice the coarser level's matches; -1 for positions off the map or not admissible.

    `guide` is the coarser level's (⌈rows / 2⌉, ⌈columns / 2⌉) sources, `place` maps a grid position to its key.
    """
    y, x = at // columns, at % columns
    coarse = guide[(y // 2).clamp(max=guide.shape[0] - 1), (x // 2).clamp(max=guide.shape[1] - 1)]
    y = 2 * (coarse // guide.shape[1]) + y % 2
    x = 2 * (coarse % guide.shape[1]) + x % 2
    steps = torch.arange(-window, window + 1, device=at.device)
    near_y = (y[:, None] + steps).repeat_interleave(steps.numel(), dim=1)
    near_x = (x[:, None] + steps).repeat(1, steps.numel())
    inside = (near_y >= 0) & (near_y < rows) & (near_x >= 0) & (near_x < columns)
    flat = near_y.clamp(0, rows - 1) * columns + near_x.clamp(0, columns - 1)
    return torch.where(inside, place[flat], -1)


def _better(first: Matches, second: Matches) -> Tensor:
    """Per query the index of the more similar match; the lower index where both are equally good."""
    a, b = first.indices[:, 0], second.indices[:, 0]
    lead = first.scores[:, 0] - second.scores[:, 0]
    equal = lead.abs() <= TIE
    return torch.where(equal, torch.minimum(a, b), torch.where(lead > 0, a, b))


def _patches_at(maps: Tensor, positions: Tensor) -> Tensor:
    """3×3 patches (n, 9 · C) of (C, gh, gw) at flat positions, zeros beyond the border."""
    height, width = maps.shape[-2:]
    pixels = _pixel_rows(maps.unsqueeze(0))
    first = torch.zeros_like(positions)
    parts = []
    for dy, dx in _offsets(MATCH_SIZE // 2):
        index, inside = _shifted(first, positions // width + dy, positions % width + dx, height, width)
        parts.append(pixels.index_select(0, index) * inside.unsqueeze(1))
    return torch.cat(parts, dim=1)


def _patch_lengths(maps: Tensor) -> Tensor:
    """(B, N) Euclidean lengths of all 3×3 patches of (B, C, gh, gw), at least `NORM_EPSILON`."""
    squares = maps.square().sum(1, keepdim=True)
    summed = F.avg_pool2d(squares, MATCH_SIZE, stride=1, padding=1, divisor_override=1)
    return summed.flatten(1).clamp_min(NORM_EPSILON**2).sqrt()


def _pixel_rows(maps: Tensor) -> Tensor:
    """(B, C, h, w) as (B · h · w, C)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _shifted(samples: Tensor, y: Tensor, x: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row numbers for `_pixel_rows`, clamped to the map, and which of them really lie inside it."""
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return (samples * height + y.clamp(0, height - 1)) * width + x.clamp(0, width - 1), inside


def _offsets(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    return [(dy, dx) for dy in steps for dx in steps]
