"""What the tests of texture synthesis by Gramians share: a reduced width, holes and runs of the model alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inpainting.backbones.vgg import random_vgg19
from inpainting.catalog import get_entry
from inpainting.engine import Engine
from inpainting.imaging.context import Box
from inpainting.models.base import BoolMask, FillInput, FillOutput
from inpainting.models.gram import GramFill
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.fill import TAPS

ENTRY = get_entry("gram")
MODEL = GramFill(ENTRY)
ENGINE = Engine("cpu")
QUICK = {"width": "quarter", "fine_iterations": 6}


def rectangle(shape: tuple[int, int], box: Box) -> BoolMask:
    hole = np.zeros(shape, np.bool_)
    hole[box.slices] = True
    return hole


def run(pixels: NDArray[Any], hole: BoolMask, on_step: Any = lambda step: None, **params: Any) -> FillOutput:
    image = pixels.astype(np.float32) / 255.0
    image[hole] = 0
    return MODEL.fill(FillInput(image, hole, ENTRY.parse_params(QUICK | params), 0, on_step))


def quarter(taps: tuple[str, ...] = TAPS) -> Backbone:
    return Backbone(random_vgg19(taps, width=0.25), taps, False, "test")


def space_of(picture: torch.Tensor) -> ColourSpace:
    return ColourSpace.of(picture, torch.zeros_like(picture[:, :1]).bool())


def picture_of(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255.0).permute(2, 0, 1)[None]
