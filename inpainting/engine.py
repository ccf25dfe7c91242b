"""The one door to all models: photo and mask in, filled photo with proof out."""

from __future__ import annotations

import copy
import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from inpainting import half_precision
from inpainting.catalog import REFINE, REFINER, CatalogError, ModelEntry, get_entry
from inpainting.checkpoints import CheckpointStore, Conditions, Keeper, identity_of
from inpainting.device import repeatable, resolve_device
from inpainting.engine_plan import MAX_SEED, Plan, unchanged
from inpainting.imaging.context import group_holes
from inpainting.imaging.photo import BoolMask, Photo
from inpainting.imaging.working import working_size
from inpainting.model_cache import ModelCache, SmallerCrops
from inpainting.models.base import Cancelled, FillError, FillModel
from inpainting.results import Progress, ProgressCallback, Result

__all__ = ["Cancelled", "Engine", "FillError", "Progress", "Result"]


class Engine:
    """Loads models once and fills photos with them; torch is imported only when a model needs it.

    `device` is ``"auto"``, ``"cpu"`` or ``"cuda"``; it is looked at when the first model that can use it is loaded.
    Models may keep state while they run: let one thread at a time use an engine. Models whose weights together take
    more than `model_memory` bytes (None: any number) are dropped, those used longest ago first. `precision` is
    ``"fp32"``, ``"bf16"``, ``"fp16"`` or ``"auto"``, for the networks that can do with it; see `half_precision`.
    """

    def __init__(self, device: str = "auto", *, model_memory: int | None = None, precision: str = "fp32") -> None:
        self.device = device
        self.precision = precision
        self.models = ModelCache(model_memory)
        self.largest_crop: int | None = None
        """When set, crops are brought down to this long side although the model could take larger ones: needs less
        memory, and shows less of the surroundings in detail."""

    def in_single_precision(self) -> Engine:
        """An engine with the same loaded models that computes in single precision, for what is to be compared."""
        twin = copy.copy(self)
        twin.precision = "fp32"
        return twin

    def fill(
        self,
        photo: Photo,
        mask: BoolMask,
        *,
        model: str,
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        on_step: ProgressCallback | None = None,
        checkpoint: CheckpointStore | None = None,
        allow_untrained: bool = False,
    ) -> Result:
        """Fill the hole of `mask` (H, W; True is hole) in `photo` with the model called `model`.

        Groups of holes that lie apart are filled one after the other, each from its own context crop. An empty mask
        returns the photo as it is. The same photo, mask, parameters and seed give the same pixels on the same machine.
        `on_step` hears of progress and may raise `Cancelled` to stop.

        With a `checkpoint`, models that take long put their state by every few seconds and when they are stopped, and
        a later call for the same photo, mask, model, parameters and seed goes on from there, if it is on the same kind
        of device and with crops of the same size. Throwing the state away
        when it is not needed any more is the caller's business.

        Raises `FillError` (nothing to fill from, a result that is no picture) and `CatalogError` (no such model or
        parameter, untrained model without `allow_untrained`), both with a sentence for people.
        """
        return self._fill_all([(photo, mask)], model, params, [seed], on_step, allow_untrained, checkpoint)[0]

    def fill_batch(
        self,
        items: Sequence[tuple[Photo, BoolMask]],
        *,
        model: str,
        params: Mapping[str, Any] | None = None,
        seed: int | Sequence[int] = 0,
        on_step: ProgressCallback | None = None,
        allow_untrained: bool = False,
    ) -> list[Result]:
        """Like `fill` for several photos at once, for models that compute faster in batches.

        All crops go to the model together, so their number bounds memory; each result equals that of `fill` up to the
        model's own rounding in batches. `seed` is one for all, or one for each photo. `Progress.item` tells which
        photo a step is about. See `useful_batch` and `crop_shapes` for what is worth
        computing together.
        """
        seeds = [seed] * len(items) if isinstance(seed, int) else list(seed)
        return self._fill_all(items, model, params, seeds, on_step, allow_untrained)

    def useful_batch(self, model: str) -> int:
        """How many crops the model called `model` is worth giving at once on this engine's device, 1 for one by one.

        0 for a model that computes one crop after the other whatever it is given.
        """
        loaded = self._load(get_entry(model))
        return loaded.useful_batch.get(loaded.device, 1) if loaded.useful_batch else 0

    def crop_shapes(self, model: str, mask: BoolMask) -> tuple[tuple[int, int], ...]:
        """(height, width) of each crop that the model called `model` is given for `mask`; equal ones batch best."""
        loaded = self._load(get_entry(model))
        groups = group_holes(mask, min_side=loaded.context_side)
        return tuple(working_size(group.crop.height, group.crop.width, loaded.working_side) for group in groups)

    def _fill_all(
        self,
        items: Sequence[tuple[Photo, BoolMask]],
        model: str,
        params: Mapping[str, Any] | None,
        seeds: Sequence[int],
        on_step: ProgressCallback | None,
        allow_untrained: bool,
        checkpoint: CheckpointStore | None = None,
    ) -> list[Result]:
        started = time.perf_counter()
        entry = get_entry(model)
        values = entry.parse_params(params)
        if not entry.trained and not allow_untrained:
            raise CatalogError(f"{entry.title} has not been trained yet: its weights are missing.")
        for seed in seeds:
            if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
                raise FillError(f"The seed must be a whole number from 0 to {MAX_SEED}; it was {seed!r}.")
        for photo, mask in items:
            check_mask(photo, mask)
        if not any(mask.any() for _photo, mask in items):
            return [unchanged(photo, mask) for photo, mask in items]
        refine = values.get(REFINE.name, REFINE.default) != REFINE.default
        with repeatable() if entry.needs_torch or refine else nullcontext():
            loaded = self._refined(self._load(entry)) if refine else self._load(entry)
            keeper = None
            if checkpoint is not None and loaded.resumable:
                conditions = Conditions(loaded.device, loaded.working_side)
                keeper = Keeper(checkpoint, identity_of(*items[0], model, values, seeds[0], conditions))
            plans = [
                Plan(photo, mask, loaded, values, seed=seed, item=index, on_step=on_step or _ignore, keeper=keeper)
                for index, ((photo, mask), seed) in enumerate(zip(items, seeds, strict=True))
            ]
            for plan in plans:
                plan.timings["prepare"] = (time.perf_counter() - started) / len(plans)
            with half_precision.computing(loaded):
                _compute(loaded, plans)
            return [plan.finish(loaded) for plan in plans]

    def working_side(self, model: str) -> int | None:
        """The long side that crops are brought down to for the model called `model`; None when it takes any."""
        return self._load(get_entry(model)).working_side

    def _load(self, entry: ModelEntry) -> FillModel:
        model = self._cached(entry)
        return model if self.largest_crop is None else SmallerCrops(model, self.largest_crop)

    def _cached(self, entry: ModelEntry) -> FillModel:
        def load() -> FillModel:
            device = resolve_device(self.device) if entry.needs_torch else "cpu"
            module, name = entry.factory.split(":")
            factory: Callable[[ModelEntry, str], FillModel] = getattr(importlib.import_module(module), name)
            return factory(entry, device)

        model = self.models.get(entry.key, load)
        half_precision.settle(model, self.precision)
        return model

    def _refined(self, model: FillModel) -> FillModel:
        """`model`, with T-MAD's patch network after it, which lies among the loaded models like any other."""
        refinement = importlib.import_module("inpainting.models.refine")
        refined: FillModel = refinement.with_refinement(model, self._cached(get_entry(REFINER)))
        return refined


def check_mask(photo: Photo, mask: BoolMask) -> None:
    """Raise `FillError` unless `mask` is a boolean mask of the photo's size that leaves something to fill from."""
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise FillError("The mask must be a two-dimensional array of true and false.")
    if mask.shape != (photo.height, photo.width):
        raise FillError(
            f"The mask has {mask.shape[1]} × {mask.shape[0]} pixels, but the photo has {photo.width} × {photo.height}."
        )
    if mask.size and mask.all():
        raise FillError("The mask covers the whole photo, so nothing is left to fill it from.")


def _ignore(_progress: Progress) -> None:
    return None


def _compute(model: FillModel, plans: Sequence[Plan]) -> None:
    """Run the model over all crops of all plans."""
    started = time.perf_counter()
    if len(plans) == 1:
        # One after the other: a crop's memory is free again before the next is computed.
        with plans[0].kept_when_stopped():
            for index, job in plans[0].unfinished():
                plans[0].take(index, model.fill(job), model)
        plans[0].timings["compute"] = time.perf_counter() - started
        return
    wanted = [(plan, index) for plan in plans for index in range(len(plan.inputs))]
    outputs = model.fill_batch([plan.inputs[index] for plan, index in wanted])
    for (plan, index), output in zip(wanted, outputs, strict=True):
        plan.take(index, output, model)
    for plan in plans:
        plan.timings["compute"] = (time.perf_counter() - started) / len(plans)
