"""TF32 without a graphics card: convolutions whose operands are rounded as its tensor cores round them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_LOST_BITS = 13
"""Single precision has 23 bits of mantissa, TF32 has 10."""


def rounded(values: Tensor) -> Tensor:
    """`values` with ten bits of mantissa, to nearest, ties to even."""
    bits = values.contiguous().view(torch.int32)
    half = (1 << (_LOST_BITS - 1)) - 1 + ((bits >> _LOST_BITS) & 1)
    return ((bits + half) & ~((1 << _LOST_BITS) - 1)).view(torch.float32)


class EmulatedTF32(TorchDispatchMode):
    """Inside, convolutions and their gradients multiply rounded numbers and add up in single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default):
            self.convolutions += 1
            args = [rounded(arg) if isinstance(arg, Tensor) and arg.dtype == torch.float32 else arg for arg in args]
        return func(*args, **dict(kwargs or {}))
