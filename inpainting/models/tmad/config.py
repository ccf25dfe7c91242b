"""Sizes of T-MAD."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Retrieval = Literal["topk", "weighted"]


@dataclass(frozen=True, slots=True)
class TMADConfig:
    """Widths and constants of one T-MAD.

    The numbers of blocks (table I) and the size of the memory are the paper's. Its text has lost the patch sizes and
    gives no widths: those of `PAPER` are chosen so that the total is the 3.9 million parameters of its table III.
    """

    coarse: tuple[int, int, int, int] = (32, 64, 96, 96)
    """Widths of the coarse network at full, 1/2, 1/4 and 1/8 resolution."""
    synthesis: tuple[int, int, int] = (32, 64, 96)
    """Widths of PSNet at full, 1/2 and 1/4 resolution of the patch."""
    texture: tuple[int, int, int] = (32, 64, 96)
    """Widths of the texture encoder at full, 1/2 and 1/4 resolution of the patch."""
    embedding: int = 32
    """Channels of the correspondence embeddings φ and θ."""
    coarse_blocks: int = 8
    synthesis_blocks: int = 5
    texture_blocks: int = 2
    patch: int = 32
    """Side p of a patch in pixels; a multiple of 4."""
    margin: int = 16
    """Pixels of neighbour context on each side of a patch; a multiple of 4."""
    top_k: int = 4
    """Patches retrieved for each cell; beyond four the paper saw no gain (table V)."""
    memory: int = 100
    """Patches in a sampled texture memory."""
    memory_stride: int = 16
    """Step of the sliding window; halved where whole windows are scarce (irregular holes)."""
    temperature: float = 10.0
    """Factor on the cosines before the softmax; without one, a softmax over 100 cosines is almost even."""
    retrieval: Retrieval = "topk"
    """``"weighted"`` replaces the exact patches by their weighted sum: the ablation of table V."""
    seam: bool = False
    """Whether fills are moved to meet the photo at the hole's edge (`layers.seam`); not in the paper."""

    def to_json(self) -> str:
        """For a weights file's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TMADConfig:
        """The inverse of `to_json`; raises `ValueError` or `TypeError` for anything else."""
        given = json.loads(text)
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
        }
        return cls(**values)


PAPER = TMADConfig()
SMALL = TMADConfig(coarse=(16, 32, 64, 80), synthesis=(16, 32, 64), texture=(16, 32, 48), embedding=16)
SIZES: dict[str, TMADConfig] = {"paper": PAPER, "small": SMALL}
