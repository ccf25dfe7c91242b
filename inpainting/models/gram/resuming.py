"""How far the synthesis of one crop has got, as a state that another attempt can go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.checkpoints import ModelState
from inpainting.imaging.context import Box

Stage = Literal["coarse", "fine"]


@dataclass(slots=True)
class Reached:
    """What there is to know of a synthesis besides its pixels."""

    stage: Stage = "coarse"
    group: int = 0
    """Which group of patches is being synthesised."""
    iteration: int = 0
    """Steps done in this stage or group by attempts before this one."""
    iterations: int = 0
    """Steps of finished stages and groups."""
    losses: list[tuple[float, float]] = field(default_factory=list)
    """First and last loss of each finished group."""
    references: list[tuple[Box, Box | None]] = field(default_factory=list)
    """The patches of finished groups and the windows that they followed."""
    curves: Mapping[str, Any] | None = None
    """The course of the loss in attempts before this one, as `LossCurves.as_note`."""

    def state(
        self, network: str, iteration: int, arrays: Mapping[str, Tensor], curves: Mapping[str, Any]
    ) -> ModelState:
        """All of it, for a synthesis by `network` that is `iteration` steps into its stage or group."""
        facts = {
            "network": network,
            "stage": self.stage,
            "group": self.group,
            "iteration": iteration,
            "iterations": self.iterations,
            "losses": self.losses,
            "references": [
                [list(patch), None if window is None else list(window)] for patch, window in self.references
            ],
            "curves": dict(curves),
        }
        return ModelState(facts, {name: array.detach().cpu().numpy() for name, array in arrays.items()})

    @classmethod
    def from_state(cls, state: ModelState, network: str) -> Reached | None:
        """What `state` says; ``None`` when it was reached by another network."""
        facts = state.facts
        if facts["network"] != network:
            return None
        return cls(
            facts["stage"],
            facts["group"],
            facts["iteration"],
            facts["iterations"],
            [(begin, end) for begin, end in facts["losses"]],
            [(Box(*patch), None if window is None else Box(*window)) for patch, window in facts["references"]],
            facts["curves"],
        )


def pixels_of(canvas: Tensor, kept: Tensor) -> Tensor:
    """(3, n): the pixels of `canvas` (1, 3, H, W) where `kept` (1, 1, H, W) is true."""
    return canvas[0][:, kept[0, 0]]


def with_pixels(canvas: Tensor, kept: Tensor, pixels: NDArray[np.float32]) -> Tensor:
    """`canvas` with the `pixels` (3, n) that `pixels_of` took."""
    whole = canvas.clone()
    whole[0][:, kept[0, 0]] = torch.from_numpy(pixels).to(canvas)
    return whole


def synthesised_region(hole: Tensor, patches: Sequence[Box], *, soft: bool) -> Tensor:
    """(1, 1, H, W): which pixels a synthesis may change: the hole, and with a soft boundary all of its patches."""
    region = hole.clone()
    for box in patches if soft else ():
        region[..., box.top : box.bottom, box.left : box.right] = True
    return region
