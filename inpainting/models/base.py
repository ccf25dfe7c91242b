"""What a model is to the engine: a thing that fills the hole of one context crop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inpainting.catalog import ModelEntry
from inpainting.checkpoints import MakeState, ModelState

FloatImage = NDArray[np.float32]
"""(H, W, 3), RGB, sRGB values as stored, in [0, 1]."""
BoolMask = NDArray[np.bool_]
"""(H, W), True in the hole."""
Precision = Literal["fp32", "bf16", "fp16"]
"""IEEE single precision, bfloat16, IEEE half precision."""


class Cancelled(Exception):
    """Raised by an `on_step` callback to stop a running fill."""


class FillError(ValueError):
    """A photo or mask that cannot be filled; the text is meant for people."""


class OutOfMemory(FillError):
    """There was too little memory; the same may work with a smaller crop or on another device."""


@dataclass(slots=True)
class Step:
    """One sign of life from a running model."""

    stage: str
    """What is being done now, in words for people: ``"coarse 2/9 patches"``."""
    fraction: float
    """Share of the whole fill that is done, 0 to 1."""
    steps_done: int | None = None
    steps_total: int | None = None
    preview: FloatImage | None = None
    """The crop as it looks now, the same size as the model's input; only its hole is ever shown."""
    losses: Mapping[str, float] | None = None
    """Named terms of an optimised loss, for curves."""


StepCallback = Callable[[Step], None]


def _keep_nothing(_make: MakeState) -> None:
    return None


@dataclass(slots=True)
class FillInput:
    """One context crop with its hole. Pixels inside the hole carry no information (they are zero)."""

    image: FloatImage
    mask: BoolMask
    params: Mapping[str, Any]
    seed: int
    on_step: StepCallback
    resume: ModelState | None = None
    """What an interrupted attempt at this very crop reached; for models that are `FillModel.resumable`."""
    keep: Callable[[MakeState], None] = _keep_nothing
    """To be called before a step is told, with a function that makes the state to resume from. It is called when a
    state is due, or when that step is stopped; so it must hold until the next call of `keep`."""


@dataclass(slots=True)
class Overlay:
    """A picture of what happened inside a model, aligned with its crop."""

    name: str
    """Stable key: ``"coarse"``, ``"lbp"``, ``"ratio-2"``."""
    title: str
    image: NDArray[np.uint8]
    """(h, w, 3) or (h, w), any size with the crop's aspect; it is stretched over the crop."""


@dataclass(slots=True)
class FillOutput:
    """A filled crop."""

    image: FloatImage
    """Same size as the input. Values outside the hole are ignored: the engine pastes the photo's own pixels."""
    overlays: list[Overlay] = field(default_factory=list)
    sources: NDArray[np.int32] | None = None
    """(H, W, 2): for each hole pixel the (y, x) it was taken from, in crop coordinates; -1 where there is none."""
    source_patch: int = 1
    """Side in pixels of the patch that `sources` points to the centre of."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Small facts worth keeping with the result (which backbone, how many iterations)."""


class FillModel(ABC):
    """A loaded model on a device.

    Models of known training size set `working_side`: the engine brings larger crops down to that long side and
    the model's result back up, with the photo's own fine detail when the model says where its content comes from
    (`FillOutput.sources`). ``None`` means the model works at the photo's own resolution.
    """

    entry: ModelEntry
    working_side: int | None = None
    context_side: int = 256
    """Crops are grown to at least this side where the photo has room: the size a network was trained at."""
    match_detail: bool = False
    """When a reduced crop's result comes without `sources`, look for matching patches and take fine detail from them.
    For models whose output resembles the known region closely (copied patches), not for smooth fills."""
    useful_batch: Mapping[str, int] = MappingProxyType({})
    """How many crops are worth computing together, by type of device (``"cuda"``); 1 where nothing is said. Empty for
    models that compute one crop after the other in any case."""
    lower_precision: bool = False
    """Whether it is a network that is run once, not optimised, so that 16-bit arithmetic may do for it."""
    precision: Precision = "fp32"
    """What its networks are computed in; `inpainting.half_precision` decides, and switches it on around a fill."""
    differences: Mapping[str, float] = MappingProxyType({})
    """How far its results are from single precision, by precision, as far as that was looked at."""
    resumable: bool = False
    """Whether the model calls `FillInput.keep` and goes on from `FillInput.resume`. States that do not fit it (another
    network than then) it ignores."""

    def __init__(self, entry: ModelEntry, device: str = "cpu") -> None:
        self.entry = entry
        self.device = device

    @abstractmethod
    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop. Must call `job.on_step` at least at start and end, and let what it raises pass."""

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """Fill several crops; models that gain from a batch override this."""
        return [self.fill(job) for job in jobs]
