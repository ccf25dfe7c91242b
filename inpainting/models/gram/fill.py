"""Laube et al.'s texture inpainting as a model of the engine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.catalog import WEIGHTS_DIR, ModelEntry
from inpainting.imaging.context import Box
from inpainting.imaging.membrane import membrane
from inpainting.layers.lbfgs import LBFGSState
from inpainting.layers.quilting import quilt
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.layout import OVERLAP, Layout, non_overlapping, plan_layout
from inpainting.models.gram.overlays import references_overlay
from inpainting.models.gram.overview import Overview
from inpainting.models.gram.reference import ReferenceTexture, cut, mirrored_cut
from inpainting.models.gram.resuming import Reached, pixels_of, synthesised_region, with_pixels
from inpainting.models.gram.start import as_copied, shifted_window, start_of
from inpainting.models.gram.synthesis import (
    FINE_LEVEL_WEIGHT,
    GOOD_AS_COPIED,
    GOOD_ENOUGH,
    SHADING_WEIGHT,
    PatchProblem,
    measured_branch,
    synthesise,
)
from inpainting.models.gram.variables import LEVEL_WEIGHT

TAPS = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
STOCHASTIC_TAPS = ("pool3", "pool4", "pool5")
"""For the global statistics of very stochastic textures (section 4)."""
GREY = (0.2125, 0.7154, 0.0721)
"""Section 3.3, which prints 0.212: the known weights, which add up to 1, have this fourth digit."""
TOO_SMALL = "The photo is too small to learn a texture from; the hole was filled from its edge."
PREVIEW_SECONDS = 0.3
PREVIEW_ITERATIONS = {"coarse": 30, "fine": 60}
"""Most iterations of a quick preview."""
_STARTED, _COARSE = 0.04, 0.2
"""Shares of a fill that are done after its start and its coarse stage."""


class GramFill(FillModel):
    """Texture synthesis by Gramians, patch by patch.

    The photo's own resolution is worked at up to 2048 pixels, the paper's size. What a network file of the
    administrator's (``vgg19.safetensors`` among the weights) changes is told in the result's notes.
    """

    working_side = 2048
    context_side = 512
    match_detail = True
    resumable = True

    def __init__(self, entry: ModelEntry, device: str = "cpu") -> None:
        super().__init__(entry, device)
        self._backbones: dict[tuple[Any, ...], Backbone] = {}

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop; raises `FillError` when no pixel is known."""
        if job.mask.all():
            raise FillError(
                "The hole covers everything that is shown to the texture synthesis; nothing is left to learn."
            )
        if not job.mask.any():
            job.on_step(Step("Nothing to fill", 1.0))
            return FillOutput(job.image.copy())
        with torch.no_grad():
            return _Filling(job, self).run()

    def backbone(self, taps: tuple[str, ...], width: str) -> Backbone:
        """The network for `taps`, made on first use."""
        key = (taps, width)
        if key not in self._backbones:
            self._backbones[key] = Backbone.load(taps, WEIGHTS_DIR, width=width, device=self.device)
        return self._backbones[key]


class _Filling:
    """One crop on its way. Pictures are (1, 3, H, W) on the device, in whitened colour unless they are called rgb."""

    def __init__(self, job: FillInput, model: GramFill) -> None:
        self.job, self.params, self.device = job, job.params, model.device
        self.hole_array = job.mask
        self.model = model
        self.backbone = model.backbone(TAPS, job.params["width"])
        rgb = self._from_array(job.image)
        self.hole = torch.from_numpy(job.mask)[None, None].to(self.device)
        self.space = ColourSpace.of(rgb, self.hole)
        self.known = torch.where(self.hole, 0.0, self.space.encode(rgb))
        self.canvas = self.known
        self.written = torch.zeros_like(self.hole)
        self.layout: Layout = plan_layout(
            job.mask, None if job.params["poolings"] == "auto" else int(job.params["poolings"])
        )
        self.region = synthesised_region(self.hole, self.layout.patches, soft=self._soft)
        self.overlays: list[Overlay] = []
        self.reached = Reached()
        self._begun: Tensor | None = None
        self.sources: NDArray[np.int32] | None = None
        self.copied: Tensor | None = None
        """The photo with what each hole pixel was copied from in its place: sharp, whatever joining it has blurred."""
        self._previewed = time.monotonic()

    def run(self) -> FillOutput:
        self._tell("Reading the texture", 0.0)
        begun, self.sources = start_of(self.job, lambda stage, share: self._tell(stage, _STARTED * share))
        self.canvas = torch.where(self.hole, self.space.encode(self._from_array(begun)), self.known)
        if self.sources is not None:
            self.copied = torch.where(
                self.hole, self.space.encode(self._from_array(as_copied(begun, self.sources))), self.known
            )
        self._show("start", "Before synthesis")
        self.backbone = self.backbone.calibrated(self.canvas, self.space)
        detail = ReferenceTexture(self.backbone, self.space, self.canvas, self.hole.float())
        overview = self._overview()
        groups = non_overlapping(self.layout.patches, together=self._together())
        self._take_up(groups)
        if overview is not None and self.reached.stage == "coarse":
            self._coarse(overview)
            self._show("coarse", "Global structure")
        self.reached.stage = "fine"
        for number in range(self.reached.group, len(groups)):
            self.reached.group = number
            self._fine(groups, detail, overview)
        image = self._finished()
        self._tell("Done", 1.0, image=image)
        return FillOutput(
            image,
            overlays=[*self.overlays, references_overlay(self.job.image, self.reached.references)],
            sources=self.sources,
            notes=self._notes(),
        )

    # Going on where an earlier attempt stopped

    def _take_up(self, groups: list[list[Box]]) -> None:
        """Go to where an interrupted attempt was. What it began with is made anew: the seed makes it the same."""
        state = self.job.resume
        reached = None if state is None else Reached.from_state(state, self.backbone.name)
        if state is None or reached is None:
            return
        self.reached = reached
        if reached.stage == "coarse":
            self._begun = torch.from_numpy(state.arrays["window"]).to(self.canvas)
            return
        self._begun = with_pixels(self.canvas, self.region, state.arrays["trial"])
        self.canvas = with_pixels(self.canvas, self.region, state.arrays["canvas"])
        for box in itertools.chain.from_iterable(groups[: reached.group]):
            self._mark_written(box)

    def _taken_up(self) -> tuple[Tensor | None, int]:
        """What the interrupted stage or group had reached, and in how many steps; only once."""
        begun, iteration = self._begun, self.reached.iteration
        self._begun, self.reached.iteration = None, 0
        return begun, iteration

    # Reference texture

    def _overview(self) -> Overview | None:
        """The global branch, for holes that need one: large ones whose start has no structure of its own.

        Where the start is the photo's own texture the branch has nothing to add but the marks of its pooling.
        """
        if self.layout.poolings == 0 or self.params["global_weight"] == 0 or self._from_photo():
            return None
        taps = TAPS if self.params["statistics"] == "standard" else STOCHASTIC_TAPS
        return Overview(
            self.model.backbone(taps, self.params["width"]),
            self.space,
            self.canvas,
            self.hole.float(),
            self.layout,
            everywhere=self.params["measured"] == "patch",
        )

    # Coarse stage

    def _coarse(self, overview: Overview) -> None:
        """Global statistics only (w_d = 0, w_g = 1), then colour is dropped: pooling shares it between pixels.

        All patches see the same window and differ only in which of its pixels they may move, so they are optimised
        together, in the pooled window itself: the same loss, with one variable for each pooled pixel.
        """
        limit = self._limit("coarse", int(overview.hole.sum()))
        begun, before = self._taken_up()
        problem = PatchProblem(
            start=overview.window(self.canvas),
            movable=overview.hole.float(),
            bound=torch.zeros_like(overview.hole.float()),
            detail=overview.branch(1.0),
            overview=None,
            surroundings=None,
            boundary_weight=0.0,
            begun=begun,
        )

        def listen(state: LBFGSState, pictures: Tensor, terms: Mapping[str, float]) -> None:
            done = before + max(state.iterations)
            share = _STARTED + (_COARSE - _STARTED) * done / limit
            self._keep(done, lambda: {"window": pictures})
            self._tell(
                f"coarse, iteration {done}/{limit}",
                share,
                losses={"global": terms["detail"]},
                steps=(done, limit),
                canvas=lambda: overview.enlarged(pictures, self.canvas, self.hole),
            )

        left = max(1, limit - before)
        pictures, result = synthesise(problem, overview.backbone, self.space, iterations=left, on_evaluation=listen)
        self.reached.iterations += before + max(result.iterations)
        rgb = self.space.decode(overview.enlarged(pictures, self.canvas, self.hole))
        grey = (rgb * rgb.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        self.canvas = torch.where(self.hole, self.space.encode(grey), self.known)

    # Fine stage

    def _fine(self, groups: list[list[Box]], detail: ReferenceTexture, overview: Overview | None) -> None:
        number, count = self.reached.group, len(groups)
        group = groups[number]
        remaining = self.hole & ~self.written
        starts = torch.cat([cut(self.canvas, box) for box in group])
        holes = torch.cat([cut(self.hole, box) for box in group])
        open_ = torch.cat([cut(remaining, box) for box in group])
        windows = [self._look_up(detail, box, open_[i : i + 1]) for i, box in enumerate(group)]
        pictures = [self._reference(box, window) for box, window in zip(group, windows, strict=True)]
        everywhere = self.params["measured"] == "patch"
        begun, before = self._taken_up()
        problem = PatchProblem(
            start=starts,
            movable=torch.ones_like(holes).float() if self._soft else holes.float(),
            bound=(~open_).float(),
            detail=measured_branch(
                pictures, detail.known_region, 1.0, holes, self.backbone, self.space, everywhere=everywhere
            ),
            overview=None if overview is None else overview.branch(self.params["global_weight"]),
            surroundings=None if overview is None else overview.surroundings(self.canvas, group),
            boundary_weight=self.params["boundary_weight"],
            shading_weight=SHADING_WEIGHT if self._from_photo() else 0.0,
            level_weight=FINE_LEVEL_WEIGHT if self._from_photo() else LEVEL_WEIGHT,
            begun=None if begun is None else torch.cat([cut(begun, box) for box in group]),
            # Measured over all of the patch, what is wrong with a hole is thinned by what is right around it.
            good_enough=(GOOD_ENOUGH if self.copied is None else GOOD_AS_COPIED)
            * (float(holes.float().mean()) ** 2 if everywhere else 1.0),
        )
        if problem.detail is None or not problem.detail.taps:
            return  # a photo of a few pixels: its start is all there is
        limit = self._limit("fine", int(holes.sum()) // len(group))
        base = _STARTED if overview is None else _COARSE

        def reached(pictures: Tensor) -> dict[str, Tensor]:
            trial = self._with_patches(group, pictures, self.region)
            return {"canvas": pixels_of(self.canvas, self.region), "trial": pixels_of(trial, self.region)}

        def listen(state: LBFGSState, pictures: Tensor, terms: Mapping[str, float]) -> None:
            done = before + max(state.iterations)
            self._keep(done, lambda: reached(pictures))
            self._tell(
                f"fine {number + 1}/{count} patches, iteration {done}/{limit}",
                base + (0.99 - base) * (number + done / limit) / count,
                losses=terms,
                steps=(done, limit),
                canvas=lambda: self._with_patches(group, pictures, self.hole),
            )

        left = max(1, limit - before)
        made, result = synthesise(problem, self.backbone, self.space, iterations=left, on_evaluation=listen)
        self.reached.iterations += before + max(result.iterations)
        self.reached.losses.append((float(result.first_values.mean()), float(result.values.mean())))
        self.reached.references += zip(group, windows, strict=True)
        for box, picture in zip(group, made[:, None], strict=True):
            self._write(box, picture)

    def _reference(self, box: Box, window: Box | None) -> Tensor | None:
        """(1, 3, h, w): what the patch in `box` is to be like; ``None`` for the whole known region."""
        if window is None:
            return None
        return mirrored_cut(self.canvas, window) if self.copied is None else cut(self.copied, box)

    def _look_up(self, texture: ReferenceTexture, box: Box, unknown: Tensor) -> Box | None:
        """The window that the patch in `box` is to be like; ``None`` for the whole known region."""
        if self.sources is not None:
            return shifted_window(self.sources, box)
        # A start with the photo's own texture is to become more like itself, so all of the patch is compared.
        masked = torch.zeros_like(unknown) if self._from_photo() else unknown
        target = self.backbone.features(cut(self.canvas, box), self.space)
        return texture.look_up(target, (box.height, box.width), masked.float(), int(self.params["step"]))

    def _from_photo(self) -> bool:
        return self.params["start"] in ("copy", "patchmatch")

    def _write(self, box: Box, picture: Tensor) -> None:
        """Take over a finished patch, along minimum-error cuts through what earlier patches have written."""
        written = cut(self.written, box)[0, 0].cpu().numpy()
        new, old = self._to_array(picture), self._to_array(cut(self.canvas, box))
        hole = cut(self.hole, box)
        unwritten = hole[0, 0].cpu().numpy() & ~written
        taken = quilt(new, old, written, unwritten, (OVERLAP, OVERLAP))
        replaced = torch.from_numpy(taken).to(self.device)[None, None]
        # With a soft boundary the known side may have moved too: kept until the membrane has taken it back.
        wanted = replaced & cut(self.region, box)
        self.canvas = self._with_patches([box], torch.where(wanted, picture, cut(self.canvas, box)), self.region)
        self._mark_written(box)

    def _mark_written(self, box: Box) -> None:
        self.written = self.written.clone()
        self.written[..., box.top : box.bottom, box.left : box.right] |= cut(self.hole, box)

    def _with_patches(self, boxes: list[Box], pictures: Tensor, where: Tensor) -> Tensor:
        """The canvas with `pictures` in `boxes`, but only `where`."""
        canvas = self.canvas.clone()
        for box, picture in zip(boxes, pictures, strict=True):
            canvas[0, :, box.top : box.bottom, box.left : box.right] = picture
        return torch.where(where, canvas, self.canvas)

    def _finished(self) -> FloatImage:
        """RGB with the known pixels as they were: what a soft boundary moved is taken back through a membrane."""
        rgb = self._to_array(self.canvas)
        image, hole = self.job.image, self.hole_array
        if self._soft:
            box = self.layout.patches[0]
            for other in self.layout.patches[1:]:
                box = box.union(other)
            correction = np.where(hole[..., np.newaxis], np.float32(0), image - rgb)
            rgb[box.slices] += membrane(correction[box.slices], hole[box.slices])
        return np.where(hole[..., np.newaxis], rgb.clip(0.0, 1.0), image)

    # Around it

    @property
    def _soft(self) -> bool:
        return bool(self.params["boundary"] == "soft")

    def _together(self) -> bool:
        order = self.params["order"]
        return bool(order == "checkerboard" or (order == "auto" and self.device != "cpu"))

    def _limit(self, stage: str, pixels: int) -> int:
        """Iterations of a stage: fewer for a quick preview, and for holes with few unknowns."""
        wanted = int(self.params[f"{stage}_iterations"])
        if self.params["quality"] == "preview":
            wanted = min(wanted, PREVIEW_ITERATIONS[stage])
        return max(1, min(wanted, 5 + (1 if self._from_photo() else 2) * int(pixels**0.5)))

    def _keep(self, iteration: int, arrays: Callable[[], dict[str, Tensor]]) -> None:
        self.job.keep(lambda: self.reached.state(self.backbone.name, iteration, arrays()))

    def _tell(
        self,
        stage: str,
        fraction: float,
        *,
        losses: Mapping[str, float] | None = None,
        steps: tuple[int, int] | None = None,
        canvas: Any = None,
        image: FloatImage | None = None,
    ) -> None:
        if canvas is not None and time.monotonic() - self._previewed >= PREVIEW_SECONDS:
            image = self._to_array(canvas()).clip(0.0, 1.0)
            self._previewed = time.monotonic()
        done, total = steps or (None, None)
        self.job.on_step(Step(stage, fraction, done, total, preview=image, losses=losses))

    def _show(self, name: str, title: str) -> None:
        picture = np.rint(self._to_array(self.canvas).clip(0.0, 1.0) * 255.0).astype(np.uint8)
        self.overlays.append(Overlay(name, title, picture))

    def _notes(self) -> dict[str, Any]:
        losses = self.reached.losses
        if not losses:
            return {"too_small": TOO_SMALL}
        first = sum(begin for begin, _ in losses) / len(losses)
        last = sum(end for _, end in losses) / len(losses)
        return {
            "backbone": self.backbone.name,
            "patches": len(self.layout.patches),
            "poolings": self.layout.poolings,
            "iterations": self.reached.iterations,
            "loss_at_start": round(first, 1),
            "loss_at_end": round(last, 1),
        }

    def _from_array(self, image: FloatImage) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(self.device).permute(2, 0, 1)[None]

    def _to_array(self, colours: Tensor) -> FloatImage:
        """(1, 3, h, w) whitened to (h, w, 3) RGB, unclipped."""
        return self.space.decode(colours)[0].permute(1, 2, 0).contiguous().cpu().numpy()
