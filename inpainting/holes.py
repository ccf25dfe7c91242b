"""Random holes for training and evaluation, drawn from a seeded generator.

Four families, all scaled to the picture's side: *brush* follows the free-form strokes of DeepFill v2 (Yu et al. 2019:
a few poly-lines with alternating turns and discs at their vertices), *rectangle*, *irregular* (level sets of smooth
noise, many ragged islands) and *object* (one or two closed outlines with random harmonics, like a cut-out person
or thing).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.photo import BoolMask

Drawing = NDArray[np.uint8]
KINDS: tuple[str, ...] = ("brush", "rectangle", "irregular", "object")
_TRIES = 40


def sample_hole(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    low: float = 0.05,
    high: float = 0.5,
    kinds: Sequence[str] = KINDS,
) -> BoolMask:
    """One random hole (height, width) whose share of the picture lies in ``[low, high)``.

    The wanted share is uniform in the range and the family uniform over `kinds`. Drawings that miss the range are
    thrown away; when none of forty hits it, a smooth-noise hole of exactly the wanted share is returned.
    Raises `ValueError` for an empty range or an unknown family.
    """
    if not 0 < low < high < 1:
        raise ValueError(f"A hole share must satisfy 0 < low < high < 1; it was {low} to {high}.")
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise ValueError(f"There is no kind of hole {', '.join(unknown) or '(none)'}; there are {', '.join(KINDS)}.")
    wanted = float(rng.uniform(low, high))
    draw = _DRAW[kinds[int(rng.integers(len(kinds)))]]
    for _ in range(_TRIES):
        hole = draw(rng, height, width, wanted)
        if low <= hole.mean() < high:
            return hole
    return _irregular(rng, height, width, wanted)


def _brush(rng: np.random.Generator, height: int, width: int, wanted: float) -> BoolMask:
    """Strokes are added until the wanted share is reached; widths are 12–40 px at a side of 256."""
    canvas: Drawing = np.zeros((height, width), np.uint8)
    unit = min(height, width) / 256
    step = math.hypot(height, width) / 8
    while canvas.mean() / 255 < wanted:
        thickness = max(1, round(float(rng.uniform(12, 40)) * unit))
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        heading = float(rng.uniform(0, 2 * math.pi))
        for corner in range(int(rng.integers(4, 12))):
            turn = float(rng.normal(2 * math.pi / 5, 2 * math.pi / 45))
            heading += turn if corner % 2 else -turn
            length = float(np.clip(rng.normal(step, step / 2), 0, 2 * step))
            end_x = float(np.clip(x + length * math.cos(heading), 0, width - 1))
            end_y = float(np.clip(y + length * math.sin(heading), 0, height - 1))
            cv2.line(canvas, (round(x), round(y)), (round(end_x), round(end_y)), 255, thickness)
            cv2.circle(canvas, (round(end_x), round(end_y)), thickness // 2, 255, -1)
            x, y = end_x, end_y
            if canvas.mean() / 255 >= wanted:
                break
    return canvas > 0


def _rectangle(rng: np.random.Generator, height: int, width: int, wanted: float) -> BoolMask:
    """One rectangle of the wanted area with an aspect between 1:2 and 2:1, anywhere inside the picture."""
    aspect = math.exp(float(rng.uniform(-math.log(2), math.log(2))))
    area = wanted * height * width
    tall = int(np.clip(round(math.sqrt(area / aspect)), 1, height))
    wide = int(np.clip(round(area / tall), 1, width))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    hole = np.zeros((height, width), np.bool_)
    hole[top : top + tall, left : left + wide] = True
    return hole


def _irregular(rng: np.random.Generator, height: int, width: int, wanted: float) -> BoolMask:
    """The highest `wanted` share of a smooth random field."""
    cells = int(rng.integers(3, 9))
    field = np.zeros((height, width), np.float32)
    for octave in range(3):
        side = cells * 2**octave
        noise = rng.standard_normal((side, side)).astype(np.float32)
        field = field + np.asarray(
            cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / 2.2**octave, np.float32
        )
    count = max(1, round(wanted * field.size))
    threshold = np.partition(field.ravel(), field.size - count)[field.size - count]
    return np.asarray(field >= threshold, np.bool_)


def _object(rng: np.random.Generator, height: int, width: int, wanted: float) -> BoolMask:
    """One or two closed outlines: a circle stretched, turned and bent by a few harmonics."""
    canvas: Drawing = np.zeros((height, width), np.uint8)
    pieces = int(rng.integers(1, 3))
    angles = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    for _ in range(pieces):
        radius = np.ones_like(angles)
        for harmonic in range(2, 7):
            radius += rng.normal(0, 0.28 / harmonic) * np.cos(harmonic * angles + rng.uniform(0, 2 * math.pi))
        radius = np.clip(radius, 0.2, None)
        aspect = math.exp(float(rng.uniform(-0.6, 0.6)))
        x, y = radius * np.cos(angles) * aspect, radius * np.sin(angles) / aspect
        spin = float(rng.uniform(0, 2 * math.pi))
        x, y = x * math.cos(spin) - y * math.sin(spin), x * math.sin(spin) + y * math.cos(spin)
        size = math.sqrt(wanted / pieces * height * width / (math.pi * float(np.mean(radius**2))))
        centre_x, centre_y = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
        outline = np.stack([centre_x + size * x, centre_y + size * y], 1).round().astype(np.int32)
        cv2.fillPoly(canvas, [outline], 255)
    return canvas > 0


_DRAW: dict[str, Callable[[np.random.Generator, int, int, float], BoolMask]] = {
    "brush": _brush,
    "rectangle": _rectangle,
    "irregular": _irregular,
    "object": _object,
}
