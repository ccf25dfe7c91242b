"""Pictures of what happened inside a model: where texture came from, how sure a match was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
_GREY = 40


def flow_picture(rows: NDArray[np.int64], columns: NDArray[np.int64], shown: NDArray[np.bool_]) -> Picture:
    """Displacements as colour, (h, w, 3): hue is the direction, brightness the distance relative to the longest.

    `rows` and `columns` are (h, w) displacements in any unit; places where `shown` is False are dark grey. Red points
    right, then clockwise: yellow-green down, cyan left, violet up.
    """
    angle = np.degrees(np.arctan2(rows, columns)) % 360.0
    length = np.hypot(rows, columns)
    longest = float(length[shown].max(initial=0.0)) or 1.0
    hsv = np.empty((*rows.shape, 3), np.float32)
    hsv[..., 0] = angle
    hsv[..., 1] = 0.85
    hsv[..., 2] = 0.35 + 0.65 * length / longest
    picture: Picture = np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255.0, 0, 255).astype(np.uint8)
    picture[~shown] = _GREY
    return picture


def heat_picture(values: NDArray[np.float32], shown: NDArray[np.bool_] | None = None) -> Picture:
    """Values in [0, 1] as a heat map, (h, w, 3): black is 0, through violet and orange to pale yellow for 1.

    Places where `shown` is False are dark grey.
    """
    levels = np.clip(values * 255.0, 0, 255).astype(np.uint8)
    coloured = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    picture: Picture = coloured.astype(np.uint8)
    if shown is not None:
        picture[~shown] = _GREY
    return picture
