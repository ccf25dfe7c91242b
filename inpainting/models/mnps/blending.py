"""Closing the step at the hole's edge: gradient-domain blending of the optimised texture with the photo.

The texture term compares features of patches, which hardly see a small, even difference of colour, and the content
term holds on to the first guess; so a hole may be a little lighter or darker than the photo beside it. What was
matched tells how much: the patch that a place at the edge took its texture from has surroundings too, and the photo
differs from these by as much as the hole's colours are off. Continued into the hole as a soap film and added, this
difference makes the texture's gradients meet the photo, as in P. Pérez, M. Gangnet and A. Blake, *Poisson Image
Editing*, 2003, where a patch is cloned into a photo so.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.context import bounding_box
from inpainting.imaging.membrane import membrane
from inpainting.models.base import BoolMask, FloatImage

RING = 4
"""How many known pixels around the hole are compared."""
SMOOTHING = 3.0
"""Standard deviation in pixels of the Gaussian mean of the differences along the edge: their grain is texture."""


def blended(image: FloatImage, photo: FloatImage, hole: BoolMask, sources: NDArray[np.int32]) -> FloatImage:
    """`image` (H, W, 3) with its `hole` moved to meet the `photo`; pixels outside the hole stay as they are.

    `sources` (H, W, 2) are the (y, x) that each hole pixel was matched with, -1 where there is none. Where no place at
    the edge has a source whose surroundings are known, the image comes back unchanged.
    """
    difference, weight = _differences(photo, hole, sources)
    if not weight.any():
        return image
    total = cv2.GaussianBlur(weight, (0, 0), SMOOTHING)[..., np.newaxis]
    # Far from the ring the Gaussian is as good as zero, and so is what it has summed up.
    smooth = cv2.GaussianBlur(difference, (0, 0), SMOOTHING) / np.maximum(total, 1e-6)
    # A film ends at the hole's edge, so nothing beyond the ring has to be looked at.
    around = bounding_box(hole | (weight > 0))
    part = (slice(None), slice(None)) if around is None else around.slices
    inside = hole[part][..., np.newaxis]
    result = image.copy()
    film = membrane(np.where(inside, np.float32(0), smooth[part]), hole[part])
    result[part] = np.where(inside, (image[part] + film).clip(0.0, 1.0), image[part])
    return result


def _differences(
    photo: FloatImage, hole: BoolMask, sources: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The photo around the hole less what its nearest hole pixel's source has there (H, W, 3); 1 where known (H, W)."""
    difference, weight = np.zeros_like(photo), np.zeros(hole.shape, np.float32)
    matched = hole & (sources[..., 0] >= 0)
    ring = cv2.dilate(hole.view(np.uint8), np.ones((2 * RING + 1, 2 * RING + 1), np.uint8)).astype(np.bool_) & ~hole
    if not matched.any() or not ring.any():
        return difference, weight
    _, labels = cv2.distanceTransformWithLabels(
        (~matched).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place_of = np.zeros((int(labels.max()) + 1, 2), np.int64)
    place_of[labels[matched]] = np.argwhere(matched)
    places = np.argwhere(ring)
    nearest = place_of[labels[ring]]
    there = places + sources[nearest[:, 0], nearest[:, 1]] - nearest
    inside = ((there >= 0) & (there < hole.shape)).all(axis=1)
    inside[inside] = ~hole[tuple(there[inside].T)]
    here, there = tuple(places[inside].T), tuple(there[inside].T)
    difference[here] = photo[here] - photo[there]
    weight[here] = 1.0
    return difference, weight
