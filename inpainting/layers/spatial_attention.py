"""Attention of hole positions to the known region and to the rest of the hole.

Source: Wu et al., "Deep generative model for image inpainting with local binary pattern learning and spatial
attention", eq. (9)–(14). Every 1×1 feature P_j of the hole Ω looks for the T features of Ω and the T features of the
known region Ω̄ that are most similar to it, and is given their mean, weighted by a softmax over all 2T similarities.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inpainting.layers.patches import TIE, memory_budget, unit_rows

_BYTES_PER_SCORE = 8
"""A float32 score, its tie flag and what the comparison needs meanwhile."""


@dataclass(slots=True)
class Picks:
    """What the hole positions looked at. Positions count row by row in the feature map; n is the largest |Ω|.

    Rows beyond a sample's own |Ω|, and slots without a candidate, have weight 0.
    """

    height: int
    width: int
    top: int
    """T: slots 0 … T−1 lie in the hole, T … 2T−1 in the known region."""
    positions: Tensor
    """(B, n): the hole position of each row."""
    chosen: Tensor
    """(B, n, 2T): the positions picked for it, most similar first within each half."""
    weights: Tensor
    """(B, n, 2T): exp(S)/Z of eq. (13); each used row sums to 1."""


class SpatialAttention(nn.Module):
    """The spatial attention layer. It has no parameters.

    The similarity matrix is never built: blocks of hole positions are compared at a time, and the result does not
    depend on the size of the blocks. A whole batch is searched at once (`patches.best_matches` takes one picture at a
    time, which keeps a GPU waiting in training). The picks are hard; gradients flow through the picked features and
    through the similarities that weight them.

    Args:
        top: T, picks per region.
        within_hole: whether hole positions look at other hole positions too; off for ablation.
        block_rows: hole positions compared at a time; ``None`` picks what fits 256 MiB (CPU) or 1 GiB (GPU).
    """

    def __init__(self, top: int = 2, *, within_hole: bool = True, block_rows: int | None = None) -> None:
        super().__init__()
        if top < 1 or (block_rows is not None and block_rows < 1):
            raise ValueError("Spatial attention needs at least one pick and one row a block.")
        self.top = top
        self.within_hole = within_hole
        self.block_rows = block_rows

    def extra_repr(self) -> str:
        return f"top={self.top}, within_hole={self.within_hole}"

    def forward(self, decoder: Tensor, encoder: Tensor, hole: Tensor) -> tuple[Tensor, Picks]:
        """Mix each hole position from its picks.

        Args:
            decoder: (B, C, h, w), features being generated: the queries, and the candidates inside the hole.
            encoder: (B, C, h, w), features of what was given: the candidates in the known region.
            hole: (B, 1, h, w), non-zero in the hole.

        Returns:
            P* as (B, C, h, w), 0 at known positions and where there was nothing to pick, and the picks.
        """
        if decoder.shape != encoder.shape or hole.shape != (decoder.shape[0], 1, *decoder.shape[2:]):
            shapes = ", ".join(str(tuple(part.shape)) for part in (decoder, encoder, hole))
            raise ValueError(f"Spatial attention got parts that do not belong together: {shapes}.")
        size = (decoder.shape[2], decoder.shape[3])
        # Similarities decide by small differences: half precision would pick other patches.
        with torch.autocast(decoder.device.type, enabled=False):
            mixed, picks = self._attend(_rows(decoder), _rows(encoder), hole.flatten(1) > 0, size)
        return mixed.transpose(1, 2).reshape(decoder.shape).to(decoder.dtype), picks

    def _attend(self, generated: Tensor, given: Tensor, omega: Tensor, size: tuple[int, int]) -> tuple[Tensor, Picks]:
        batch, length, _ = generated.shape
        counts = omega.sum(dim=1)
        most = int(counts.max())
        # Hole positions first, in ascending order; samples with fewer of them are filled up with unused rows.
        positions = (~omega).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
        used = torch.arange(most, device=omega.device) < counts[:, None]
        generated_unit, given_unit = unit_rows(generated), unit_rows(given)

        values, chosen, weights = [], [], []
        step = self._rows_per_block(batch, length, generated.device)
        for start in range(0, most, step):
            rows = positions[:, start : start + step]
            query = _take(generated_unit, rows)
            inside, outside, valid = self._select(query, generated_unit, given_unit, omega, positions, used, start)
            picked = torch.cat([_take(generated, inside), _take(given, outside)], dim=2)
            picked_unit = torch.cat([_take(generated_unit, inside), _take(given_unit, outside)], dim=2)
            weight = _softmax_over((query[:, :, None] * picked_unit).sum(dim=3), valid)
            weight = weight * used[:, start : start + step, None]
            values.append((weight[..., None] * picked).sum(dim=2))  # eq. (13)
            chosen.append(torch.cat([inside, outside], dim=2))
            weights.append(weight.detach())

        if not values:
            empty = positions.new_empty((batch, 0, 2 * self.top))
            picks = Picks(*size, self.top, positions, empty, generated.new_empty(empty.shape))
            return torch.zeros_like(generated), picks
        place = positions[..., None].expand(-1, -1, generated.shape[2])
        mixed = torch.zeros_like(generated).scatter(1, place, torch.cat(values, dim=1))
        return mixed, Picks(*size, self.top, positions, torch.cat(chosen, dim=1), torch.cat(weights, dim=1))

    @torch.no_grad()
    def _select(
        self,
        query: Tensor,
        generated_unit: Tensor,
        given_unit: Tensor,
        omega: Tensor,
        positions: Tensor,
        used: Tensor,
        start: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Indices of the top T in the hole and outside, (B, r, T) each, and which of the 2T exist."""
        known_scores = query @ given_unit.transpose(1, 2)  # eq. (12)
        known_scores.masked_fill_(omega[:, None], -torch.inf)
        outside, outside_valid = best_first(known_scores, self.top)
        if not self.within_hole:
            return torch.zeros_like(outside), outside, torch.cat([torch.zeros_like(outside_valid), outside_valid], 2)
        hole_scores = query @ _take(generated_unit, positions).transpose(1, 2)  # eq. (11)
        hole_scores.masked_fill_(~used[:, None], -torch.inf)
        itself = torch.arange(start, start + query.shape[1], device=query.device)
        hole_scores[:, itself - start, itself] = -torch.inf
        columns, inside_valid = best_first(hole_scores, self.top)
        inside = positions.gather(1, columns.flatten(1)).view_as(columns)
        return inside, outside, torch.cat([inside_valid, outside_valid], dim=2)

    def _rows_per_block(self, batch: int, length: int, device: torch.device) -> int:
        if self.block_rows is not None:
            return self.block_rows
        return max(1, memory_budget(device) // (_BYTES_PER_SCORE * batch * length))


def best_first(scores: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """The `top` largest entries of the last axis; of equal ones the first, which `torch.topk` does not promise.

    Args:
        scores: (…, N) float; −inf marks what may not be picked. Is overwritten.

    Returns:
        Indices and whether there was something left to pick, both (…, top).
    """
    indices, valid = [], []
    for _ in range(top):
        best = scores.amax(dim=-1, keepdim=True)
        # Equal scores differ in the last bits with the shape of the block: the flag makes them equal again.
        index = (scores >= best - TIE).view(torch.uint8).argmax(dim=-1, keepdim=True)
        indices.append(index)
        valid.append(torch.isfinite(scores.gather(-1, index)))
        scores.scatter_(-1, index, -torch.inf)
    return torch.cat(indices, dim=-1), torch.cat(valid, dim=-1)


def _rows(features: Tensor) -> Tensor:
    """(B, C, h, w) to (B, h·w, C) in single precision."""
    return features.flatten(2).transpose(1, 2).float()


def _take(rows: Tensor, index: Tensor) -> Tensor:
    """Rows (B, N, C) at index (B, …) as (B, …, C)."""
    flat = index.flatten(1)
    taken = rows.gather(1, flat[..., None].expand(-1, -1, rows.shape[2]))
    return taken.view(*index.shape, rows.shape[2])


def _softmax_over(scores: Tensor, valid: Tensor) -> Tensor:
    """Softmax of eq. (13)–(14) over the valid slots; all zero when none is."""
    # A finite floor keeps the gradient finite in rows without any valid slot; exp(-1e4) is exactly 0.
    return torch.softmax(scores.masked_fill(~valid, -1e4), dim=-1) * valid
