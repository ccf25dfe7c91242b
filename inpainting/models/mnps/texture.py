"""The texture term of one scale, eq. (3): hole patches against their nearest neighbours, on several layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.neural_patches import (
    Measure,
    Nearest,
    PatchTargets,
    agreeing_patches,
    hole_positions,
    key_positions,
    nearest_patches,
    patches_at,
)
from inpainting.layers.regional_features import Window
from inpainting.models.mnps.pyramid import Scale
from inpainting.models.mnps.views import View

Layers = Literal["fine", "paper"]
STRIDES: Mapping[str, int] = {"relu1_1": 1, "relu2_1": 2, "relu3_1": 4, "relu4_1": 8}
LEADER = "relu3_1"
SEARCHED = (LEADER, "relu4_1")
"""Layers whose nearest neighbours are looked for: those of the paper."""
TAPS: Mapping[Layers, tuple[str, ...]] = {"fine": ("relu1_1", "relu2_1", *SEARCHED), "paper": SEARCHED}
"""``fine`` adds layers that take their texture from where relu3_1 found it."""
RIM = 1
"""How many positions beyond the hole's own also look for a match: their features change with the hole, and the patches
across its edge are what a seam shows in. 0 is the paper's R^φ."""
_TINY = 1e-12


class TextureTap:
    """The term of one layer.

    `maps` are the features (1, C, h, w) of the views of the photo, the plain one first. They are kept in one tall map,
    below each other with a gap of zeros, so that a place in it stands for a place in a view.
    """

    def __init__(self, name: str, scale: Scale, views: Sequence[View], rim: int = RIM) -> None:
        self.name, self.stride = name, STRIDES[name]
        # On layers that follow, the same pixels as on the leader.
        reach = rim * max(1, STRIDES[LEADER] // self.stride)
        holes = _dilated(_blocks(scale.hole, max(self.stride, STRIDES[LEADER]), self.stride), reach)
        self.height, self.width = holes.shape
        self.positions = holes.nonzero()
        self.window = Window.around(holes).grown(1).within(Window(0, 0, *holes.shape))
        off_photo = scale.positions_off_photo(self.stride)
        usable = [key_positions(_unknown_in(view, scale, self.stride, holes) | off_photo) for view in views]
        self.admissible = self._stacked([each[None, None] for each in usable])[0, 0]
        self.nearest: Nearest | None = None
        self._targets: PatchTargets | None = None

    def learn(self, maps: Sequence[Tensor]) -> None:
        """Take the features of the views, from now on divided by the plain one's mean."""
        self.unit = 1.0 / maps[0].abs().mean().clamp_min(_TINY)
        self.keys = self._stacked(maps) * self.unit

    def match(
        self,
        features: Tensor,
        coherence: float,
        measure: Measure,
        on_block: Callable[[], None] | None,
        soft: Sequence[Tensor] | None = None,
    ) -> None:
        """Look for every query's nearest neighbour, eq. (4).

        `features` are the hole's as they are now, over `window`. With `soft`, the features of pictures as soft as the
        hole is, the search compares those with each other; what is copied is sharp all the same.
        """
        if soft is None:
            keys = self.keys
            queries = patches_at(features * self.unit, self.positions - self._corner())
        else:
            keys = self._stacked(soft) * self.unit
            queries = patches_at(soft[0] * self.unit, self.positions)
        found = nearest_patches(queries, keys, self.admissible, measure=measure, on_block=on_block)
        if coherence > 0:
            found = agreeing_patches(
                queries,
                self.positions,
                keys,
                self.admissible,
                found,
                weight=coherence,
                measure=measure,
                on_block=on_block,
            )
        self.aim(found)

    def follow(self, leader: TextureTap) -> None:
        """Take the texture from where the coarser `leader` found its own."""
        if leader.nearest is None:
            raise AssertionError("a layer follows one that has been matched")
        factor = leader.stride // self.stride
        number = self.positions.new_zeros(leader.height, leader.width)
        count = torch.arange(len(leader.positions), device=number.device)
        number[leader.positions[:, 0], leader.positions[:, 1]] = count
        mine = number[self.positions[:, 0] // factor, self.positions[:, 1] // factor]
        moves = (leader.nearest.places - leader.positions)[mine] * factor
        self.aim(Nearest(self.positions + moves, leader.nearest.scores[mine]))

    def energy(self, features: Tensor) -> Tensor:
        """E_t of the features (1, C, h, w) over `window`."""
        if self._targets is None:
            raise AssertionError("the texture term needs nearest neighbours first")
        return self._targets(features * self.unit)

    def sources(self, views: Sequence[View]) -> Tensor:
        """(N, 2) float: the photo pixels (y, x) at the centres of the nearest neighbours."""
        if self.nearest is None:
            raise AssertionError("nothing has been matched")
        places = self.nearest.places
        view = places[:, 0].div(self._pitch, rounding_mode="floor")
        canvas = torch.stack([places[:, 0] - view * self._pitch, places[:, 1]], dim=1).float()
        canvas = (canvas + 0.5) * self.stride - 0.5
        size = (self.height * self.stride, self.width * self.stride)
        return torch.stack([each.in_photo(canvas, size) for each in views])[
            view, torch.arange(len(view), device=view.device)
        ]

    @property
    def _gap(self) -> int:
        return STRIDES[LEADER] // self.stride if self.stride < STRIDES[LEADER] else 1

    @property
    def _pitch(self) -> int:
        """Rows from one view to the next; on finer layers as many times more as they are finer."""
        return self.height + self._gap

    def _stacked(self, maps: Sequence[Tensor]) -> Tensor:
        if len(maps) == 1:
            return maps[0]
        return torch.cat([F.pad(each, (0, 0, 0, self._gap)) for each in maps], dim=2)

    def _corner(self) -> Tensor:
        return self.positions.new_tensor([self.window.top, self.window.left])

    def aim(self, nearest: Nearest) -> None:
        """Take the texture from `nearest`, one for each of `positions`."""
        self.nearest = nearest
        self._targets = PatchTargets(self.keys, self.positions, nearest.places, self.window)


def texture_taps(layers: Layers, scale: Scale, views: Sequence[View], rim: int = RIM) -> dict[str, TextureTap]:
    """The terms that this scale has patches for; layers that would follow a missing one are left out with it."""
    searched = {name: TextureTap(name, scale, views, rim) for name in TAPS[layers] if name in SEARCHED}
    taps = {name: tap for name, tap in searched.items() if bool(tap.admissible.any())}
    if LEADER in taps:
        taps |= {name: TextureTap(name, scale, views, rim) for name in TAPS[layers] if name not in SEARCHED}
    return taps


def _unknown_in(view: View, scale: Scale, stride: int, holes: Tensor) -> Tensor:
    """(h, w): positions of the view's map that show any of the hole, or nothing at all; `holes` in the plain view."""
    if view.is_plain:
        return holes
    known = view.of((~scale.hole).float()[None, None])[0, 0] > 0.999
    return hole_positions(~known, stride)


def _dilated(marked: Tensor, by: int) -> Tensor:
    if by == 0:
        return marked
    return F.max_pool2d(marked[None, None].float(), 2 * by + 1, stride=1, padding=by)[0, 0] > 0.5


def _blocks(hole: Tensor, block: int, stride: int) -> Tensor:
    """The positions with `stride` that lie in any block of `block` pixels with a hole pixel."""
    coarse = hole_positions(hole, block)
    return coarse.repeat_interleave(block // stride, 0).repeat_interleave(block // stride, 1)
