"""16-bit arithmetic for the networks that are run once: chosen, checked against 32 bits, given up where it differs.

`WORKER_PRECISION` of a worker and `Engine(precision=…)` come down to `settle`. A network then runs under PyTorch's
autocast: convolutions and products of matrices in 16 bits, sums, normalisations and the choice of matches in 32.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, get_args

import numpy as np

from inpainting.models.base import FillError, FillInput, FillModel, FloatImage, Precision, Step

Wanted = Literal["auto", "fp32", "bf16", "fp16"]

TOLERANCE = 2.0 / 255.0
"""Largest mean absolute difference of the check picture's hole: two of the 255 steps of an 8-bit picture."""
_CHECK_SIDE, _HOLE = 128, slice(44, 84)

logger = logging.getLogger(__name__)


def precision_for(wanted: str, device: str) -> Precision:
    """What `wanted` means on a device.

    ``"auto"`` is bfloat16 on graphics cards that compute in it, and single precision elsewhere. Raises `FillError` for
    an unknown name.
    """
    if wanted not in get_args(Wanted):
        raise FillError(f"There is no precision {wanted!r}. Use {', '.join(get_args(Wanted))}.")
    if wanted != "auto":
        return wanted  # type: ignore[return-value]  # the other names are those of `Precision`
    if device != "cuda":
        return "fp32"
    import torch

    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"


def settle(model: FillModel, wanted: str) -> None:
    """Set `model.precision` to what is wanted, where the model can do with it and its results stay the same.

    Once for each precision, the model fills a small fixed picture in it and in single precision. When they differ by
    more than `TOLERANCE`, or the lower one fails, it stays at single precision and the log says so.
    """
    precision = precision_for(wanted, model.device) if model.lower_precision else "fp32"
    if precision != "fp32" and precision not in model.differences:
        difference = difference_on_check(model, precision)
        model.differences = {**model.differences, precision: difference}
        logger.log(
            logging.INFO if difference <= TOLERANCE else logging.WARNING,
            "%s in %s differs from single precision by %.2f of 255 steps on average (%.2f are allowed): %s is used.",
            model.entry.title,
            precision,
            difference * 255,
            TOLERANCE * 255,
            precision if difference <= TOLERANCE else "fp32",
        )
    model.precision = precision if model.differences.get(precision, 0.0) <= TOLERANCE else "fp32"


def difference_on_check(model: FillModel, precision: Precision) -> float:
    """Mean absolute difference, in [0, 1], of the check picture's hole between `precision` and single precision.

    Infinity when the model fails in `precision`, or makes values that are not numbers.
    """
    exact = _fill_check(model, "fp32")
    try:
        lower = _fill_check(model, precision)
    except (RuntimeError, ValueError, TypeError) as error:  # an operation that does not exist in 16 bits, an overflow
        logger.warning("%s cannot be computed in %s. (%s)", model.entry.title, precision, error)
        return float("inf")
    with np.errstate(invalid="ignore"):  # infinity less infinity
        difference = float(np.abs(exact - lower).mean())
    return difference if np.isfinite(difference) else float("inf")


def computing(model: FillModel) -> AbstractContextManager[Any]:
    """PyTorch's autocast as `model.precision` asks for it."""
    if model.precision == "fp32":
        return nullcontext()
    import torch

    dtype = torch.bfloat16 if model.precision == "bf16" else torch.float16
    return torch.autocast(torch.device(model.device).type, dtype=dtype)


def _fill_check(model: FillModel, precision: Precision) -> FloatImage:
    """(h, w, 3): what the model makes of the check picture's hole."""
    before = model.precision
    model.precision = precision
    try:
        with computing(model):
            return np.asarray(model.fill(_check_crop(model)).image[_HOLE, _HOLE], dtype=np.float32)
    finally:
        model.precision = before


def _check_crop(model: FillModel) -> FillInput:
    """Stripes over a slope, with noise: structure, shade and texture."""
    y, x = np.mgrid[:_CHECK_SIDE, :_CHECK_SIDE] / _CHECK_SIDE
    stripes = 0.15 * np.sin(40 * (x + 0.3 * y))
    shades = np.stack([0.3 + 0.4 * x, 0.6 - 0.3 * y, 0.4 + 0.2 * x * y], axis=2) + stripes[..., None]
    image = np.clip(shades + np.random.default_rng(0).normal(0, 0.03, shades.shape), 0, 1).astype(np.float32)
    mask = np.zeros(image.shape[:2], np.bool_)
    mask[_HOLE, _HOLE] = True
    image[mask] = 0.0
    return FillInput(image, mask, model.entry.parse_params({}), 0, _unheard)


def _unheard(_step: Step) -> None:
    return None
