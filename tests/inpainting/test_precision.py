"""Convolutions in TF32: when they are, and that the pictures of the optimising models stay what they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inpainting.backbones.precision import Precision, convolution_precision
from inpainting.catalog import get_entry
from inpainting.device import resolve_device
from inpainting.models import gram, mnps
from inpainting.models.base import FillInput, FillModel, FloatImage
from tests.inpainting.pictures import disc, texture
from tests.inpainting.tf32 import EmulatedTF32, rounded

TOLERANCE = 1.0
"""How far the hole's pixels may be from those of full precision on average, in 8-bit steps."""
MODELS: dict[str, tuple[type[FillModel], dict[str, Any]]] = {
    "gram": (gram.GramFill, {"width": "quarter", "fine_iterations": 15}),
    "mnps": (mnps.MNPSFill, {"content": "patchmatch", "iterations": 10, "rematch": 5}),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("precision", "inside"), [("tf32", True), ("full", False)])
def test_the_setting_holds_inside_and_is_restored(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, inside: bool, before: bool
) -> None:
    matrices = torch.backends.cuda.matmul.allow_tf32
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    with convolution_precision(precision, "cuda"):
        assert torch.backends.cudnn.allow_tf32 is inside
        assert torch.backends.cuda.matmul.allow_tf32 is matrices
    assert torch.backends.cudnn.allow_tf32 is before

    def broken() -> None:
        with convolution_precision(precision, "cuda"):
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        broken()
    assert torch.backends.cudnn.allow_tf32 is before
    with convolution_precision(precision, "cpu"):
        assert torch.backends.cudnn.allow_tf32 is before


def test_rounding_to_ten_bits() -> None:
    given = torch.tensor([1.0, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-20, -1 - 2**-12, 0.0, 3.14159265])
    wanted = torch.tensor([1.0, 1.0, 1 + 2**-9, 1 + 2**-10, -1.0, 0.0, 3.140625])
    assert torch.equal(rounded(given), wanted)


def test_the_emulation_rounds_what_convolutions_multiply_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 2, 3, 3, generator=generator)
    exact = torch.randn(1, 2, 9, 9, generator=generator)
    leaf = exact.clone().requires_grad_()
    with EmulatedTF32() as emulation:
        product = exact @ exact.mT
        value = F.conv2d(leaf, weights)
        (gradient,) = torch.autograd.grad(value.square().sum(), leaf)
    assert emulation.convolutions == 2
    assert torch.equal(product, exact @ exact.mT)
    wanted = F.conv2d(rounded(exact), rounded(weights))
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(gradient, F.conv_transpose2d(rounded(2 * wanted), rounded(weights)))
    assert not torch.allclose(value, F.conv2d(exact, weights), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_picture_made_in_tf32_is_that_of_full_precision(key: str) -> None:
    """On a graphics card this compares its own TF32; elsewhere the rounding is emulated."""
    device = resolve_device("auto")
    kind, params = MODELS[key]
    entry = get_entry(key)
    model = kind(entry, device)
    hole = disc(96, 96, center=(48, 48), radius=12)
    random = np.random.default_rng(5).normal(0, 8, (96, 96, 3))
    image = ((texture(96, 96, period=20) + random).clip(0, 255) / 255).astype(np.float32)

    def made(precision: Precision) -> FloatImage:
        emulated = precision == "tf32" and device == "cpu"
        scope: AbstractContextManager[Any] = EmulatedTF32() if emulated else nullcontext()
        values = entry.parse_params(params | {"precision": precision})
        job = FillInput(np.where(hole[..., None], np.float32(0), image), hole, values, 0, lambda _: None)
        with scope:
            result = model.fill(job).image
        if isinstance(scope, EmulatedTF32):
            assert scope.convolutions > 20
        return result

    full, fast = made("full"), made("tf32")
    off = 255 * np.abs(full - fast)[hole]
    assert 0 < off.mean() < TOLERANCE
