"""Laube et al.'s texture inpainting as a model of the engine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.catalog import WEIGHTS_DIR, ModelEntry, get_entry
from inpainting.imaging.context import Box
from inpainting.layers.lbfgs import LBFGSState
from inpainting.layers.quilting import membrane, quilt
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.models.baselines import PatchMatch
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.layout import OVERLAP, Layout, non_overlapping, plan_layout
from inpainting.models.gram.overlays import references_overlay
from inpainting.models.gram.overview import Overview
from inpainting.models.gram.reference import ReferenceTexture, cut, mirrored_cut
from inpainting.models.gram.start import copied_start, mean_start, shifted_window, telea_start
from inpainting.models.gram.synthesis import (
    SHADING_WEIGHT,
    PatchProblem,
    measured_branch,
    synthesise,
)

TAPS = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
STOCHASTIC_TAPS = ("pool3", "pool4", "pool5")
"""For the global statistics of very stochastic textures (section 4)."""
GREY = (0.212, 0.7154, 0.0721)
"""Section 3.3."""
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
        self.layout: Layout = plan_layout(job.mask)
        self.overlays: list[Overlay] = []
        self.references: list[tuple[Box, Box | None]] = []
        self.losses: list[tuple[float, float]] = []
        self.iterations = 0
        self.sources: NDArray[np.int32] | None = None
        self._previewed = time.monotonic()

    def run(self) -> FillOutput:
        self._tell("Reading the texture", 0.0)
        self._start()
        self._show("start", "Before synthesis")
        self.backbone = self.backbone.calibrated(self.canvas, self.space)
        detail = ReferenceTexture(self.backbone, self.space, self.canvas, self.hole.float())
        overview = self._overview()
        if overview is not None:
            self._coarse(overview)
            self._show("coarse", "Global structure")
        groups = non_overlapping(self.layout.patches, together=self._together())
        for number, group in enumerate(groups):
            self._fine(group, number, len(groups), detail, overview)
        image = self._finished()
        self._tell("Done", 1.0, image=image)
        return FillOutput(
            image,
            overlays=[*self.overlays, references_overlay(self.job.image, self.references)],
            sources=self.sources,
            notes=self._notes(),
        )

    # The hole's beginning

    def _start(self) -> None:
        image, hole = self.job.image, self.hole_array
        start = self.params["start"]
        if start == "mean":
            begun = mean_start(image, hole)
        elif start == "telea":
            begun = telea_start(image, hole)
        elif start == "patchmatch":
            begun = self._patchmatch()
        else:
            begun, self.sources = copied_start(
                image, hole, self.job.seed, lambda: self._tell("Finding similar texture", 0.01)
            )
        self.canvas = torch.where(self.hole, self.space.encode(self._from_array(begun)), self.known)

    def _patchmatch(self) -> FloatImage:
        entry = get_entry("patchmatch")

        def listen(step: Step) -> None:
            self._tell(step.stage, _STARTED * step.fraction)

        job = FillInput(self.job.image, self.job.mask, entry.parse_params(None), self.job.seed, listen)
        return PatchMatch(entry).fill(job).image

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
        problem = PatchProblem(
            start=overview.window(self.canvas),
            movable=overview.hole.float(),
            bound=torch.zeros_like(overview.hole.float()),
            detail=overview.branch(1.0),
            overview=None,
            surroundings=None,
            boundary_weight=0.0,
        )

        def listen(state: LBFGSState, pictures: Tensor, terms: Mapping[str, float]) -> None:
            done = max(state.iterations)
            share = _STARTED + (_COARSE - _STARTED) * done / limit
            self._tell(
                f"coarse, iteration {done}/{limit}",
                share,
                losses={"global": terms["detail"]},
                steps=(done, limit),
                canvas=lambda: overview.enlarged(pictures, self.canvas, self.hole),
            )

        pictures, result = synthesise(problem, overview.backbone, self.space, iterations=limit, on_evaluation=listen)
        self.iterations += max(result.iterations)
        rgb = self.space.decode(overview.enlarged(pictures, self.canvas, self.hole))
        grey = (rgb * rgb.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        self.canvas = torch.where(self.hole, self.space.encode(grey), self.known)

    # Fine stage

    def _fine(
        self, group: list[Box], number: int, count: int, detail: ReferenceTexture, overview: Overview | None
    ) -> None:
        remaining = self.hole & ~self.written
        starts = torch.cat([cut(self.canvas, box) for box in group])
        holes = torch.cat([cut(self.hole, box) for box in group])
        open_ = torch.cat([cut(remaining, box) for box in group])
        windows = [self._look_up(detail, box, open_[i : i + 1]) for i, box in enumerate(group)]
        self.references += zip(group, windows, strict=True)
        pictures = [None if window is None else mirrored_cut(self.canvas, window) for window in windows]
        everywhere = self.params["measured"] == "patch"
        soft = self.params["boundary"] == "soft"
        problem = PatchProblem(
            start=starts,
            movable=torch.ones_like(holes).float() if soft else holes.float(),
            bound=(~open_).float(),
            detail=measured_branch(
                pictures, detail.known_region, 1.0, holes, self.backbone, self.space, everywhere=everywhere
            ),
            overview=None if overview is None else overview.branch(self.params["global_weight"]),
            surroundings=None if overview is None else overview.surroundings(self.canvas, group),
            boundary_weight=self.params["boundary_weight"],
            shading_weight=SHADING_WEIGHT if self._from_photo() else 0.0,
        )
        if problem.detail is None or not problem.detail.taps:
            return  # a photo of a few pixels: its start is all there is
        limit = self._limit("fine", int(holes.sum()) // len(group))
        base = _COARSE if any(overlay.name == "coarse" for overlay in self.overlays) else _STARTED

        def listen(state: LBFGSState, pictures: Tensor, terms: Mapping[str, float]) -> None:
            done = max(state.iterations)
            self._tell(
                f"fine {number + 1}/{count} patches, iteration {done}/{limit}",
                base + (0.99 - base) * (number + done / limit) / count,
                losses=terms,
                steps=(done, limit),
                canvas=lambda: self._with_patches(group, pictures, self.hole),
            )

        made, result = synthesise(problem, self.backbone, self.space, iterations=limit, on_evaluation=listen)
        self.iterations += max(result.iterations)
        self.losses.append((float(result.first_values.mean()), float(result.values.mean())))
        for box, picture in zip(group, made[:, None], strict=True):
            self._write(box, picture, soft)

    def _look_up(self, texture: ReferenceTexture, box: Box, unknown: Tensor) -> Box | None:
        """The window that the patch in `box` is to be like; ``None`` for the whole known region."""
        if self.sources is not None:
            return shifted_window(self.sources, box)
        # A start with the photo's own texture is to become more like itself, so all of the patch is compared.
        masked = torch.zeros_like(unknown) if self._from_photo() else unknown
        target = self.backbone.features(cut(self.canvas, box), self.space)
        return texture.look_up(target, (box.height, box.width), masked.float())

    def _from_photo(self) -> bool:
        return self.params["start"] in ("copy", "patchmatch")

    def _write(self, box: Box, picture: Tensor, soft: bool) -> None:
        """Take over a finished patch, along minimum-error cuts through what earlier patches have written."""
        written = cut(self.written, box)[0, 0].cpu().numpy()
        new, old = self._to_array(picture), self._to_array(cut(self.canvas, box))
        hole = cut(self.hole, box)
        unwritten = hole[0, 0].cpu().numpy() & ~written
        taken = quilt(new, old, written, unwritten, (OVERLAP, OVERLAP))
        replaced = torch.from_numpy(taken).to(self.device)[None, None]
        # With a soft boundary the known side may have moved too: kept until the membrane has taken it back.
        wanted = replaced & (hole | torch.tensor(soft, device=self.device))
        self.canvas = self._with_patches([box], torch.where(wanted, picture, cut(self.canvas, box)), None)
        self.written = self.written.clone()
        self.written[..., box.top : box.bottom, box.left : box.right] |= hole

    def _with_patches(self, boxes: list[Box], pictures: Tensor, where: Tensor | None) -> Tensor:
        """The canvas with `pictures` in `boxes`, only `where` if that is given."""
        canvas = self.canvas.clone()
        for box, picture in zip(boxes, pictures, strict=True):
            canvas[0, :, box.top : box.bottom, box.left : box.right] = picture
        return canvas if where is None else torch.where(where, canvas, self.canvas)

    def _finished(self) -> FloatImage:
        """RGB with the known pixels as they were: what a soft boundary moved is taken back through a membrane."""
        rgb = self._to_array(self.canvas)
        image, hole = self.job.image, self.hole_array
        if self.params["boundary"] == "soft":
            box = self.layout.patches[0]
            for other in self.layout.patches[1:]:
                box = box.union(other)
            correction = np.where(hole[..., np.newaxis], np.float32(0), image - rgb)
            rgb[box.slices] += membrane(correction[box.slices], hole[box.slices])
        return np.where(hole[..., np.newaxis], rgb.clip(0.0, 1.0), image)

    # Around it

    def _together(self) -> bool:
        order = self.params["order"]
        return bool(order == "checkerboard" or (order == "auto" and self.device != "cpu"))

    def _limit(self, stage: str, pixels: int) -> int:
        """Iterations of a stage: fewer for a quick preview, and for holes with few unknowns."""
        wanted = int(self.params[f"{stage}_iterations"])
        if self.params["quality"] == "preview":
            wanted = min(wanted, PREVIEW_ITERATIONS[stage])
        return max(1, min(wanted, 5 + (1 if self._from_photo() else 2) * int(pixels**0.5)))

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
        if not self.losses:
            return {"too_small": TOO_SMALL}
        first = sum(begin for begin, _ in self.losses) / len(self.losses)
        last = sum(end for _, end in self.losses) / len(self.losses)
        return {
            "backbone": self.backbone.name,
            "patches": len(self.layout.patches),
            "poolings": self.layout.poolings,
            "iterations": self.iterations,
            "loss_at_start": round(first, 1),
            "loss_at_end": round(last, 1),
        }

    def _from_array(self, image: FloatImage) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(self.device).permute(2, 0, 1)[None]

    def _to_array(self, colours: Tensor) -> FloatImage:
        """(1, 3, h, w) whitened to (h, w, 3) RGB, unclipped."""
        return self.space.decode(colours)[0].permute(1, 2, 0).contiguous().cpu().numpy()
