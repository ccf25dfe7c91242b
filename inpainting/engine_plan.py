"""One photo on its way through a model: cropped, brought to its scale, filled, brought back, pasted and proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpainting.catalog import GRAIN, SOURCES
from inpainting.checkpoints import FinishedCrop, Keeper, MakeState
from inpainting.imaging.composite import paste_fill, prove
from inpainting.imaging.context import HoleGroup, group_holes
from inpainting.imaging.correspondence import PATCH, find_sources
from inpainting.imaging.detail import DetailSource
from inpainting.imaging.grain import add_grain
from inpainting.imaging.photo import BoolMask, Photo
from inpainting.imaging.working import WorkingCrop, make_working_crop
from inpainting.models.base import Cancelled, FillError, FillInput, FillModel, FillOutput, Step
from inpainting.results import (
    LivePreview,
    PlacedOverlay,
    Progress,
    ProgressCallback,
    Result,
    ShownCrop,
    SourceMap,
    render_crops,
)

MAX_SEED = 2**63 - 1
_PREPARED, _COMPUTED = 0.02, 0.96  # shares of the whole at which the stages end
_MODEL_SHARE_WITH_MATCHING = 0.8  # of a crop's part, when its detail has to be looked for afterwards


def unchanged(photo: Photo, mask: BoolMask) -> Result:
    """The result for a photo without a hole."""
    return Result(
        photo=photo,
        proof=prove(photo.pixels, photo.pixels, mask).as_dict(),
        timings={"prepare": 0.0, "compute": 0.0, "paste": 0.0},
        notes={"crops": 0},
    )


class Plan:
    """One photo on its way through a model."""

    def __init__(
        self,
        photo: Photo,
        mask: BoolMask,
        model: FillModel,
        params: Mapping[str, Any],
        *,
        seed: int,
        item: int,
        on_step: ProgressCallback,
        keeper: Keeper | None = None,
    ) -> None:
        self.photo, self.mask, self._seed, self._item, self._on_step = photo, mask, seed, item, on_step
        self.timings = {"prepare": 0.0, "compute": 0.0, "paste": 0.0}
        self._keeper = keeper
        self._resumed = self._fraction = 0.0 if keeper is None else keeper.found.fraction
        self._outputs: dict[int, FillOutput] = {}
        self._source_patch: dict[int, int] = {}
        self._wants_sources = bool(params.get(SOURCES.name))
        self._grain = float(params.get(GRAIN.name, 0.0))
        self._tell(Step("Preparing" if self._resumed == 0.0 else "Taking up where it stopped", 0.0), 0.0)
        self.groups: list[HoleGroup] = group_holes(mask, min_side=model.context_side)
        self.working: list[WorkingCrop] = [
            make_working_crop(photo.color_pixels[group.crop.slices], mask[group.crop.slices], model.working_side)
            for group in self.groups
        ]
        self.inputs = [
            FillInput(
                image=crop.image.copy(),
                mask=crop.mask.copy(),
                params=params,
                seed=(seed + index) & MAX_SEED,
                on_step=self._listener(index, model),
            )
            for index, crop in enumerate(self.working)
        ]
        if keeper is not None:
            self._take_up(keeper)

    def _take_up(self, keeper: Keeper) -> None:
        """Continue what `keeper` has found, and let it hear how the model gets on."""
        for index, job in enumerate(self.inputs):
            job.keep = self._offerer(index, keeper)
            if index == keeper.found.crop:
                job.resume = keeper.found.model
        for index, crop in keeper.found.finished.items():
            working = self.working[index]
            image = working.image.copy()
            image[working.mask] = crop.pixels
            sources = None
            if crop.sources is not None:
                sources = np.full((*working.mask.shape, 2), -1, np.int32)
                sources[working.mask] = crop.sources
            self._outputs[index] = FillOutput(image, sources=sources, notes=dict(crop.notes))
            self._source_patch[index] = crop.source_patch

    def _offerer(self, index: int, keeper: Keeper) -> Callable[[MakeState], None]:
        return lambda make: keeper.offer(index, make, self._fraction)

    def unfinished(self) -> list[tuple[int, FillInput]]:
        """The crops that are still to be filled, with their numbers."""
        return [(index, job) for index, job in enumerate(self.inputs) if index not in self._outputs]

    @contextmanager
    def kept_when_stopped(self) -> Iterator[None]:
        """Puts by what the model has reached when it is stopped within."""
        try:
            yield
        except Cancelled:
            if self._keeper is not None:
                self._keeper.flush(self._fraction)
            raise

    def take(self, index: int, output: FillOutput, model: FillModel) -> None:
        """Accept the model's output for crop `index`: check it, find where its detail comes from."""
        crop = self.working[index]
        image = np.asarray(output.image, dtype=np.float32)
        if image.shape != crop.image.shape:
            raise FillError(f"{model.entry.title} returned a picture of the wrong size ({image.shape}).")
        if not np.isfinite(image[crop.mask]).all():
            raise FillError(f"{model.entry.title} produced values that are not numbers, so the result was thrown away.")
        sources = output.sources
        patch = output.source_patch
        if sources is None and self._looks_for_sources(index, model):
            patch = PATCH
            sources = find_sources(
                crop.composite(image),
                crop.mask,
                seed=self.inputs[index].seed,
                on_round=self._matching_listener(
                    index, "Finding fine detail" if crop.is_reduced else "Finding where it came from"
                ),
            )
        if self._grain > 0:
            image = add_grain(
                crop.composite(image),
                crop.mask,
                self._grain,
                seed=self.inputs[index].seed,
                on_round=self._matching_listener(index, "Adding the photo's grain"),
            )
        self._outputs[index] = replace(output, image=image, sources=sources)
        self._source_patch[index] = patch
        if self._keeper is not None and len(self.working) > 1:
            kept = None if sources is None else sources[crop.mask]
            self._keeper.finish(
                index, FinishedCrop(image[crop.mask], kept, patch, output.notes), self._within(index, 1.0)
            )

    def _looks_for_sources(self, index: int, model: FillModel) -> bool:
        """Whether sources that the model does not report are looked for: to take detail from, or because asked to."""
        return model.match_detail and (self._wants_sources or self.working[index].is_reduced)

    def finish(self, model: FillModel) -> Result:
        """Bring everything back to the photo's scale, paste it and prove that nothing else changed."""
        if not self.groups:
            return unchanged(self.photo, self.mask)
        started = time.perf_counter()
        pixels = self.photo.pixels.copy()
        overlays: list[PlacedOverlay] = []
        sources: list[SourceMap] = []
        notes: dict[str, Any] = {"crops": len(self.groups)}
        if self._resumed:
            notes["resumed_at"] = round(self._resumed, 3)
        for index, group in enumerate(self.groups):
            output, crop = self._outputs[index], self.working[index]
            detail = None
            if crop.is_reduced and output.sources is not None:
                detail = DetailSource.from_sources(output.sources, self._source_patch[index])
            unknown = self.mask[group.crop.slices]
            paste_fill(pixels, self.photo, group, unknown, crop, output.image, detail, self._paste_listener(index))
            overlays += [PlacedOverlay(each.name, each.title, each.image, group.crop) for each in output.overlays]
            if output.sources is not None:
                patch = max(1, round(self._source_patch[index] * crop.scale_y))
                sources.append(SourceMap(group.crop, _to_photo_coordinates(output.sources, crop, group), patch))
            notes |= output.notes
        if model.precision != "fp32":
            notes["precision"] = model.precision
        largest = max(self.working, key=lambda crop: crop.scale_y)
        if largest.is_reduced:
            notes["scale"] = round(1.0 / largest.scale_y, 4)
        proof = prove(self.photo.pixels, pixels, self.mask)
        if proof.changed_pixels:
            raise FillError("Pixels outside the mask would have changed, so the result was thrown away.")
        self.timings["paste"] = time.perf_counter() - started
        self._tell(Step("Done", 1.0), 1.0)
        photo = replace(self.photo, pixels=pixels)
        return Result(photo, proof.as_dict(), self.timings, overlays, sources, notes)

    def _within(self, index: int, part: float) -> float:
        """The fraction of the whole when `part` of crop `index` is done; crops count by their pixels."""
        sizes = [crop.mask.size for crop in self.working]
        done = (sum(sizes[:index]) + sizes[index] * min(max(part, 0.0), 1.0)) / sum(sizes)
        return _PREPARED + (_COMPUTED - _PREPARED) * done

    def _listener(self, index: int, model: FillModel) -> Callable[[Step], None]:
        matching = self._looks_for_sources(index, model) or self._grain > 0
        share = _MODEL_SHARE_WITH_MATCHING if matching else 1.0

        def listen(step: Step) -> None:
            stage = step.stage
            if len(self.working) > 1:
                stage = f"Area {index + 1} of {len(self.working)}: {stage}"
            self._tell(replace(step, stage=stage), self._within(index, step.fraction * share), index)

        return listen

    def _matching_listener(self, index: int, stage: str) -> Callable[[float], None]:
        def listen(part: float) -> None:
            share = _MODEL_SHARE_WITH_MATCHING + (1 - _MODEL_SHARE_WITH_MATCHING) * part
            self._tell(Step(stage, 1.0), self._within(index, share))

        return listen

    def _paste_listener(self, index: int) -> Callable[[float], None]:
        def listen(share: float) -> None:
            done = (index + share) / len(self.groups)
            self._tell(Step("Putting it into the photo", 1.0), _COMPUTED + (1.0 - _COMPUTED) * done)

        return listen

    def _tell(self, step: Step, fraction: float, index: int | None = None) -> None:
        self._fraction = max(self._fraction, fraction)
        preview = step.preview

        def render(max_side: int) -> LivePreview | None:
            shown = [self._shown(done, output.image) for done, output in self._outputs.items() if done != index]
            if preview is not None and index is not None:
                shown.append(self._shown(index, preview))
            return render_crops(shown, self.photo.icc, max_side) if shown else None

        self._on_step(
            Progress(
                stage=step.stage,
                fraction=self._fraction,
                steps_done=step.steps_done,
                steps_total=step.steps_total,
                losses=step.losses,
                item=self._item,
                resumed=self._resumed,
                render=render,
            )
        )

    def _shown(self, index: int, image: NDArray[np.float32]) -> ShownCrop:
        return ShownCrop(self.groups[index].crop, self.groups[index].mask, image)


def _to_photo_coordinates(sources: NDArray[np.int32], crop: WorkingCrop, group: HoleGroup) -> NDArray[np.int32]:
    """(h, w, 2): the same map with (y, x) in photo pixels; -1 stays."""
    scale = np.array([crop.scale_y, crop.scale_x])
    corner = np.array([group.crop.top, group.crop.left])
    # Only the hole has sources: a whole crop in double precision would be a gigabyte for a large photo.
    has_one = sources[..., 0] >= 0
    mapped = np.full_like(sources, -1)
    mapped[has_one] = np.floor((sources[has_one] + 0.5) * scale) + corner
    return mapped
