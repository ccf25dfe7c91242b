"""LBP inpainting as a fill model: predict the hole's binary pattern, then fill it under that guidance.

Source: Wu et al., "Deep generative model for image inpainting with local binary pattern learning and spatial
attention". The networks are in `lbp_networks`, their losses in `lbp_losses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.catalog import WEIGHTS_DIR, ModelEntry
from inpainting.layers.padding import pad_to_multiple
from inpainting.layers.spatial_attention import Picks
from inpainting.models.base import BoolMask, FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter, Prediction
from inpainting.overlays import flow_picture, heat_picture
from inpainting.weights.loading import WeightsError, load_into, read_weights

CELL = 8
"""Pixels a side that one attention position stands for."""
WORKING_SIDE = 512
"""Instance normalisation looks at the whole frame: frames far beyond the training size come out flat."""
UNTRAINED_SEED = 0


class LBPFill(FillModel):
    """The two trained networks on a device.

    Args:
        entry: the catalogue's entry; its first weights file says which size and switches it was trained with.
        device: a torch device.
        network: networks to use instead of the shipped ones.

    Without a weights file the small networks are built with random weights from a fixed seed: callers see to it that
    an untrained model is used only on explicit request.
    """

    useful_batch = MappingProxyType({"cuda": 8})
    lower_precision = True

    def __init__(self, entry: ModelEntry, device: str = "cpu", *, network: LBPInpainter | None = None) -> None:
        super().__init__(entry, device)
        self.working_side = WORKING_SIDE
        self.network = (network or _shipped_network(entry)).to(device).eval()

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop; see `fill_batch`."""
        return self.fill_batch([job])[0]

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """Fill several crops; those of one padded size go through the networks together.

        A callback that raises stops all of them. Raises `FillError` for a crop without any known pixel.
        """
        outputs: dict[int, FillOutput] = {}
        groups: dict[tuple[int, ...], list[int]] = {}
        frames = [self._frame(job) for job in jobs]
        for number, (job, frame) in enumerate(zip(jobs, frames, strict=True)):
            if job.mask.any():
                groups.setdefault(tuple(frame.shape), []).append(number)
            else:
                job.on_step(Step("nothing to fill", 1.0, preview=job.image))
                outputs[number] = FillOutput(job.image)
        for numbers in groups.values():
            batch = torch.cat([frames[number] for number in numbers])
            filled = self._fill_group([jobs[number] for number in numbers], batch)
            outputs.update(zip(numbers, filled, strict=True))
        return [outputs[number] for number in range(len(jobs))]

    def _frame(self, job: FillInput) -> Tensor:
        """Photo in [-1, 1] and mask as one padded (1, 4, H', W') tensor."""
        if job.mask.all():
            raise FillError("The whole crop is masked: leave some of the photo uncovered for the model to go by.")
        hole = torch.from_numpy(np.ascontiguousarray(job.mask, dtype=np.float32))[None]
        photo = torch.from_numpy(np.ascontiguousarray(job.image.transpose(2, 0, 1), dtype=np.float32)) * 2.0 - 1.0
        frame = torch.cat([photo * (1.0 - hole), hole])[None]
        return pad_to_multiple(frame.to(self.device), self.network.multiple)

    @torch.inference_mode()
    def _fill_group(self, jobs: Sequence[FillInput], frames: Tensor) -> list[FillOutput]:
        photo, mask = frames[:, :3], frames[:, 3:]
        _report(jobs, "reading patterns", 0.0)
        patterns: Prediction | None = None
        if self.network.config.guidance:
            patterns = self.network.predict_patterns(photo, mask)
            # A picture of what guides the second network, not yet of the result.
            greys = [_crop(patterns.composite, row, job).expand(3, -1, -1) for row, job in enumerate(jobs)]
            _report(jobs, "pattern predicted", 0.5, [_to_image(grey) for grey in greys])
        kept: list[Picks] = []

        def on_attention(picks: Picks) -> None:
            kept.append(picks)
            _report(jobs, "attention", 0.8)

        filled = self.network.inpaint(
            photo, mask, patterns.composite if patterns else None, on_attention=on_attention
        ).composite
        if not bool(torch.isfinite(filled).all()):
            raise FillError("The model produced values that are not numbers; the photo was left as it is.")
        images = [
            np.where(job.mask[..., None], _to_image(_crop(filled, row, job)), job.image) for row, job in enumerate(jobs)
        ]
        outputs = [
            self._output(row, job, images[row], patterns, kept[0] if kept else None) for row, job in enumerate(jobs)
        ]
        _report(jobs, "final", 1.0, images)
        return outputs

    def _output(
        self, row: int, job: FillInput, image: FloatImage, patterns: Prediction | None, picks: Picks | None
    ) -> FillOutput:
        config = self.network.config
        notes: dict[str, Any] = {"size": config.size, "guidance": config.guidance, "attention": config.attention}
        output = FillOutput(image, source_patch=CELL, notes=notes)
        if patterns is not None:
            grey = np.rint(_to_image(_crop(patterns.composite, row, job))[..., 0] * 255).astype(np.uint8)
            output.overlays.append(Overlay("lbp", "Predicted binary pattern", grey))
        if picks is not None:
            cells = _AttendedCells(picks, row, job.mask, self.network.multiple)
            output.overlays.extend(cells.overlays())
            output.sources = cells.sources()
        return output


class _AttendedCells:
    """One sample's picks as maps over its cells, as far as they reach into the crop."""

    def __init__(self, picks: Picks, row: int, mask: BoolMask, multiple: int) -> None:
        self.mask, self.multiple = mask, multiple
        self.size = (picks.height, picks.width)
        weights, chosen = picks.weights[row].cpu(), picks.chosen[row].cpu()
        used = weights.sum(dim=1) > 0
        weights, chosen = weights[used], chosen[used]
        self.positions = picks.positions[row].cpu()[used].numpy()
        self.strongest = _at(chosen, weights.argmax(dim=1))
        known = weights[:, picks.top :]
        best_known = _at(chosen[:, picks.top :], known.argmax(dim=1))
        self.best_known = np.where(known.sum(dim=1).numpy() > 0, best_known, -1)
        self.share_within = weights[:, : picks.top].sum(dim=1).numpy().astype(np.float32)

    def sources(self) -> NDArray[np.int32]:
        """(H, W, 2): for each hole pixel the pixel at its place in the best matching known cell; −1 elsewhere."""
        y, x = np.nonzero(self.mask)
        cell = self._map(self.best_known, np.int64(-1))[y // CELL, x // CELL]
        y, x, offset_y, offset_x, cell = (part[cell >= 0] for part in (y, x, y % CELL, x % CELL, cell))
        # A match in the padding is a copy of a pixel of the crop.
        from_y = fold_back(cell // self.size[1] * CELL + offset_y, self.mask.shape[0], self.multiple)
        from_x = fold_back(cell % self.size[1] * CELL + offset_x, self.mask.shape[1], self.multiple)
        sources = np.full((*self.mask.shape, 2), -1, np.int32)
        sources[y, x] = np.stack([from_y, from_x], axis=1)
        return sources

    def overlays(self) -> list[Overlay]:
        """Where each cell's strongest match lies, and how much weight went to other cells of the hole."""
        shown = self._map(np.ones(len(self.positions), bool), np.False_)
        home = np.arange(shown.size)
        there = home.copy()
        there[self.positions] = self.strongest
        down, right = (
            (after - before).reshape(self.size)
            for after, before in zip(np.divmod(there, self.size[1]), np.divmod(home, self.size[1]), strict=True)
        )
        share = self._map(self.share_within, np.float32(0))
        return [
            Overlay("attention", "Where the attention looked", self._full(flow_picture(down, right, shown))),
            Overlay("attention-within", "Attention to the rest of the hole", self._full(heat_picture(share, shown))),
        ]

    def _map(self, values: NDArray[Any], empty: np.generic) -> NDArray[Any]:
        cells = np.full(self.size[0] * self.size[1], empty)
        cells[self.positions] = values
        return cells.reshape(self.size)

    def _full(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cells as pixels of the crop."""
        height, width = self.mask.shape
        return picture.repeat(CELL, axis=0).repeat(CELL, axis=1)[:height, :width]


def fold_back(coordinates: NDArray[np.int64], side: int, multiple: int) -> NDArray[np.int64]:
    """Positions on an axis of length `side` extended by `pad_to_multiple`, as the positions they are copies of."""
    if -side % multiple < side:
        return np.where(coordinates < side, coordinates, 2 * (side - 1) - coordinates)
    return np.minimum(coordinates, side - 1)


def _at(table: Tensor, column: Tensor) -> NDArray[np.int64]:
    return np.asarray(table.gather(1, column[:, None])[:, 0].numpy(), dtype=np.int64)


def _report(
    jobs: Sequence[FillInput], stage: str, fraction: float, previews: Sequence[FloatImage] | None = None
) -> None:
    for number, job in enumerate(jobs):
        job.on_step(Step(stage, fraction, preview=previews[number] if previews else None))


def _crop(maps: Tensor, row: int, job: FillInput) -> Tensor:
    return maps[row, :, : job.mask.shape[0], : job.mask.shape[1]]


def _to_image(values: Tensor) -> FloatImage:
    """(C, H, W) in [-1, 1] to (H, W, C) in [0, 1]."""
    scaled = ((values.float() + 1.0) / 2.0).clamp(0.0, 1.0).permute(1, 2, 0)
    return np.ascontiguousarray(scaled.cpu().numpy(), dtype=np.float32)


def _shipped_network(entry: ModelEntry) -> LBPInpainter:
    """The networks the entry's weights file was written from, or untrained small ones when there is no file."""
    if not (entry.weights and entry.trained):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(UNTRAINED_SEED)
            return LBPInpainter(LBPConfig.of("small"))
    weights = read_weights(WEIGHTS_DIR / entry.weights[0])
    try:
        network = LBPInpainter(LBPConfig.from_metadata(weights.metadata))
    except ValueError as error:
        raise WeightsError(f"{weights.name} cannot be used: {error}") from None
    load_into(network, weights)
    return network
