"""In which precision a graphics card computes the convolutions of a feature extractor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["tf32", "full"]


@contextmanager
def convolution_precision(precision: Precision, device: str) -> Iterator[None]:
    """Convolutions inside run in `precision` on a graphics card; the setting before is restored.

    TF32 rounds what is multiplied to ten bits of mantissa and adds up in single precision, for which cards since 2020
    have units of their own. Matrix products are left as they are: Gramians, distances of patches and the optimiser's
    inner products are differences of nearly equal numbers. On ``"cpu"`` nothing is changed, for there is no TF32.
    """
    if device == "cpu":
        yield
        return
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
