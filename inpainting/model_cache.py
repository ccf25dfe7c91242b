"""Loaded models, the latest used kept and the others dropped when their weights take more memory than allowed."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from inpainting.models.base import FillInput, FillModel, FillOutput

_DEEPEST = 4


class ModelCache:
    """Models by key. `limit` is in bytes of weights and buffers; None keeps everything."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._models: OrderedDict[str, FillModel] = OrderedDict()

    def get(self, key: str, load: Callable[[], FillModel]) -> FillModel:
        """The model, loaded if it is not there; those used longest ago are dropped until the rest fits.

        The one asked for is kept even when it alone is above the limit. Models load parts of themselves when they
        first need them, so all are measured again each time.
        """
        if key not in self._models:
            # Room for the new one comes first, as far as it can be told: the others alone must fit.
            self._drop_oldest(keep=0)
            self._models[key] = load()
        self._models.move_to_end(key)
        self._drop_oldest(keep=1)
        return self._models[key]

    def sizes(self) -> dict[str, int]:
        """Bytes of weights and buffers of each loaded model, the one used last comes last."""
        return {key: weight_bytes(model) for key, model in list(self._models.items())}

    def clear(self) -> None:
        """Drop all of them, and give the graphics card's memory back."""
        self._models.clear()
        _give_back_card_memory()

    def _drop_oldest(self, *, keep: int) -> None:
        if self._limit is None:
            return
        sizes = self.sizes()
        dropped = False
        while len(self._models) > keep and sum(sizes.values()) > self._limit:
            key, _ = self._models.popitem(last=False)
            del sizes[key]
            dropped = True
        if dropped:
            _give_back_card_memory()


class SmallerCrops(FillModel):
    """A model that is given crops of at most `side` pixels, where it usually works on larger ones."""

    def __init__(self, inner: FillModel, side: int) -> None:
        super().__init__(inner.entry, inner.device)
        self.inner = inner
        self.working_side = side if inner.working_side is None else min(side, inner.working_side)
        self.context_side = min(side, inner.context_side)
        self.match_detail = inner.match_detail
        self.useful_batch = inner.useful_batch
        self.precision = inner.precision

    def fill(self, job: FillInput) -> FillOutput:
        """What the model makes of the smaller crop."""
        return self.inner.fill(job)

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """The same for several."""
        return self.inner.fill_batch(jobs)


def weight_bytes(model: FillModel) -> int:
    """Bytes of all parameters and buffers of the networks that a model holds; 0 for one without PyTorch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return 0
    storages = {}
    for network in _networks(model, torch.nn.Module, _DEEPEST):
        for tensor in (*network.parameters(), *network.buffers()):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()  # tied weights count once
    return sum(storages.values())


def _networks(holder: Any, kind: type, depth: int) -> Iterator[Any]:
    if isinstance(holder, kind):
        yield holder
    elif depth > 0:
        if isinstance(holder, dict):
            parts = list(holder.values())
        elif isinstance(holder, list | tuple):
            parts = list(holder)
        else:
            parts = list(getattr(holder, "__dict__", {}).values())
        for part in parts:
            yield from _networks(part, kind, depth - 1)


def _give_back_card_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
