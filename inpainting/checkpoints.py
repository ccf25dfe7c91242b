"""Interrupted fills that go on: a small state is put by now and then, and the next attempt takes it up.

A model that can resume hands out what it has reached (`ModelState`): numbers, and arrays of the hole's size, never an
optimiser's memory. The engine adds the areas of the photo that are finished and says what the state is *of*, so that
it is only ever used for the same photo, mask, model, parameters and seed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from inpainting.imaging.photo import BoolMask, Photo

FORMAT = "reweave-fill-2"
"""Changes whenever a state of an older version must not be taken up by a newer one."""
_COST_SHARE = 0.05
"""Putting states by may take at most this share of the time."""
_HEADER = "state"


class CheckpointStore(Protocol):
    """Where the state of one fill is kept from one attempt to the next. Nothing here may raise."""

    @property
    def seconds_between(self) -> float:
        """How often a state is to be saved."""
        ...

    def load(self) -> bytes | None:
        """What was saved last, or ``None``."""
        ...

    def save(self, data: bytes) -> None:
        """Keep `data` in place of what was saved before."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ModelState:
    """How far a model has got with one crop."""

    facts: Mapping[str, Any]
    """Anything JSON can say."""
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class FinishedCrop:
    """What is kept of an area that is done: its hole, not the pictures of what happened inside the model."""

    pixels: NDArray[np.float32]
    """(n, 3): the hole's pixels, row by row."""
    sources: NDArray[np.int32] | None
    """(n, 2), as `FillOutput.sources`."""
    source_patch: int
    notes: Mapping[str, Any]


@dataclass(slots=True)
class FillState:
    """How far a whole fill has got."""

    fraction: float = 0.0
    finished: dict[int, FinishedCrop] = field(default_factory=dict)
    crop: int = 0
    """Which crop `model` is about."""
    model: ModelState | None = None


MakeState = Callable[[], ModelState]


class Keeper:
    """Stands between a running fill and the store of its states.

    Args:
        store: where states go.
        identity: as `identity_of`; a state of anything else is ignored.
    """

    def __init__(self, store: CheckpointStore, identity: str) -> None:
        self._store, self._identity = store, identity
        data = store.load()
        self.found = (None if data is None else unpack(data, identity)) or FillState()
        """What an earlier attempt left; a fresh state where there was none."""
        self._state = self.found
        self._latest: MakeState | None = None
        self._due = time.monotonic() + store.seconds_between

    def finish(self, index: int, crop: FinishedCrop, fraction: float) -> None:
        """Crop `index` is done."""
        finished = {**self._state.finished, index: crop}
        self._state = FillState(fraction, finished)
        self._latest = None
        self._save()

    def offer(self, index: int, make: MakeState, fraction: float) -> None:
        """The model has got further with crop `index`; `make` is called now, at `flush`, or never."""
        self._latest = make
        self._state = FillState(fraction, self._state.finished, index, self._state.model)
        if time.monotonic() >= self._due:
            self.flush(fraction)

    def flush(self, fraction: float) -> None:
        """Put by what was offered last; `fraction` of the whole fill is done."""
        if self._latest is not None:
            self._state.fraction, self._state.model = fraction, self._latest()
            self._latest = None
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        self._store.save(pack(self._state, self._identity))
        cost = time.monotonic() - began
        self._due = began + max(self._store.seconds_between, cost / _COST_SHARE)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a fill runs under, besides what was asked for; on another machine it may be something else."""

    device: str
    """``"cpu"`` or ``"cuda"``: they round differently, so that a hard choice may fall another way."""
    working_side: int | None
    """The long side that crops are brought down to: it decides how large the arrays of a state are."""


def identity_of(
    photo: Photo, mask: BoolMask, model: str, params: Mapping[str, Any], seed: int, conditions: Conditions
) -> str:
    """A digest of everything that decides what a fill becomes; the precision of its arithmetic is among `params`."""
    digest = hashlib.sha256()
    shape = [photo.pixels.shape, str(photo.pixels.dtype)]
    request = [FORMAT, model, sorted(params.items()), seed, shape, asdict(conditions)]
    digest.update(json.dumps(request, default=str).encode())
    digest.update(np.ascontiguousarray(photo.pixels).data)
    digest.update(np.packbits(mask).data)
    return digest.hexdigest()


def pack(state: FillState, identity: str) -> bytes:
    """`state` as one file of plain arrays (safetensors): reading it back runs no code."""
    arrays: dict[str, NDArray[Any]] = {}
    finished = {}
    for index, crop in state.finished.items():
        arrays[f"finished/{index}/pixels"] = crop.pixels
        if crop.sources is not None:
            arrays[f"finished/{index}/sources"] = crop.sources
        finished[str(index)] = {"source_patch": crop.source_patch, "notes": dict(crop.notes)}
    if state.model is not None:
        arrays |= {f"model/{name}": array for name, array in state.model.arrays.items()}
    header = {
        "identity": identity,
        "fraction": state.fraction,
        "finished": finished,
        "crop": state.crop,
        "facts": None if state.model is None else dict(state.model.facts),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(contiguous, {_HEADER: json.dumps(header)})


def unpack(data: bytes, identity: str) -> FillState | None:
    """The state in `data`; ``None`` when it is of another fill, of another version, or damaged."""
    try:
        header = json.loads(_metadata(data)[_HEADER])
        if header["identity"] != identity:
            return None
        arrays = load(data)
        finished = {
            int(index): FinishedCrop(
                arrays[f"finished/{index}/pixels"],
                arrays.get(f"finished/{index}/sources"),
                int(crop["source_patch"]),
                crop["notes"],
            )
            for index, crop in header["finished"].items()
        }
        model = None
        if header["facts"] is not None:
            own = {name.removeprefix("model/"): array for name, array in arrays.items() if name.startswith("model/")}
            model = ModelState(header["facts"], own)
        return FillState(float(header["fraction"]), finished, int(header["crop"]), model)
    except (SafetensorError, ValueError, KeyError, TypeError):
        return None


def _metadata(data: bytes) -> dict[str, str]:
    """The texts of a safetensors file: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    found: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return found
