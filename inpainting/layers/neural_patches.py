"""Patches of feature maps that a hole should resemble: finding them, and the energy of not yet resembling them.

Eq. (3) and (4) of multi-scale neural patch synthesis (Yang et al. 2017). A patch is 3×3 positions of a feature map;
*queries* are the patches centred on the hole's positions, *keys* those that do not touch it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.patches import CPU_BUDGET, GPU_BUDGET, TIE, best_matches

PATCH = 3
_HALF = PATCH // 2
_BYTES = 4


def hole_positions(hole: Tensor, stride: int) -> Tensor:
    """R^φ: which positions (h, w) of a map with `stride` show any hole pixel of `hole` (H, W); sides are rounded up."""
    return F.max_pool2d(hole[None, None].float(), stride, ceil_mode=True)[0, 0] > 0.5


def key_positions(holes: Tensor, barred: Tensor | None = None) -> Tensor:
    """Which positions (h, w) may be copied: their 3×3 window neither touches a hole position nor is barred."""
    unusable = holes if barred is None else holes | barred
    return F.max_pool2d(unusable[None, None].float(), PATCH, stride=1, padding=_HALF)[0, 0] < 0.5


def patches_at(features: Tensor, positions: Tensor) -> Tensor:
    """The 3×3 patches (N, 9·C) of `features` (1, C, h, w) around `positions` (N, 2); zeros outside the map."""
    _, channels, height, width = features.shape
    padded = F.pad(features, (_HALF, _HALF, _HALF, _HALF))[0].flatten(1)
    offsets = torch.arange(PATCH, device=features.device)
    corner = positions[:, 0] * (width + 2 * _HALF) + positions[:, 1]
    index = corner[:, None] + (offsets[:, None] * (width + 2 * _HALF) + offsets).flatten()
    return padded[:, index.flatten()].view(channels, len(positions), -1).permute(1, 0, 2).flatten(1)


@torch.no_grad()
def nearest_patches(
    queries: Tensor,
    maps: Tensor,
    admissible: Tensor,
    *,
    centre: Tensor | None = None,
    budget_bytes: int | None = None,
    on_block: Callable[[], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """The key patch with the highest normalised correlation for each query, exactly, in bounded memory.

    Args:
        queries: (Nq, 9·C) patches.
        maps: (1, C, h, w) features whose patches are the keys.
        admissible: (h, w) bool; at least one must be true.
        centre: (C,) subtracted from queries and keys before comparing, None for nothing.
        budget_bytes: what the patches of one block of keys may take.
        on_block: called before each block; may raise to stop.

    Returns:
        (Nq,) flat positions in the map and (Nq,) correlations. Equal correlations go to the first position.
    """
    positions = admissible.nonzero()
    budget = budget_bytes if budget_bytes is not None else CPU_BUDGET if maps.device.type == "cpu" else GPU_BUDGET
    if centre is not None:
        maps = maps - centre.view(1, -1, 1, 1)
        queries = queries - centre.repeat_interleave(PATCH * PATCH)
    rows = max(1, budget // (3 * _BYTES * queries.shape[1]))
    best = torch.full((len(queries),), -torch.inf, device=queries.device)
    found = torch.zeros(len(queries), dtype=torch.int64, device=queries.device)
    for block in positions.split(rows):
        if on_block is not None:
            on_block()
        matches = best_matches(queries, patches_at(maps, block), budget_bytes=budget_bytes)
        scores, places = matches.scores[:, 0], matches.indices[:, 0].clamp_min(0)
        better = scores > best + TIE
        flat = block[:, 0] * maps.shape[-1] + block[:, 1]
        found = torch.where(better, flat[places], found)
        best = torch.where(better, scores, best)
    return found, best


class PatchTargets:
    """The texture energy of eq. (3) for fixed nearest neighbours, as a function of a window of the feature map.

    ``E_t = 1 / (|R^φ| · 9C) · Σ_i ‖P_i − P_nn(i)‖²``: the paper's mean over patches, also over a patch's elements, so
    that layers of different width count alike. Sorted by position instead of by patch the same sum is
    ``Σ_p n_p ‖φ_p − m_p‖² + c``, where `n_p` patches cover position p and `m_p` is the mean of what they want there;
    c is how much they disagree. Evaluating it needs no patches.
    """

    def __init__(self, wanted: Tensor, positions: Tensor, window: tuple[int, int, int, int]) -> None:
        """`wanted` (N, 9·C) are the patches P_nn(i) for the queries at `positions` (N, 2); `window` is (top, left,
        bottom, right) of the map and holds every query's 3×3 window as far as the map goes."""
        top, left, bottom, right = window
        height, width = bottom - top, right - left
        count, size = wanted.shape
        channels = size // (PATCH * PATCH)
        padded_width = width + 2 * _HALF
        total = wanted.new_zeros((height + 2 * _HALF) * padded_width, channels)
        squares = wanted.new_zeros(len(total))
        covered = wanted.new_zeros(len(total))
        corner = (positions[:, 0] - top) * padded_width + positions[:, 1] - left
        patches = wanted.view(count, channels, PATCH, PATCH)
        for row in range(PATCH):
            for column in range(PATCH):
                # One position of every patch at a time: no index occurs twice, so the sum is repeatable.
                place = corner + row * padded_width + column
                part = patches[:, :, row, column]
                total[place] += part
                squares[place] += part.square().sum(1)
                covered[place] += 1.0
        mean = total / covered.clamp_min(1.0)[:, None]
        inner = (slice(_HALF, _HALF + height), slice(_HALF, _HALF + width))
        self._mean = mean.view(-1, padded_width, channels)[inner].permute(2, 0, 1)[None].contiguous()
        self._covered = covered.view(-1, padded_width)[inner].contiguous()
        self._share = 1.0 / (count * size)
        squares, mean_squares = squares.view(-1, padded_width)[inner], self._mean[0].square().sum(0)
        self._floor = float((squares - self._covered * mean_squares).sum().clamp_min(0.0)) * self._share

    def __call__(self, features: Tensor) -> Tensor:
        """E_t of `features` (1, C, h, w) over the window, as a scalar."""
        away = (features - self._mean).square().sum(1)[0]
        return (away * self._covered).sum() * self._share + self._floor


_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@torch.no_grad()
def agree(
    queries: Tensor,
    positions: Tensor,
    maps: Tensor,
    admissible: Tensor,
    nearest: Tensor,
    *,
    weight: float,
    centre: Tensor | None = None,
    sweeps: int = 4,
    budget_bytes: int | None = None,
) -> tuple[Tensor, Tensor]:
    if centre is not None:
        maps = maps - centre.view(1, -1, 1, 1)
        queries = queries - centre.repeat_interleave(PATCH * PATCH)
    unit = F.normalize(queries, dim=1)
    height, width = admissible.shape
    number = torch.full((height + 4, width + 4), -1, dtype=torch.int64, device=queries.device)
    at = positions + 2
    number[at[:, 0], at[:, 1]] = torch.arange(len(positions), device=queries.device)
    shifts = torch.tensor(_NEIGHBOURS, device=queries.device)
    around = at[:, None] + shifts
    neighbours = number[around[..., 0], around[..., 1]]  # (N, 8), -1 for none
    colour = positions[:, 0] % 2 * 2 + positions[:, 1] % 2
    offsets = torch.stack([nearest // width, nearest % width], 1) - positions
    exact = offsets.clone()
    norms = _patch_norms(maps)
    scores = torch.zeros(len(positions), device=queries.device)
    for _ in range(sweeps):
        changed = 0
        for c in range(4):
            mine = (colour == c).nonzero().squeeze(1)
            if not len(mine):
                continue
            near = neighbours[mine]
            theirs = torch.where((near >= 0)[..., None], offsets[near.clamp_min(0)], 10**6)
            candidates = torch.cat([offsets[mine][:, None], exact[mine][:, None], theirs], 1)  # (n, 10, 2)
            votes = (candidates[:, :, None] == theirs[:, None]).all(-1).float().sum(-1)
            votes = votes / (near >= 0).sum(1, keepdim=True).clamp_min(1)
            places = positions[mine][:, None] + candidates
            inside = ((places >= 0) & (places < places.new_tensor([height, width]))).all(-1)
            places = places.clamp_min(0).minimum(places.new_tensor([height - 1, width - 1]))
            inside &= admissible[places[..., 0], places[..., 1]]
            flat = places.flatten(0, 1)
            cos = torch.empty(len(flat), device=queries.device)
            step = 2048
            who = mine.repeat_interleave(candidates.shape[1])
            for start in range(0, len(flat), step):
                s = slice(start, start + step)
                cos[s] = (patches_at(maps, flat[s]) * unit[who[s]]).sum(1)
            cos = cos.view(places.shape[:2]) / norms[places[..., 0], places[..., 1]]
            total = (cos + weight * votes).masked_fill(~inside, -torch.inf)
            pick = total.argmax(1)
            new = candidates[torch.arange(len(mine)), pick]
            changed += int((new != offsets[mine]).any(1).sum())
            offsets[mine] = new
            scores[mine] = cos[torch.arange(len(mine)), pick]
        if not changed:
            break
    found = positions + offsets
    return found[:, 0] * width + found[:, 1], scores


def _patch_norms(maps: Tensor) -> Tensor:
    squares = maps.square().sum(1, keepdim=True)
    return F.avg_pool2d(squares, PATCH, 1, _HALF, divisor_override=1)[0, 0].clamp_min(1e-12).sqrt()
