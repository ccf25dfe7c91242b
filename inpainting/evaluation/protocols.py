"""Which holes a photo gets: protocols of the literature, deterministic from a seed. Free of PyTorch.

A hole depends on the photo's bytes, the protocol, the seed and the size only, not on the model, the order of the photos
or what else is evaluated: every model sees the same holes, and a photo keeps its holes when others are added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from inpainting.holes import sample_hole
from inpainting.imaging.photo import BoolMask

BINS: tuple[tuple[float, float], ...] = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
"""Hole shares ``[low, high)`` of the irregular protocols, as in the tables of the papers."""

Size = Literal["256", "512", "full"]
SIZES: tuple[Size, ...] = ("256", "512", "full")
"""At which photos are evaluated: the centre square at that side, or the photo as it is."""

Draw = Callable[[np.random.Generator, int, int], BoolMask]


def size_text(size: Size) -> str:
    """How reports name it."""
    return "full size" if size == "full" else f"centre squares at {size} × {size} px"


class ProtocolError(ValueError):
    """A protocol that does not exist or cannot be drawn; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How holes are drawn; `parts` has one entry a hole that each photo gets."""

    key: str
    title: str
    description: str
    parts: tuple[tuple[str, Draw], ...]


def _centre(share: float) -> Draw:
    def draw(_rng: np.random.Generator, height: int, width: int) -> BoolMask:
        side = max(1, round(share * min(height, width)))
        top, left = (height - side) // 2, (width - side) // 2
        hole = np.zeros((height, width), np.bool_)
        hole[top : top + side, left : left + side] = True
        return hole

    return draw


def _rectangle(rng: np.random.Generator, height: int, width: int) -> BoolMask:
    """DeepFill's: a box of 128/256 of the shorter side, each side shortened by up to 16/256, anywhere."""
    unit = min(height, width) / 256
    tall, wide = (max(1, round(float(rng.uniform(112, 128)) * unit)) for _ in range(2))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    hole = np.zeros((height, width), np.bool_)
    hole[top : top + tall, left : left + wide] = True
    return hole


def _sampled(kind: str, low: float, high: float) -> Draw:
    def draw(rng: np.random.Generator, height: int, width: int) -> BoolMask:
        return sample_hole(rng, height, width, low=low, high=high, kinds=(kind,))

    return draw


def bin_name(low: float, high: float) -> str:
    """``10-20`` for (0.1, 0.2)."""
    return f"{round(low * 100)}-{round(high * 100)}"


_IRREGULAR = tuple((bin_name(low, high), _sampled("brush", low, high)) for low, high in BINS)
_STROKES = (
    "generated free-form strokes after DeepFill v2 (Yu et al. 2019), drawn again until the hole share lies in the bin; "
    "not the published NVIDIA masks"
)
PROTOCOLS: dict[str, Protocol] = {
    protocol.key: protocol
    for protocol in (
        Protocol(
            "irregular",
            "Irregular, five bins",
            f"Each photo gets five holes, one of 10–20, 20–30, … 50–60 % of the picture: {_STROKES}.",
            _IRREGULAR,
        ),
        *(
            Protocol(
                f"irregular-{name}",
                f"Irregular, {name.replace('-', '–')} %",
                f"The generated free-form strokes of “irregular”, covering {name.replace('-', '–')} % of the picture.",
                ((name, draw),),
            )
            for name, draw in _IRREGULAR
        ),
        Protocol(
            "centre-120",
            "Centre square 120/256",
            "A square of 120/256 of the shorter side in the middle, as in the LBP paper (Wu, Zhou and Li 2021).",
            (("centre", _centre(120 / 256)),),
        ),
        Protocol(
            "centre-128",
            "Centre square 128/256",
            "A square of half the shorter side in the middle, as in Context Encoders and MNPS.",
            (("centre", _centre(128 / 256)),),
        ),
        Protocol(
            "rectangle",
            "Random rectangle",
            "A box of 112 to 128/256 of the shorter side in each direction, anywhere, as in DeepFill.",
            (("rectangle", _rectangle),),
        ),
        Protocol(
            "object",
            "Object-like, 10–40 %",
            "One or two closed outlines of 10–40 % of the picture, like a cut-out person or thing; generated, in place "
            "of the segmentation masks that TTA-Net was validated with.",
            (("object", _sampled("object", 0.1, 0.4)),),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class DrawnHole:
    """One hole (H, W) and which part of its protocol it is."""

    part: str
    mask: BoolMask


def get_protocol(key: str) -> Protocol:
    """The protocol called `key`; raises `ProtocolError` naming those that exist."""
    if key not in PROTOCOLS:
        raise ProtocolError(f"There is no protocol {key!r}. There are: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[key]


def draw_holes(protocol: Protocol, photo_sha256: str, seed: int, height: int, width: int) -> list[DrawnHole]:
    """The holes of a photo of `height` × `width` px; raises `ProtocolError` when it is too small for them."""
    if min(height, width) < 16:
        raise ProtocolError(f"A photo of {width} × {height} px is too small for a hole with something around it.")
    holes = []
    for part, draw in protocol.parts:
        text = f"{protocol.key}/{part}/{seed}/{width}x{height}/{photo_sha256}"
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
        holes.append(DrawnHole(part, draw(rng, height, width)))
    return holes


def bin_of(share: float) -> str:
    """The tenth that a hole share lies in, ``[low, high)``: ``20–30 %``."""
    low = min(9, int(share * 10 + 1e-9))
    return f"{low * 10}–{low * 10 + 10} %"
