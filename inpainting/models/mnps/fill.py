"""MNPS behind the engine's interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.backbones.precision import convolution_precision
from inpainting.backbones.vgg import VGG, random_vgg19, shipped_vgg
from inpainting.catalog import WEIGHTS_DIR, ModelEntry
from inpainting.layers.neural_patches import PATCH
from inpainting.models.base import BoolMask, FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.models.mnps.blending import blended
from inpainting.models.mnps.contents import Contents, pick_content
from inpainting.models.mnps.energy import EnergySettings
from inpainting.models.mnps.pyramid import Scale, make_pyramid
from inpainting.models.mnps.resuming import Start, start_from, state_of
from inpainting.models.mnps.synthesis import Moment, Schedule, synthesise
from inpainting.models.mnps.texture import LEADER, TextureTap
from inpainting.models.mnps.views import TURNED, UPRIGHT, View
from inpainting.overlays import flow_picture, heat_picture

BACKBONE_SEED = 0
BACKBONE_FILE = "vgg19.safetensors"
WORKING_SIDES = {"cpu": 512, "cuda": 1024}
"""Where optimising stops: above, the engine brings fine detail over from where the texture came from."""
CONTENT_SHARE = 0.05
"""Share of the progress that the first guess counts for."""
_SHOW_EVERY = 5
_COST_RATIO = 3.0
"""How much longer a scale takes than the next coarser one (measured; the window around the hole grows less than 4×)."""


class MNPSFill(FillModel):
    """Yang et al., "High-resolution image inpainting using multi-scale neural patch synthesis" (2017)."""

    resumable = True

    def __init__(self, entry: ModelEntry, device: str = "cpu") -> None:
        super().__init__(entry, device)
        self.working_side = WORKING_SIDES.get(device, WORKING_SIDES["cpu"])
        self._contents = Contents(device)
        self._backbones: dict[tuple[str, ...], tuple[VGG, str]] = {}

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop; raises `FillError` when nothing is known or the chosen content is not there."""
        if not job.mask.any():
            job.on_step(Step("Nothing to fill", 1.0))
            return FillOutput(job.image.copy())
        if job.mask.all():
            raise FillError("The hole covers everything that is shown to MNPS, so there is nothing to go by.")
        content = pick_content(job.params["content"])
        settings, schedule = _settings(job.params)
        backbone, origin = self._backbone(settings.network_taps)
        photo = torch.from_numpy(job.image).permute(2, 0, 1)[None].to(self.device)
        scales = make_pyramid(photo, torch.from_numpy(job.mask).to(self.device))
        start = None if job.resume is None else start_from(job.resume, origin, self.device)
        if start is None:
            guess, guesser = self._contents.guess(
                content,
                scales,
                seed=job.seed,
                on_step=lambda step: job.on_step(Step(step.stage, CONTENT_SHARE * step.fraction)),
            )
            start = Start(guess, guesser)
        report = _Report(job, scales, schedule, start, origin)
        if start.reached is None:
            job.on_step(Step("Guessed the content", CONTENT_SHARE, preview=report.enlarged(start.guess)))
        with convolution_precision(job.params["precision"], self.device):
            made = synthesise(backbone, scales, start.guess, settings, schedule, report, start.reached)
        leader = made.energy.taps.get(LEADER)
        sources = None if leader is None else _pixel_sources(leader, job.mask, settings.views)
        image = _to_array(made.picture)
        if sources is not None and job.params["edge"] == "blended":
            image = blended(image, job.image, job.mask, sources)
        hole = job.mask[..., np.newaxis]
        job.on_step(Step("Done", 1.0, preview=image))
        notes = {
            "backbone": origin,
            "content": start.guesser,
            "scales": len(scales),
            "iterations": made.iterations,
            "curves": start.curves.as_note(),
        }
        overlays = [
            Overlay("content", "First guess", _to_bytes(np.where(hole, report.enlarged(start.guess), job.image)))
        ]
        if leader is None:
            return FillOutput(image, overlays=overlays, notes=notes)
        return FillOutput(
            image,
            overlays=[*overlays, *_texture_overlays(leader, job.mask, settings.views)],
            sources=sources,
            source_patch=PATCH * leader.stride,
            notes=notes,
        )

    def _backbone(self, taps: tuple[str, ...]) -> tuple[VGG, str]:
        """The network with these taps and where its weights are from; a user's VGG-19 file goes first."""
        if taps not in self._backbones:
            if (WEIGHTS_DIR / BACKBONE_FILE).is_file():
                network, origin = shipped_vgg(19, taps, WEIGHTS_DIR), f"VGG-19 ({BACKBONE_FILE})"
            else:
                network = random_vgg19(taps, seed=BACKBONE_SEED)
                origin = f"VGG-19, random orthogonal, seed {BACKBONE_SEED}"
            self._backbones[taps] = network.to(self.device), origin
        return self._backbones[taps]


class _Report:
    """Turns moments of the synthesis into steps of the fill."""

    def __init__(self, job: FillInput, scales: list[Scale], schedule: Schedule, start: Start, network: str) -> None:
        self._start, self._network = start, network
        self._job, self._scales, self._schedule = job, scales, schedule
        costs = [_COST_RATIO**number for number in range(len(scales))]
        self._shares = [cost / sum(costs) for cost in costs]
        self._shown: tuple[int, int] | None = None
        self._preview: FloatImage | None = None

    def __call__(self, moment: Moment) -> None:
        """Tell the job; what it raises ends the synthesis."""
        shown = (moment.scale, moment.iteration // _SHOW_EVERY)
        if shown != self._shown and moment.losses:
            self._shown, self._preview = shown, self.enlarged(moment.picture())
        count, planned = len(self._scales), self._schedule.iterations
        part = f"Scale {moment.scale + 1}/{count}"
        if not moment.searching:
            self._start.curves.add(part, moment.losses)
        doing = "looking for matches" if moment.searching else f"iteration {moment.iteration}/{planned}"
        reached = moment.reached
        if reached is not None:
            self._job.keep(lambda: state_of(reached(), self._start, self._network))
        done = sum(self._shares[: moment.scale])
        done += self._shares[moment.scale] * moment.iteration / max(1, planned)
        self._job.on_step(
            Step(
                f"{part}, {doing}",
                CONTENT_SHARE + (1.0 - CONTENT_SHARE) * done,
                steps_done=moment.scale * planned + moment.iteration,
                steps_total=count * planned,
                preview=self._preview,
                losses=moment.losses or None,
            )
        )

    def enlarged(self, picture: Tensor) -> FloatImage:
        """A picture of any scale, (1, 3, h, w), at the crop's size."""
        array = _to_array(picture)
        height, width = self._job.mask.shape
        while array.shape[0] < height or array.shape[1] < width:
            array = np.asarray(cv2.resize(array, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.float32)
        return np.ascontiguousarray(array[:height, :width])


def _settings(params: Mapping[str, Any]) -> tuple[EnergySettings, Schedule]:
    settings = EnergySettings(
        layers=params["layers"],
        strength=params["strength"],
        content=params["content_term"],
        views=TURNED if params["targets"] == "turned" else UPRIGHT,
    )
    return settings, Schedule(iterations=params["iterations"], rematch=params["rematch"])


def _texture_overlays(tap: TextureTap, mask: BoolMask, views: Sequence[View]) -> list[Overlay]:
    """Where the nearest neighbours of relu3_1 lie, and how similar they are, one place a feature position."""
    rows, columns = tap.positions.cpu().numpy().T
    down: NDArray[np.int64] = np.zeros((tap.height, tap.width), np.int64)
    right, shown = np.zeros_like(down), np.zeros(down.shape, np.bool_)
    score = np.zeros(down.shape, np.float32)
    moves = _moves(tap, views)
    down[rows, columns], right[rows, columns], shown[rows, columns] = moves[:, 0], moves[:, 1], True
    if tap.nearest is not None:
        score[rows, columns] = tap.nearest.scores.clamp(0.0, 1.0).cpu().numpy()

    def full(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture.repeat(tap.stride, axis=0).repeat(tap.stride, axis=1)[: mask.shape[0], : mask.shape[1]]

    return [
        Overlay("sources", "Where texture came from", full(flow_picture(down, right, shown))),
        Overlay("match", "How well it matched", full(heat_picture(score, shown))),
    ]


def _moves(tap: TextureTap, views: Sequence[View]) -> NDArray[np.int64]:
    """(N, 2): how many pixels down and to the right each query's texture is taken from."""
    centres = (tap.positions.cpu().numpy() + 0.5) * tap.stride - 0.5
    return np.asarray(np.rint(tap.sources(views).cpu().numpy() - centres), np.int64)


def _pixel_sources(tap: TextureTap, mask: BoolMask, views: Sequence[View]) -> NDArray[np.int32]:
    """(H, W, 2): for each hole pixel the pixel that it was matched with; -1 where that is no known pixel."""
    number = np.full((tap.height, tap.width), -1, np.int64)
    rows, columns = tap.positions.cpu().numpy().T
    number[rows, columns] = np.arange(len(rows))
    moves = _moves(tap, views)
    ys, xs = np.nonzero(mask)
    mine = number[ys // tap.stride, xs // tap.stride]
    to_y, to_x = ys + moves[mine, 0], xs + moves[mine, 1]
    inside = (to_y >= 0) & (to_y < mask.shape[0]) & (to_x >= 0) & (to_x < mask.shape[1])
    inside[inside] = ~mask[to_y[inside], to_x[inside]]
    sources = np.full((*mask.shape, 2), -1, np.int32)
    sources[ys[inside], xs[inside]] = np.stack([to_y[inside], to_x[inside]], axis=1)
    return sources


def _to_array(picture: Tensor) -> FloatImage:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).float().cpu().numpy())


def _to_bytes(image: FloatImage) -> NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(image, 0.0, 1.0) * 255.0), dtype=np.uint8)
