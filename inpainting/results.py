"""What the engine hands out: progress while a photo is filled, and the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.color import to_display
from inpainting.imaging.context import Box
from inpainting.imaging.photo import BoolMask, Photo
from inpainting.imaging.working import FloatImage

PREVIEW_SIDE = 512


@dataclass(frozen=True, slots=True, eq=False)
class LivePreview:
    """The holes as they look now."""

    box: Box
    """Which part of the photo the picture covers, in photo pixels."""
    rgba: NDArray[np.uint8]
    """(h, w, 4), sRGB; opaque where there is something new to see, transparent elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """One sign of life of a running fill."""

    stage: str
    fraction: float
    """Share of the whole fill that is done, 0 to 1; never decreases."""
    steps_done: int | None = None
    steps_total: int | None = None
    losses: Mapping[str, float] | None = None
    item: int = 0
    """Which photo of a batch this is about."""
    resumed: float = 0.0
    """The fraction that an interrupted attempt had reached and this one began with."""
    render: Callable[[int], LivePreview | None] | None = None

    def render_preview(self, max_side: int = PREVIEW_SIDE) -> LivePreview | None:
        """The holes as they look now, no side longer than `max_side`; ``None`` when there is nothing to show.

        Rendered at the time of the call, which must be inside the callback.
        """
        return None if self.render is None else self.render(max_side)


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, eq=False)
class SourceMap:
    """For each hole pixel of one crop, where in the photo its content was taken from."""

    box: Box
    """The crop in photo pixels."""
    sources: NDArray[np.int32]
    """(h, w, 2): (y, x) in photo pixels, -1 where there is none; stretched over the box."""
    patch: int = 1
    """Side in photo pixels of the patches that the sources are the centres of."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedOverlay:
    """A picture of what happened inside a model, and the part of the photo it belongs to."""

    name: str
    title: str
    image: NDArray[np.uint8]
    """(h, w, 3) or (h, w); stretched over the box."""
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A filled photo with its proof."""

    photo: Photo
    proof: dict[str, int]
    """``known_pixels`` and ``changed_pixels``: how many had to stay, and how many did not (always 0)."""
    timings: dict[str, float]
    """Seconds: ``prepare`` (load the model, cut crops), ``compute``, ``paste`` (bring back, composite, prove)."""
    overlays: list[PlacedOverlay] = field(default_factory=list)
    sources: list[SourceMap] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ShownCrop:
    """A crop's current look, for previews."""

    crop: Box
    mask: BoolMask
    """(crop height, crop width): the pixels to show."""
    image: FloatImage
    """(h, w, 3) at working scale."""


def render_crops(crops: list[ShownCrop], icc: bytes | None, max_side: int) -> LivePreview:
    """One picture around all `crops`, in sRGB through the photo's profile."""
    box = crops[0].crop
    for shown in crops[1:]:
        box = box.union(shown.crop)
    scale = min(1.0, max_side / max(box.width, box.height))
    width, height = max(1, round(box.width * scale)), max(1, round(box.height * scale))
    rgba = np.zeros((height, width, 4), np.uint8)
    for shown in crops:
        left, top = round((shown.crop.left - box.left) * scale), round((shown.crop.top - box.top) * scale)
        right = max(left + 1, min(width, round((shown.crop.right - box.left) * scale)))
        bottom = max(top + 1, min(height, round((shown.crop.bottom - box.top) * scale)))
        size = (right - left, bottom - top)
        grey = shown.mask.view(np.uint8) * np.uint8(255)
        # Averaging before the threshold keeps thin holes visible in a small preview.
        alpha = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) > 0
        color = cv2.resize(np.clip(shown.image, 0.0, 1.0), size, interpolation=cv2.INTER_AREA)
        window = rgba[top:bottom, left:right]
        window[alpha, :3] = np.rint(color[alpha] * 255.0).astype(np.uint8)
        window[alpha, 3] = 255
    if icc is not None and icc[16:20] == b"RGB ":
        rgba = np.array(to_display(Photo(rgba, icc=icc)), dtype=np.uint8)
    return LivePreview(box=box, rgba=rgba)
