"""VGG-16 and VGG-19 as frozen feature extractors: from a file the user supplies, or with seeded random weights.

Nothing is downloaded. ImageNet weights come from a file that the user has, checked and kept as safetensors by
`add_vgg_file`. Without one, `random_vgg19` gives texture statistics that work surprisingly well: random orthogonal
filters keep apart what differs, and Gram matrices need no more than that.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from inpainting.backbones.efficientnet_lite import BackboneError
from inpainting.weights.loading import read_weights, write_weights

Pooling = Literal["max", "average"]

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS: Mapping[int, tuple[int, ...]] = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five stages."""
KNOWN_PREFIXES: Mapping[int, str] = {16: "397923af", 19: "dcbb9e9d"}
"""How the sha256 of torchvision's own files begins: ``vgg16-397923af.pth``, ``vgg19-dcbb9e9d.pth``."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One step of the network: a convolution, the ReLU after it, or a pooling."""

    kind: Literal["conv", "relu", "pool"]
    name: str
    """``conv3_1``, ``relu3_1``, ``pool3``: stage and place in it."""
    index: int
    """Its number in torchvision's ``features``."""
    inputs: int = 0
    outputs: int = 0


class VGG(nn.Module):
    """The convolutional part, frozen, up to the deepest tap.

    Args:
        depth: 16 or 19.
        taps: ``convS_N`` (before its ReLU), ``reluS_N`` or ``poolS``, in the order the features are wanted.
        state: tensors named ``features.I.weight`` and ``features.I.bias``; raises `BackboneError` when one that is
            needed is missing, has another shape or is not finite.
        pooling: ``"max"`` as trained, or ``"average"``, which gives smoother gradients to texture optimisation.
        widths: channels of the five stages.

    The state dict is empty: a loss network has no business in a checkpoint.
    """

    def __init__(
        self,
        depth: int,
        taps: Sequence[str],
        state: Mapping[str, Tensor],
        *,
        pooling: Pooling = "max",
        widths: Sequence[int] = WIDTHS,
    ) -> None:
        super().__init__()
        self.taps, self.pooling = tuple(taps), pooling
        self.layers = layers_up_to(depth, taps, widths)
        for layer in self.layers:
            if layer.kind == "conv":
                weight = _checked(state, f"features.{layer.index}.weight", (layer.outputs, layer.inputs, 3, 3))
                bias = _checked(state, f"features.{layer.index}.bias", (layer.outputs,))
                self.register_buffer(f"weight_{layer.name}", weight, persistent=False)
                self.register_buffer(f"bias_{layer.name}", bias, persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scales", torch.ones(len(self.taps)), persistent=False)
        self.eval()

    def forward(self, photos: Tensor) -> list[Tensor]:
        """Features of photos (B, 3, H, W) in [-1, 1], one (B, C, h, w) a tap."""
        return self.features_of(((photos + 1.0) / 2.0 - self.get_buffer("mean")) / self.get_buffer("deviation"))

    def features_of(self, normalised: Tensor) -> list[Tensor]:
        """As `forward`, for a (B, 3, H, W) that is normalised already, by ImageNet's statistics or others.

        Taps behind a pooling that the picture is too small for are left out, so the list may be shorter.
        """
        features = normalised
        found: dict[str, Tensor] = {}
        for layer in self.layers:
            if layer.kind == "pool" and min(features.shape[-2:]) < 2:
                break
            features = self._pass(layer, features)
            if layer.name in self.taps:
                found[layer.name] = features
        scales = self.get_buffer("scales")
        return [found[name] / scale for name, scale in zip(self.taps, scales, strict=True) if name in found]

    @torch.no_grad()
    def calibrate(self, photos: Tensor) -> None:
        """Scale every tap so that its mean absolute activation over `photos` is 1 from now on."""
        self.get_buffer("scales").fill_(1.0)
        self.get_buffer("scales").copy_(torch.stack([tap.abs().mean() for tap in self(photos)]))

    def _pass(self, layer: _Layer, features: Tensor) -> Tensor:
        if layer.kind == "relu":
            return F.relu(features)
        if layer.kind == "pool":
            return F.max_pool2d(features, 2) if self.pooling == "max" else F.avg_pool2d(features, 2)
        weight, bias = self.get_buffer(f"weight_{layer.name}"), self.get_buffer(f"bias_{layer.name}")
        return F.conv2d(features, weight, bias, padding=1)


def random_vgg19(taps: Sequence[str], *, seed: int = 0, width: float = 1.0) -> VGG:
    """VGG-19 with random orthogonal filters of gain √2, zero bias and average pooling.

    The filters of a layer do not depend on which taps are asked for. Orthogonal filters of that gain keep the mean
    square of the features as they pass through a layer and its ReLU, so that no tap drowns the others.

    Args:
        taps: as for `VGG`.
        seed: of the filters.
        width: share of VGG-19's channels in every stage; less is faster and gives poorer textures.
    """
    generator = torch.Generator().manual_seed(seed)
    widths = tuple(max(1, round(channels * width)) for channels in WIDTHS)
    state: dict[str, Tensor] = {}
    for layer in layers_up_to(19, taps, widths):
        if layer.kind == "conv":
            weight = torch.empty(layer.outputs, layer.inputs, 3, 3)
            nn.init.orthogonal_(weight, gain=math.sqrt(2.0), generator=generator)
            state[f"features.{layer.index}.weight"] = weight
            state[f"features.{layer.index}.bias"] = torch.zeros(layer.outputs)
    return VGG(19, taps, state, pooling="average", widths=widths)


def shipped_vgg(depth: int, taps: Sequence[str], folder: Path, *, pooling: Pooling = "max") -> VGG:
    """The VGG that `add_vgg_file` put into `folder`; raises a `ValueError` with a sentence when there is none."""
    return VGG(depth, taps, read_weights(folder / f"vgg{depth}.safetensors").tensors, pooling=pooling)


def add_vgg_file(path: Path, depth: int, folder: Path, *, allow_unverified: bool = False) -> Path:
    """Check a VGG file with ImageNet weights and keep its convolutions in `folder` as half-precision safetensors.

    Accepts torchvision's naming (``features.0.weight`` …), as ``.pth`` or ``.safetensors``, with or without the
    classifier. Files in Caffe's convention (BGR, 0–255) look the same and give wrong features, which is why a file
    whose checksum is not torchvision's own is refused unless `allow_unverified`.

    Returns:
        The new file, ``vgg16.safetensors`` or ``vgg19.safetensors``, with the original's sha256 in its metadata.

    Raises:
        BackboneError: the file is unreadable, not verified, incomplete or not finite; the text is meant for people.
    """
    if depth not in DEPTHS:
        raise BackboneError(f"There is no VGG-{depth}; there are VGG-16 and VGG-19.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from None
    sha256 = hashlib.sha256(data).hexdigest()
    verified = sha256.startswith(KNOWN_PREFIXES[depth])
    if not verified and not allow_unverified:
        raise BackboneError(f"{path.name} is not the known file of VGG-{depth}: its sha256 begins with {sha256[:8]}.")
    state = _parse(path, data)
    kept: dict[str, Tensor] = {}
    for layer in _layers(depth, WIDTHS):
        if layer.kind == "conv":
            for part, shape in (("weight", (layer.outputs, layer.inputs, 3, 3)), ("bias", (layer.outputs,))):
                name = f"features.{layer.index}.{part}"
                kept[name] = _checked(state, name, shape)
    target = folder / f"vgg{depth}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(
        target, kept, {"model": f"vgg{depth}", "origin_sha256": sha256, "verified": "yes" if verified else "no"}
    )
    return target


def layers_up_to(depth: int, taps: Sequence[str], widths: Sequence[int] = WIDTHS) -> list[_Layer]:
    """The layers up to the deepest tap; raises `ValueError` for a depth or tap that does not exist."""
    if depth not in DEPTHS:
        raise ValueError(f"There is no VGG-{depth}; there are VGG-16 and VGG-19.")
    layers = list(_layers(depth, widths))
    places = {layer.name: place for place, layer in enumerate(layers)}
    unknown = [name for name in taps if name not in places]
    if unknown or not taps:
        raise ValueError(f"VGG-{depth} has no tap {unknown[0]!r}." if unknown else "A VGG needs at least one tap.")
    return layers[: max(places[name] for name in taps) + 1]


def _layers(depth: int, widths: Sequence[int]) -> Iterator[_Layer]:
    index, inputs = 0, 3
    for stage, (count, outputs) in enumerate(zip(DEPTHS[depth], widths, strict=True), start=1):
        for place in range(1, count + 1):
            yield _Layer("conv", f"conv{stage}_{place}", index, inputs, outputs)
            yield _Layer("relu", f"relu{stage}_{place}", index + 1)
            index, inputs = index + 2, outputs
        yield _Layer("pool", f"pool{stage}", index)
        index += 1


def _parse(path: Path, data: bytes) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load(data)
        state: object = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError):
        raise BackboneError(f"{path.name} is not a file of plain weights.") from None
    if not isinstance(state, Mapping):
        raise BackboneError(f"{path.name} is not a file of plain weights.")
    return state


def _checked(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = state.get(name)
    if not isinstance(tensor, Tensor):
        raise BackboneError(f"The VGG weights have no {name}.")
    if tuple(tensor.shape) != shape:
        raise BackboneError(f"In the VGG weights, {name} is {tuple(tensor.shape)} instead of {shape}.")
    if not bool(torch.isfinite(tensor).all()):
        raise BackboneError(f"In the VGG weights, {name} has values that are not finite.")
    return tensor.float()
