"""The Inception-v3 of FID, for those who have its published weights.

FID is defined by one network: TensorFlow's Inception-v3 of 2015 with its peculiarities (average pooling that leaves the
padding out, a maximum in the last block, bilinear resizing without half-pixel centres). Its weights are the user's own
file, converted for PyTorch as ``pt_inception-2015-12-05-6726825d.pth``, verified by checksum. Without it FID is not
computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.backbones.efficientnet_lite import BackboneError
from inpainting.evaluation.lpips import read_published
from inpainting.weights.loading import read_weights, write_weights

INCEPTION_WEIGHTS = "inception.safetensors"
KNOWN_PREFIX = "6726825d"
"""How the sha256 of the published file begins; its name carries it."""
SIDE = 299
_NORM_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Unit:
    """Convolution, batch normalisation, ReLU."""

    name: str
    inputs: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padded: bool = True


@dataclass(frozen=True, slots=True)
class _Block:
    """Branches beside each other, their outputs stacked; each is a chain of units, the last may fork in two."""

    name: str
    branches: tuple[tuple[_Unit | tuple[_Unit, _Unit], ...], ...]
    pool: str
    """``average`` and ``maximum`` come before the last branch, ``reduce`` is a branch of its own."""


def _a(name: str, inputs: int, pooled: int) -> _Block:
    return _Block(
        name,
        (
            (_Unit("branch1x1", inputs, 64),),
            (_Unit("branch5x5_1", inputs, 48), _Unit("branch5x5_2", 48, 64, (5, 5))),
            (
                _Unit("branch3x3dbl_1", inputs, 64),
                _Unit("branch3x3dbl_2", 64, 96, (3, 3)),
                _Unit("branch3x3dbl_3", 96, 96, (3, 3)),
            ),
            (_Unit("branch_pool", inputs, pooled),),
        ),
        "average",
    )


def _c(name: str, middle: int) -> _Block:
    across, down = (1, 7), (7, 1)
    return _Block(
        name,
        (
            (_Unit("branch1x1", 768, 192),),
            (
                _Unit("branch7x7_1", 768, middle),
                _Unit("branch7x7_2", middle, middle, across),
                _Unit("branch7x7_3", middle, 192, down),
            ),
            (
                _Unit("branch7x7dbl_1", 768, middle),
                _Unit("branch7x7dbl_2", middle, middle, down),
                _Unit("branch7x7dbl_3", middle, middle, across),
                _Unit("branch7x7dbl_4", middle, middle, down),
                _Unit("branch7x7dbl_5", middle, 192, across),
            ),
            (_Unit("branch_pool", 768, 192),),
        ),
        "average",
    )


def _e(name: str, inputs: int, pool: str) -> _Block:
    return _Block(
        name,
        (
            (_Unit("branch1x1", inputs, 320),),
            (
                _Unit("branch3x3_1", inputs, 384),
                (_Unit("branch3x3_2a", 384, 384, (1, 3)), _Unit("branch3x3_2b", 384, 384, (3, 1))),
            ),
            (
                _Unit("branch3x3dbl_1", inputs, 448),
                _Unit("branch3x3dbl_2", 448, 384, (3, 3)),
                (_Unit("branch3x3dbl_3a", 384, 384, (1, 3)), _Unit("branch3x3dbl_3b", 384, 384, (3, 1))),
            ),
            (_Unit("branch_pool", inputs, 192),),
        ),
        pool,
    )


_STEM: tuple[_Unit | None, ...] = (
    _Unit("Conv2d_1a_3x3", 3, 32, (3, 3), 2, padded=False),
    _Unit("Conv2d_2a_3x3", 32, 32, (3, 3), padded=False),
    _Unit("Conv2d_2b_3x3", 32, 64, (3, 3)),
    None,  # halve by maximum
    _Unit("Conv2d_3b_1x1", 64, 80),
    _Unit("Conv2d_4a_3x3", 80, 192, (3, 3), padded=False),
    None,
)
_BLOCKS = (
    _a("Mixed_5b", 192, 32),
    _a("Mixed_5c", 256, 64),
    _a("Mixed_5d", 288, 64),
    _Block(
        "Mixed_6a",
        (
            (_Unit("branch3x3", 288, 384, (3, 3), 2, padded=False),),
            (
                _Unit("branch3x3dbl_1", 288, 64),
                _Unit("branch3x3dbl_2", 64, 96, (3, 3)),
                _Unit("branch3x3dbl_3", 96, 96, (3, 3), 2, padded=False),
            ),
        ),
        "reduce",
    ),
    _c("Mixed_6b", 128),
    _c("Mixed_6c", 160),
    _c("Mixed_6d", 160),
    _c("Mixed_6e", 192),
    _Block(
        "Mixed_7a",
        (
            (_Unit("branch3x3_1", 768, 192), _Unit("branch3x3_2", 192, 320, (3, 3), 2, padded=False)),
            (
                _Unit("branch7x7x3_1", 768, 192),
                _Unit("branch7x7x3_2", 192, 192, (1, 7)),
                _Unit("branch7x7x3_3", 192, 192, (7, 1)),
                _Unit("branch7x7x3_4", 192, 192, (3, 3), 2, padded=False),
            ),
        ),
        "reduce",
    ),
    _e("Mixed_7b", 1280, "average"),
    _e("Mixed_7c", 2048, "maximum"),
)


class Inception(nn.Module):
    """Photos to 2048 pooled features.

    Args:
        state: the published tensors, ``Mixed_5b.branch1x1.conv.weight`` and so on; the classifier is not needed. Raises
            `BackboneError` when one is missing, has another shape or is not finite.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._stem = [None if unit is None else self._take("", unit, state) for unit in _STEM]
        self._blocks = [
            (
                block.pool,
                [[self._take_step(f"{block.name}.", step, state) for step in steps] for steps in block.branches],
            )
            for block in _BLOCKS
        ]
        self.eval()

    def forward(self, photos: Tensor) -> Tensor:
        """(B, 2048) of photos (B, 3, H, W) with values 0 to 255."""
        features = (resized(photos, SIDE) - 128) / 128
        for convolution in self._stem:
            features = F.max_pool2d(features, 3, 2) if convolution is None else self._pass(features, [convolution])
        for pool, branches in self._blocks:
            features = self._through(features, pool, branches)
        return features.mean((2, 3))

    def _through(self, features: Tensor, pool: str, branches: Sequence[Sequence[Sequence[_Convolution]]]) -> Tensor:
        outputs = []
        for number, steps in enumerate(branches):
            value = features
            if pool != "reduce" and number == len(branches) - 1:
                value = (
                    F.max_pool2d(value, 3, 1, 1)
                    if pool == "maximum"
                    else F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)
                )
            for step in steps:
                value = self._pass(value, step)
            outputs.append(value)
        if pool == "reduce":
            outputs.append(F.max_pool2d(features, 3, 2))
        return torch.cat(outputs, 1)

    def _pass(self, features: Tensor, step: Sequence[_Convolution]) -> Tensor:
        made = [
            F.relu(
                F.conv2d(
                    features,
                    self.get_buffer(part.weight),
                    self.get_buffer(part.bias),
                    stride=part.stride,
                    padding=part.padding,
                )
            )
            for part in step
        ]
        return made[0] if len(made) == 1 else torch.cat(made, 1)

    def _take_step(
        self, prefix: str, step: _Unit | tuple[_Unit, _Unit], state: Mapping[str, Tensor]
    ) -> list[_Convolution]:
        units = (step,) if isinstance(step, _Unit) else step
        return [self._take(prefix, unit, state) for unit in units]

    def _take(self, prefix: str, unit: _Unit, state: Mapping[str, Tensor]) -> _Convolution:
        """Register a unit's convolution with the batch normalisation folded into it."""
        name = prefix + unit.name
        weight = _checked(state, f"{name}.conv.weight", (unit.outputs, unit.inputs, *unit.kernel))
        norm = {
            part: _checked(state, f"{name}.bn.{part}", (unit.outputs,))
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        scale = norm["weight"] / torch.sqrt(norm["running_var"] + _NORM_EPSILON)
        flat = name.replace(".", "_")
        self.register_buffer(f"{flat}_weight", weight * scale[:, None, None, None], persistent=False)
        self.register_buffer(f"{flat}_bias", norm["bias"] - norm["running_mean"] * scale, persistent=False)
        padding = (unit.kernel[0] // 2, unit.kernel[1] // 2) if unit.padded else (0, 0)
        return _Convolution(f"{flat}_weight", f"{flat}_bias", unit.stride, padding)


@dataclass(frozen=True, slots=True)
class _Convolution:
    """Names of the buffers of one folded convolution, and how to apply it."""

    weight: str
    bias: str
    stride: int
    padding: tuple[int, int]


def wanted_tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors that are needed of the published file."""
    found: dict[str, tuple[int, ...]] = {}
    units = [("", unit) for unit in _STEM if unit is not None]
    for block in _BLOCKS:
        for steps in block.branches:
            for step in steps:
                units += [(f"{block.name}.", unit) for unit in ((step,) if isinstance(step, _Unit) else step)]
    for prefix, unit in units:
        found[f"{prefix}{unit.name}.conv.weight"] = (unit.outputs, unit.inputs, *unit.kernel)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{prefix}{unit.name}.bn.{part}"] = (unit.outputs,)
    return found


def resized(photos: Tensor, side: int) -> Tensor:
    """(B, C, H, W) → (B, C, side, side), bilinear, as TensorFlow 1: place n samples n·H/side, no half pixels."""
    rows = _places(photos.shape[2], side, photos)
    columns = _places(photos.shape[3], side, photos)
    low = photos[:, :, rows[0]] + (photos[:, :, rows[1]] - photos[:, :, rows[0]]) * rows[2][:, None]
    return low[..., columns[0]] + (low[..., columns[1]] - low[..., columns[0]]) * columns[2]


def load_inception(folder: Path) -> tuple[Inception, dict[str, str]]:
    """The network out of the file in `folder`, and its sha256; raises `FillError` with a sentence."""
    weights = read_weights(folder / INCEPTION_WEIGHTS)
    return Inception(weights.tensors), {weights.name: weights.sha256}


def add_inception_file(path: Path, folder: Path, *, allow_unverified: bool = False) -> Path:
    """Check the published file and keep what is needed of it in `folder`; returns the new file.

    Raises `BackboneError`: the file is unreadable, not verified or incomplete; the text is meant for people.
    """
    what = "FID's Inception-v3 (pt_inception-2015-12-05-6726825d.pth)"
    state, sha256 = read_published(path, KNOWN_PREFIX, what, allow_unverified)
    kept = {name: _checked(state, name, shape) for name, shape in wanted_tensors().items()}
    target = folder / INCEPTION_WEIGHTS
    folder.mkdir(parents=True, exist_ok=True)
    verified = "yes" if sha256.startswith(KNOWN_PREFIX) else "no"
    facts = {"model": "inception", "origin_sha256": sha256, "verified": verified}
    write_weights(target, kept, facts, dtype=torch.float32)
    return target


def _places(length: int, side: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    exact = torch.arange(side, dtype=torch.float32, device=like.device) * (length / side)
    low = exact.long()
    return low, (low + 1).clamp_max(length - 1), (exact - low).to(like.dtype)


def _checked(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = state.get(name)
    if tensor is None or tuple(tensor.shape) != shape or not bool(torch.isfinite(tensor).all()):
        raise BackboneError(f"The Inception weights have no usable {name}.")
    return tensor.float()
