"""TTA-Net: image inpainting with Texture Transform Attention (Kim, Cheon and Lee, arXiv 2012.04242).

A gated-convolution U-Net whose skip connections are reassembled: each place in the hole takes over the texture of the
single most similar known place. The attention itself is in `inpainting.layers.texture_transform`. Widths follow
gated convolution (Yu et al. 2019), because the paper gives a figure only; see docs/models/tta.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from inpainting.catalog import WEIGHTS_DIR, ModelEntry
from inpainting.layers.gated import GatedConv2d, GatedUp2d
from inpainting.layers.padding import pad_same, pad_to_multiple
from inpainting.layers.seam import seamless
from inpainting.layers.texture_transform import (
    SWAP_SIZE,
    Attention,
    LevelMatch,
    Search,
    TextureTransform,
    swap_patches,
)
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.overlays import flow_picture, heat_picture
from inpainting.weights.loading import WeightsError, load_into, read_weights

WIDTHS = {"paper": 48, "small": 32, "tiny": 24}
"""Channels at full resolution; 7.38, 3.28 and 1.85 million parameters."""
LEVELS = (4, 2, 1)
"""Down-scaling of the skip connections, in the order the decoder meets them."""
MULTIPLE = 8
"""Sides must be multiples of this: two halvings, then pairs of pixels for the matching grid."""
DILATIONS = (2, 4, 8, 16)

LevelCallback = Callable[[int, LevelMatch | None], None]
"""Told after the encoder (4, None) and after each level (its scale, what it copied)."""


@dataclass(frozen=True, slots=True)
class TTAOutput:
    """What the generator made of a batch."""

    prediction: Tensor
    """(B, 3, H, W) in [-1, 1], known region included."""
    levels: dict[int, LevelMatch]
    """Per level (4, 2, 1) what was copied from where."""

    @property
    def ratios(self) -> dict[int, Tensor]:
        """Fusion ratio maps R, eq. (4): (B, 1, H / level, W / level) in [0, 1]."""
        return {level: match.ratio for level, match in self.levels.items()}

    @property
    def indices(self) -> dict[int, Tensor]:
        """Index maps H, eq. (2): (B, H / 2level, W / 2level) flat grid indices."""
        return {level: match.sources for level, match in self.levels.items()}


class TTAGenerator(nn.Module):
    """The generator. `width` is the paper's unnamed base width c; `attention` and `normalise` as `TextureTransform`.

    With `seam`, which is not in the paper, the fill is moved to meet the photo at the hole's edge (`layers.seam`).
    """

    def __init__(
        self, width: int, *, attention: Attention = "hard", normalise: bool = True, seam: bool = False
    ) -> None:
        super().__init__()
        self.seam = seam
        c = width
        self.encode1 = GatedConv2d(4, c, kernel=5)
        self.encode2 = nn.Sequential(GatedConv2d(c, 2 * c, stride=2), GatedConv2d(2 * c, 2 * c))
        self.encode4 = nn.Sequential(
            GatedConv2d(2 * c, 4 * c, stride=2), GatedConv2d(4 * c, 4 * c), GatedConv2d(4 * c, 4 * c)
        )
        self.bottleneck = nn.Sequential(
            *(GatedConv2d(4 * c, 4 * c, dilation=dilation) for dilation in DILATIONS),
            GatedConv2d(4 * c, 4 * c),
            GatedConv2d(4 * c, 4 * c),
        )
        self.transform4 = TextureTransform(4 * c, attention=attention, normalise=normalise)
        self.up2 = GatedUp2d(4 * c, 2 * c)
        self.transform2 = TextureTransform(2 * c, attention=attention, normalise=normalise)
        self.blend2 = GatedConv2d(2 * c, 2 * c)
        self.up1 = GatedUp2d(2 * c, c)
        self.transform1 = TextureTransform(c, attention=attention, normalise=normalise)
        self.blend1 = GatedConv2d(c, c // 2)
        self.out = nn.Conv2d(c // 2, 3, 3)

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        barred: Tensor | None = None,
        search: Search | None = None,
        on_level: LevelCallback | None = None,
    ) -> TTAOutput:
        """Fill a batch.

        `image` is (B, 3, H, W) in [-1, 1], H and W multiples of 8; what it has in the hole is not looked at. `mask`
        is (B, 1, H, W), 1 (or True) in the hole. `barred` (B, 1, H, W) bool marks more places that no texture may be
        copied from. `on_level` may raise to stop.
        """
        hole = mask > 0.5
        unusable = hole if barred is None else hole | barred
        image = image.masked_fill(hole, 0.0)
        p1 = self.encode1(torch.cat([image, hole.to(image.dtype)], dim=1))
        p2 = self.encode2(p1)
        p4 = self.encode4(p2)
        if on_level is not None:
            on_level(LEVELS[0], None)
        levels: dict[int, LevelMatch] = {}

        def transform(block: nn.Module, level: int, context: Tensor, texture: Tensor) -> Tensor:
            fused: Tensor
            fused, match = block(
                context,
                texture,
                _reduced(hole, level),
                barred=_reduced(unusable, level),
                coarser=levels.get(2 * level),
                search=search,
            )
            levels[level] = match
            if on_level is not None:
                on_level(level, match)
            return fused

        q4 = transform(self.transform4, 4, self.bottleneck(p4), p4)
        q2 = self.blend2(transform(self.transform2, 2, self.up2(q4), p2))
        q1 = self.blend1(transform(self.transform1, 1, self.up1(q2), p1))
        prediction = torch.tanh(self.out(pad_same(q1, 1)))
        if self.seam:
            prediction = torch.where(hole, seamless(prediction, image, mask), prediction)
        return TTAOutput(prediction, levels)


def build_generator(
    size: str = "small", *, attention: Attention = "hard", normalise: bool = True, seam: bool = False
) -> TTAGenerator:
    """A fresh generator of size ``"paper"``, ``"small"`` or ``"tiny"`` with random weights."""
    if size not in WIDTHS:
        raise ValueError(f"TTA-Net has no size {size!r}. It has: {', '.join(WIDTHS)}.")
    if attention not in get_args(Attention):
        raise ValueError(f"TTA-Net has no attention {attention!r}. It has: {', '.join(get_args(Attention))}.")
    return TTAGenerator(WIDTHS[size], attention=attention, normalise=normalise, seam=seam)


def describe_generator(
    size: str, *, attention: Attention = "hard", normalise: bool = True, seam: bool = False
) -> dict[str, str]:
    """What a weights file must say about itself so that `generator_from` builds the same network."""
    return {
        "model": "tta",
        "size": size,
        "attention": attention,
        "normalise": "yes" if normalise else "no",
        "seam": "closed" if seam else "open",
    }


def generator_from(metadata: Mapping[str, str]) -> TTAGenerator:
    """The generator that a weights file's metadata describes; raise `WeightsError` when it is not one."""
    if metadata.get("model") != "tta":
        raise WeightsError(f"These weights are for {metadata.get('model', 'an unnamed model')!r}, not for TTA-Net.")
    attention: Any = metadata.get("attention", "hard")
    try:
        return build_generator(
            metadata.get("size", "unnamed"),
            attention=attention,
            normalise=metadata.get("normalise", "yes") == "yes",
            seam=metadata.get("seam", "open") == "closed",
        )
    except ValueError as error:
        raise WeightsError(str(error)) from None


class TTAFill(FillModel):
    """TTA-Net behind the engine's interface.

    Loads the entry's weights; when the file does not exist, the network keeps seeded random weights (the engine lets
    such a model work only on explicit request). Parameter ``search``: ``auto``, ``exhaustive`` or ``quick``.
    """

    working_side = 512
    useful_batch = MappingProxyType({"cuda": 8})
    lower_precision = True

    def __init__(self, entry: ModelEntry, device: str = "cpu") -> None:
        super().__init__(entry, device)
        path = WEIGHTS_DIR / entry.weights[0]
        if path.is_file():
            weights = read_weights(path, device=device)
            network = generator_from(weights.metadata)
            load_into(network, weights)
            self.origin = f"{weights.name} {weights.sha256[:8]}"
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = build_generator("small")
            self.origin = "untrained"
        # Measured on one CPU core, small, 512² with a quarter missing: 4.7 s, against 5.2 s with channels first.
        self.network = network.to(device).eval().requires_grad_(False)
        nn.utils.convert_conv2d_weight_memory_format(self.network, torch.channels_last)

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop; raises `FillError` when no pixel is known."""
        return self.fill_batch([job])[0]

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """Fill several crops; those of equal size and parameters go through together.

        An `on_step` that raises stops them all.
        """
        outputs: dict[int, FillOutput] = {}
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for number, job in enumerate(jobs):
            if job.mask.all():
                raise FillError("The hole covers everything that is shown to TTA-Net, so there is nothing to go by.")
            if job.mask.any():
                groups[job.mask.shape, job.params.get("search", "auto")].append(number)
            else:
                job.on_step(Step("Nothing to fill", 1.0))
                outputs[number] = FillOutput(job.image.copy())
        for (_, mode), numbers in groups.items():
            search = Search(mode=mode, seeds=tuple(jobs[number].seed for number in numbers))
            outputs.update(zip(numbers, self._fill_equal([jobs[number] for number in numbers], search), strict=True))
        return [outputs[number] for number in range(len(jobs))]

    @torch.inference_mode()
    def _fill_equal(self, jobs: list[FillInput], search: Search) -> list[FillOutput]:
        height, width = jobs[0].mask.shape
        images = torch.from_numpy(np.stack([job.image for job in jobs])).permute(0, 3, 1, 2).to(self.device)
        masks = torch.from_numpy(np.stack([job.mask for job in jobs]))[:, None].to(self.device)
        images = pad_to_multiple(images.masked_fill(masks, 0.5) * 2.0 - 1.0, MULTIPLE)
        holes = pad_to_multiple(masks.float(), MULTIPLE) > 0.5
        # Padding is a mirror of what is there; a source inside it would have no place in the crop.
        barred = torch.ones_like(holes)
        barred[..., :height, :width] = False

        def on_level(level: int, match: LevelMatch | None) -> None:
            previews = [None] * len(jobs) if match is None else _previews(images, match, level, height, width)
            for job, preview in zip(jobs, previews, strict=True):
                job.on_step(_step(level, match, preview))

        for job in jobs:
            job.on_step(Step("Reading the surroundings", 0.02))
        images = images.contiguous(memory_format=torch.channels_last)
        result = self.network(images, holes, barred=barred, search=search, on_level=on_level)
        filled = _to_arrays(result.prediction, height, width)
        if not np.isfinite(filled).all():
            raise FillError("TTA-Net made values that are not numbers; its weights are damaged.")
        outputs = []
        for number, (job, image) in enumerate(zip(jobs, filled, strict=True)):
            outputs.append(self._output(job, image, result, number))
            job.on_step(Step("Done", 1.0, preview=image))
        return outputs

    def _output(self, job: FillInput, image: FloatImage, result: TTAOutput, number: int) -> FillOutput:
        overlays = []
        for level in LEVELS:
            overlays += _overlays(result.levels[level], level, number, job.mask.shape)
        matched = [level for level in LEVELS if bool(result.levels[level].queries[number].any())]
        sources = _pixel_sources(result.levels[matched[-1]], matched[-1], number, job.mask) if matched else None
        return FillOutput(
            image,
            overlays=overlays,
            sources=sources,
            source_patch=SWAP_SIZE * matched[-1] if matched else 1,
            notes={"weights": self.origin, "levels_matched": matched},
        )


_STAGES = {4: ("Matching coarse texture", 0.4), 2: ("Matching texture", 0.6), 1: ("Matching fine texture", 0.9)}


def _step(level: int, match: LevelMatch | None, preview: FloatImage | None) -> Step:
    if match is None:
        return Step("Understanding the scene", 0.2)
    stage, fraction = _STAGES[level]
    return Step(stage, fraction, preview=preview)


def _reduced(mask: Tensor, level: int) -> Tensor:
    """The mask at a level's resolution: hole where any of the pixels is."""
    return mask if level == 1 else F.max_pool2d(mask.float(), level) > 0.5


def _previews(images: Tensor, match: LevelMatch, level: int, height: int, width: int) -> list[FloatImage | None]:
    """The photos' own pixels moved as the level moves its texture: what the fill will be made of.

    None where the level had nothing to copy from.
    """
    reduced = images if level == 1 else F.avg_pool2d(images, level)
    moved = swap_patches(reduced, match.sources)
    if level != 1:
        moved = F.interpolate(moved, scale_factor=level, mode="bilinear", align_corners=False)
    found = match.queries.flatten(1).any(1).tolist()
    return [
        shown if any_found else None for shown, any_found in zip(_to_arrays(moved, height, width), found, strict=True)
    ]


def _to_arrays(maps: Tensor, height: int, width: int) -> FloatImage:
    """(B, 3, H', W') in [-1, 1] as (B, height, width, 3) in [0, 1]."""
    shown = maps[..., :height, :width].float().clamp(-1.0, 1.0).add(1.0).mul(0.5)
    return shown.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def _displacements(match: LevelMatch, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many grid positions each place's texture travelled: down and to the right, (gh, gw) each."""
    sources = match.sources[number].cpu().numpy()
    rows, columns = np.indices(sources.shape)
    return sources // sources.shape[1] - rows, sources % sources.shape[1] - columns


def _overlays(match: LevelMatch, level: int, number: int, shape: tuple[int, ...]) -> list[Overlay]:
    queries = match.queries[number].cpu().numpy()
    if not queries.any():
        return []
    down, right = _displacements(match, number)
    ratio = match.ratio[number, 0, ::2, ::2].float().cpu().numpy()
    step = 2 * level

    def full(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture.repeat(step, axis=0).repeat(step, axis=1)[: shape[0], : shape[1]]

    where = {4: "a quarter", 2: "half", 1: "full"}[level]
    return [
        Overlay(f"sources-{level}", f"Where texture came from, {where} size", full(flow_picture(down, right, queries))),
        Overlay(f"ratio-{level}", f"How well it matched, {where} size", full(heat_picture(ratio, queries))),
    ]


def _pixel_sources(match: LevelMatch, level: int, number: int, mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(H, W, 2): for each hole pixel the pixel that its nearest patch centre brought along; -1 elsewhere."""
    y, x = np.nonzero(mask)
    down, right = _displacements(match, number)
    step = 2 * level
    from_y = y + step * down[y // step, x // step]
    from_x = x + step * right[y // step, x // step]
    inside = match.queries[number].cpu().numpy()[y // step, x // step]
    inside &= (from_y >= 0) & (from_y < mask.shape[0]) & (from_x >= 0) & (from_x < mask.shape[1])
    sources = np.full((*mask.shape, 2), -1, np.int32)
    sources[y[inside], x[inside]] = np.stack([from_y[inside], from_x[inside]], axis=1)
    return sources
