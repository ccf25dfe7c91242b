"""Patches of feature maps that a hole should resemble: finding them, and the energy of not yet resembling them.

Eq. (3) and (4) of multi-scale neural patch synthesis (Yang et al. 2017). A patch is 3×3 positions of a feature map;
*queries* are the patches centred on the hole's positions, *keys* those that do not touch it. Places are (row, column).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.patches import CPU_BUDGET, GATHER_BUDGET, GPU_BUDGET
from inpainting.layers.regional_features import Window

Measure = Literal["distance", "correlation"]
"""How alike two patches are. ``distance``: 1 − ‖q − k‖² / 2v, with v the keys' mean squared distance from their mean,
so that 1 is equality and unrelated patches are near 0; the order is that of eq. (4). ``correlation``: normalised, as in
the published code; blind to contrast, which in a network without biases is blind to how dark a place is."""
PATCH = 3
_HALF = PATCH // 2
_FLOAT_BYTES = 4
_AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
_NOWHERE = 10**6
_TINY = 1e-12
TIE = 1e-5
"""Similarities closer than this are equal: distances of long vectors lose digits."""
_SWEEPS = 8


class Nearest(NamedTuple):
    """What `nearest_patches` found for each query."""

    places: Tensor
    """(N, 2) int64: the centre of the patch that was chosen."""
    scores: Tensor
    """(N,) float32: its similarity to the query, at most 1."""


def hole_positions(hole: Tensor, stride: int) -> Tensor:
    """R^φ: which positions (h, w) of a map with `stride` show any hole pixel of `hole` (H, W); sides are rounded up."""
    return F.max_pool2d(hole[None, None].float(), stride, ceil_mode=True)[0, 0] > 0.5


def key_positions(unusable: Tensor) -> Tensor:
    """Which positions (h, w) may be copied: those whose 3×3 window touches no unusable one."""
    return F.max_pool2d(unusable[None, None].float(), PATCH, stride=1, padding=_HALF)[0, 0] < 0.5


def patches_at(features: Tensor, places: Tensor) -> Tensor:
    """The 3×3 patches (N, 9·C) of `features` (1, C, h, w) around `places` (N, 2); zeros outside the map."""
    return _cut(F.pad(features, (_HALF, _HALF, _HALF, _HALF)), places)


def _cut(padded: Tensor, places: Tensor) -> Tensor:
    """`patches_at` of a map that has its padding."""
    channels, row = padded.shape[1], padded.shape[3]
    offsets = torch.arange(PATCH, device=padded.device)
    corners = places[:, 0] * row + places[:, 1]
    index = corners[:, None] + (offsets[:, None] * row + offsets).flatten()
    return padded[0].flatten(1)[:, index.flatten()].view(channels, len(places), -1).permute(1, 0, 2).flatten(1)


@torch.no_grad()
def nearest_patches(
    queries: Tensor,
    keys: Tensor,
    admissible: Tensor,
    *,
    measure: Measure = "distance",
    budget_bytes: int | None = None,
    on_block: Callable[[], None] | None = None,
) -> Nearest:
    """The most similar key patch of each query, exactly, in bounded memory.

    Args:
        queries: (N, 9·C) patches.
        keys: (1, C, h, w) features whose patches are the keys.
        admissible: (h, w) bool; at least one must be true.
        measure: see `Measure`.
        budget_bytes: what the patches and similarities of one block may take.
        on_block: called before each block of keys; may raise to stop.

    Equal similarities go to the first place in reading order.
    """
    budget = budget_bytes if budget_bytes is not None else CPU_BUDGET if keys.device.type == "cpu" else GPU_BUDGET
    compare = _Comparison(queries, keys, admissible, measure)
    scores = torch.full((len(queries),), -torch.inf, device=queries.device)
    places = torch.zeros(len(queries), 2, dtype=torch.int64, device=queries.device)
    # Half of the budget for a block's patches (as gathered, and in order), half for their similarities.
    for block in torch.split(admissible.nonzero(), max(1, budget // (4 * _FLOAT_BYTES * queries.shape[1]))):
        if on_block is not None:
            on_block()
        patches = compare.key_patches(block).T
        rows = max(1, budget // (4 * _FLOAT_BYTES * len(block)))
        for start in range(0, len(queries), rows):
            part = slice(start, start + rows)
            similar = compare.finish(compare.queries[part] @ patches, part, block)
            # argmax gives the first of equals; the comparison makes equals of what differs by rounding only.
            first = (similar >= similar.amax(1, keepdim=True) - TIE).view(torch.uint8).argmax(1)
            score = similar.gather(1, first[:, None])[:, 0]
            better = score > scores[part] + TIE
            places[part] = torch.where(better[:, None], block[first], places[part])
            scores[part] = torch.where(better, score, scores[part])
    return Nearest(places, scores)


@torch.no_grad()
def agreeing_patches(
    queries: Tensor,
    positions: Tensor,
    keys: Tensor,
    admissible: Tensor,
    nearest: Nearest,
    *,
    weight: float,
    measure: Measure = "distance",
    on_block: Callable[[], None] | None = None,
) -> Nearest:
    """Nearest neighbours again, preferring those with which the patches fit together.

    Where several keys resemble a query about equally, independent choices contradict each other in the overlap of
    neighbouring patches, and the mean of what they want is a blur that no picture can have. So query i now maximises
    ``similarity + weight · (share of its neighbours with the same displacement)``, over its own exact nearest
    neighbour and its neighbours' displacements, in sweeps of four interleaved grids until nothing changes (at most
    eight). `positions` (N, 2) are the queries' own places; other arguments as for `nearest_patches`.
    """
    compare = _Comparison(queries, keys, admissible, measure)
    neighbours = _neighbours(positions)
    colour = positions[:, 0] % 2 * 2 + positions[:, 1] % 2
    exact = nearest.places - positions
    moves, scores = exact.clone(), nearest.scores.clone()
    limit = positions.new_tensor(admissible.shape)
    for _ in range(_SWEEPS):
        changed = False
        for mine in ((colour == each).nonzero().squeeze(1) for each in range(4)):
            if on_block is not None:
                on_block()
            near = neighbours[mine]
            theirs = torch.where((near >= 0)[..., None], moves[near.clamp_min(0)], _NOWHERE)
            tried = torch.cat([moves[mine, None], exact[mine, None], theirs], dim=1)  # (n, 10, 2)
            same = (tried[:, :, None] == theirs[:, None]).all(-1).float().sum(-1)
            votes = same / (near >= 0).sum(1, keepdim=True).clamp_min(1)
            places = positions[mine, None] + tried
            allowed = ((places >= 0) & (places < limit)).all(-1)
            places = places.clamp_min(0).minimum(limit - 1)
            allowed &= admissible[places[..., 0], places[..., 1]]
            similar = compare.at(mine, places)
            chosen = (similar + weight * votes).masked_fill(~allowed, -torch.inf).argmax(1)
            each = torch.arange(len(mine), device=mine.device)
            new = tried[each, chosen]
            changed |= bool((new != moves[mine]).any())
            moves[mine], scores[mine] = new, similar[each, chosen]
        if not changed:
            break
    return Nearest(positions + moves, scores)


class _Comparison:
    """Similarities of queries and keys, both relative to the admissible keys' mean."""

    def __init__(self, queries: Tensor, keys: Tensor, admissible: Tensor, measure: Measure) -> None:
        centre = keys[0][:, admissible].mean(1)
        # What lies beyond the edge is zero before the mean is taken off, in keys as in queries.
        self._keys = F.pad(keys, (_HALF, _HALF, _HALF, _HALF)) - centre.view(1, -1, 1, 1)
        self.queries = queries - centre.repeat_interleave(PATCH * PATCH)
        self._by_distance = measure == "distance"
        if not self._by_distance:
            self.queries = F.normalize(self.queries, dim=1)
        squares = self._keys.square().sum(1, keepdim=True)
        self._squares = F.avg_pool2d(squares, PATCH, 1, divisor_override=1)[0, 0]
        self._spread = self._squares[admissible].mean().clamp_min(_TINY)
        self._query_squares = self.queries.square().sum(1)

    def key_patches(self, places: Tensor) -> Tensor:
        """(n, 9·C)."""
        return _cut(self._keys, places)

    def finish(self, products: Tensor, part: slice | Tensor, places: Tensor) -> Tensor:
        """Similarities from inner products (q, k) of the queries `part` with the keys at `places` (k, 2) or
        (q, k, 2); uses `products` up."""
        squares = self._squares[places[..., 0], places[..., 1]]
        if not self._by_distance:
            return products.div_(squares.sqrt().clamp_min(_TINY))
        mine = self._query_squares[part, None]
        return products.mul_(2.0).sub_(squares).sub_(mine).div_(2.0 * self._spread).add_(1.0)

    def at(self, mine: Tensor, places: Tensor) -> Tensor:
        """(n, k): of the queries numbered `mine` (n,) with the keys at `places` (n, k, 2)."""
        each = places.shape[1]
        flat, who = places.flatten(0, 1), mine.repeat_interleave(each)
        products = torch.empty(len(flat), device=flat.device)
        budget = GATHER_BUDGET if flat.device.type == "cpu" else GPU_BUDGET // 4
        rows = max(1, budget // (_FLOAT_BYTES * self.queries.shape[1]))
        for start in range(0, len(flat), rows):
            part = slice(start, start + rows)
            products[part] = (self.key_patches(flat[part]) * self.queries[who[part]]).sum(1)
        return self.finish(products.view(-1, each), mine, places)


class PatchTargets:
    """The texture energy of eq. (3) for fixed nearest neighbours, as a function of a window of the feature map.

    ``E_t = 1 / (|R^φ| · 9C) · Σ_i ‖P_i − P_nn(i)‖²``: the paper's mean over patches, and over a patch's elements too,
    so that layers of different width count alike; elements beyond the map's edge do not count. Sorted by position
    instead of by patch the same sum is ``Σ_p n_p ‖φ_p − m_p‖² + c``, where `n_p` patches cover position p, `m_p` is the
    mean of what they want there, and c how much they disagree. So evaluating it needs no patches.

    Args:
        keys: (1, C, h, w), the features that patches are taken from.
        positions: (N, 2), the queries' places in the hole's map.
        places: (N, 2), their nearest neighbours' places in `keys`.
        window: the part of the hole's map that will be given; holds every query's 3×3 window as far as the map goes.
    """

    def __init__(self, keys: Tensor, positions: Tensor, places: Tensor, window: Window) -> None:
        height, width = window.size
        row = width + 2 * _HALF
        channels, key_row = keys.shape[1], keys.shape[3] + 2 * _HALF
        padded = F.pad(keys, (_HALF, _HALF, _HALF, _HALF))[0].flatten(1).T.contiguous()
        total = keys.new_zeros((height + 2 * _HALF) * row, channels)
        squares, covered = keys.new_zeros(len(total)), keys.new_zeros(len(total))
        to = (positions[:, 0] - window.top) * row + positions[:, 1] - window.left
        fro = places[:, 0] * key_row + places[:, 1]
        for down in range(PATCH):
            for right in range(PATCH):
                # One element of every patch at a time: no place occurs twice, so the sum is repeatable.
                at = to + down * row + right
                part = padded[fro + down * key_row + right]
                total[at] += part
                squares[at] += part.square().sum(1)
                covered[at] += 1.0
        mean = total / covered.clamp_min(1.0)[:, None]
        inner = (slice(_HALF, _HALF + height), slice(_HALF, _HALF + width))
        self.mean = mean.view(-1, row, channels)[inner].permute(2, 0, 1)[None].contiguous()
        self.covered = covered.view(-1, row)[inner].contiguous()
        self._share = 1.0 / (len(positions) * PATCH * PATCH * channels)
        disagreement = squares.view(-1, row)[inner] - self.covered * self.mean[0].square().sum(0)
        self.floor = float(disagreement.double().sum().clamp_min(0.0)) * self._share
        """c: the energy that no picture can get below."""

    def __call__(self, features: Tensor) -> Tensor:
        """E_t of `features` (1, C, h, w) over the window, as a scalar."""
        away = (features - self.mean).square().sum(1)[0]
        return (away * self.covered).sum() * self._share + self.floor


def _neighbours(positions: Tensor) -> Tensor:
    """(N, 8): the numbers of the queries around each query, -1 where there is none."""
    top_left = positions.amin(0)
    height, width = (positions.amax(0) - top_left + 3).tolist()
    at = positions - top_left + 1
    number = positions.new_full((height, width), -1)
    number[at[:, 0], at[:, 1]] = torch.arange(len(positions), device=positions.device)
    around = at[:, None] + positions.new_tensor(_AROUND)
    return number[around[..., 0], around[..., 1]]
