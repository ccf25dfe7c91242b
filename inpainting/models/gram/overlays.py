"""Pictures of what the texture synthesis went by."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np

from inpainting.imaging.context import Box
from inpainting.models.base import FloatImage, Overlay


def references_overlay(image: FloatImage, references: Sequence[tuple[Box, Box | None]]) -> Overlay:
    """The crop in grey with a frame in a colour of its own around each patch (thin) and its reference (thick).

    A patch whose reference is the whole known region has a thin frame only.
    """
    grey = np.rint(image.mean(axis=2) * 160.0 + 40.0).astype(np.uint8)
    picture = np.repeat(grey[..., np.newaxis], 3, axis=2)
    thin = max(1, max(grey.shape) // 400)
    for number, (patch, window) in enumerate(references):
        hue = (number * 0.381966) % 1.0  # the golden angle: neighbours in the list get distinct hues
        red, green, blue = (int(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, 1.0))
        for box, width in ((patch, thin), (window, 3 * thin)):
            if box is not None:
                inner = (box.right - 1, box.bottom - 1)
                cv2.rectangle(picture, (box.left, box.top), inner, (red, green, blue), width)
    return Overlay("references", "Patches and the textures they follow", picture)
