"""What a model reported, made ready to be stored: pictures of bounded size, source maps packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.source_maps import pack_sources
from webapp.photos.findings import NewOverlay, NewSourceMap

if TYPE_CHECKING:
    from inpainting.results import PlacedOverlay, SourceMap

MOST_OVERLAYS = 24
"""A result keeps at most so many; those of its largest crops."""
OVERLAY_SIDE = 768
_QUALITY = 85


def packed_overlays(overlays: list[PlacedOverlay]) -> list[NewOverlay]:
    """Overlays as WebP files, in the order given."""
    chosen = sorted(range(len(overlays)), key=lambda index: -overlays[index].box.area)[:MOST_OVERLAYS]
    return [_packed(overlays[index]) for index in sorted(chosen)]


def packed_sources(maps: list[SourceMap]) -> list[NewSourceMap]:
    """Source maps as files; those that say nothing are left out."""
    packed = []
    for each in maps:
        if (each.sources < 0).all():
            continue
        found = pack_sources(each.sources, each.box)
        left, top, right, bottom = (int(side) for side in each.box)
        packed.append(NewSourceMap((left, top, right, bottom), found.width, found.height, each.patch, found.data))
    return packed


def _packed(overlay: PlacedOverlay) -> NewOverlay:
    left, top, right, bottom = (int(side) for side in overlay.box)
    return NewOverlay(overlay.name, overlay.title, (left, top, right, bottom), _webp(overlay.image))


def _webp(image: NDArray[np.uint8]) -> bytes:
    longest = max(image.shape[:2])
    if longest > OVERLAY_SIDE:
        size = [max(1, round(side * OVERLAY_SIDE / longest)) for side in image.shape[1::-1]]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    colors = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".webp", colors, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not done:
        raise ValueError("an overlay could not be written")
    return data.tobytes()
