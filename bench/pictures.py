"""Photos and holes to measure with."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.report import ROOT, BenchError

SAMPLES = ROOT / "frontend" / "static" / "samples"


def photo_of(width: int, height: int) -> Image.Image:
    """A sample photo cut and scaled to the size; scaled up it is softer than a camera's, which no stage minds."""
    samples = sorted(path for path in SAMPLES.glob("*.jpg") if not path.stem.endswith("-thumb"))
    if not samples:
        raise BenchError("There are no sample photos in frontend/static/samples.")
    with Image.open(max(samples, key=lambda path: path.stat().st_size)) as sample:
        photo = sample.convert("RGB")
    scale = max(width / photo.width, height / photo.height)
    grown = photo.resize((math.ceil(photo.width * scale), math.ceil(photo.height * scale)), Image.Resampling.LANCZOS)
    return grown.crop((0, 0, width, height))


def photo_of_megapixels(megapixels: float) -> Image.Image:
    """A sample photo of 4:3 with that many million pixels."""
    width = round(math.sqrt(megapixels * 1e6 * 4 / 3) / 4) * 4
    return photo_of(width, width * 3 // 4)


def jpeg(photo: Image.Image) -> bytes:
    """As a camera stores it."""
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=92)
    return out.getvalue()


def round_hole(width: int, height: int, share: float) -> NDArray[np.bool_]:
    """(height, width), True in an ellipse in the middle that covers `share` of the picture."""
    y, x = np.ogrid[:height, :width]
    radius = math.sqrt(share / math.pi)
    inside = ((x - width / 2) / (radius * width)) ** 2 + ((y - height / 2) / (radius * height)) ** 2 <= 1
    return np.asarray(inside, dtype=np.bool_)


def mask_png(hole: NDArray[np.bool_]) -> bytes:
    """The mask as the browser sends it."""
    out = io.BytesIO()
    Image.fromarray(hole.astype(np.uint8) * 255).save(out, "PNG")
    return out.getvalue()
