"""The classical methods that a trained model has to beat. Each fills uint8 (H, W, 3) inside a boolean hole."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.membrane import membrane
from inpainting.imaging.photo import BoolMask

RGB = NDArray[np.uint8]
Peer = Callable[[RGB, BoolMask], RGB]


def mean_colour(photo: RGB, hole: BoolMask) -> RGB:
    """The mean of the known pixels everywhere in the hole."""
    return _with(photo, hole, np.broadcast_to(photo[~hole].mean(0), photo.shape))


def telea(photo: RGB, hole: BoolMask) -> RGB:
    """Fast marching (Telea 2004), radius 5."""
    return np.asarray(cv2.inpaint(photo, hole.astype(np.uint8) * 255, 5, cv2.INPAINT_TELEA), np.uint8)


def navier_stokes(photo: RGB, hole: BoolMask) -> RGB:
    """Isophote transport (Bertalmio et al. 2001), radius 5."""
    return np.asarray(cv2.inpaint(photo, hole.astype(np.uint8) * 255, 5, cv2.INPAINT_NS), np.uint8)


def biharmonic(photo: RGB, hole: BoolMask) -> RGB:
    """The biharmonic surface through the known pixels (Damelin and Hoang 2018)."""
    from skimage.restoration import inpaint_biharmonic  # takes a second to import

    filled = inpaint_biharmonic(photo, hole, channel_axis=2, split_into_regions=False)
    return _with(photo, hole, np.clip(filled, 0, 1) * 255)


def soap_film(photo: RGB, hole: BoolMask) -> RGB:
    """The harmonic surface through the known pixels at the hole's edge: Laplace's equation.

    About what a network whose seam is closed (`layers.seam`) comes to when it paints nothing: the peer that shows what
    such a network adds.
    """
    return _with(photo, hole, membrane(photo.astype(np.float32), hole))


def patch_match(photo: RGB, hole: BoolMask) -> RGB:
    """PatchMatch completion (Barnes et al. 2009) as in the studio's baseline, patches of 5."""
    from patchmatch import patch_match as library

    library.set_random_seed(0)
    damaged = photo.copy()
    damaged[hole] = 0
    return _with(photo, hole, library.inpaint(damaged, hole.astype(np.uint8) * 255, patch_size=5))


def _with(photo: RGB, hole: BoolMask, fill: NDArray[np.generic]) -> RGB:
    values = np.clip(np.rint(np.asarray(fill, np.float64)), 0, 255).astype(np.uint8)
    return np.where(hole[:, :, None], values, photo)


PEERS: dict[str, Peer] = {
    "mean colour": mean_colour,
    "Telea": telea,
    "Navier–Stokes": navier_stokes,
    "biharmonic": biharmonic,
    "membrane": soap_film,
    "PatchMatch": patch_match,
}

REFERENCES: dict[str, tuple[str, str, Peer]] = {
    "mean-colour": (
        "Mean colour",
        "The mean of the known pixels everywhere in the hole: the least one can do.",
        mean_colour,
    ),
    "navier-stokes": (
        "Navier–Stokes",
        "Isophote transport (Bertalmio et al. 2001) by OpenCV, radius 5.",
        navier_stokes,
    ),
    "biharmonic": ("Biharmonic", "Smooth surface (Damelin and Hoang 2018) by scikit-image.", biharmonic),
    "membrane": ("Membrane", "Harmonic surface through the pixels at the hole's edge (Laplace).", soap_film),
}
"""Classical methods that reports may compare with although the studio does not offer them: key → title, words, fill."""
