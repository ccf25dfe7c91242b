"""LPIPS, for those who have its published weights.

The network is VGG-16 up to relu5_3 with one learned weight a channel (“linear heads”); both files are the user's own,
verified by checksum. Nothing is downloaded, and without them the measure is not computed.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from inpainting.backbones.efficientnet_lite import BackboneError
from inpainting.backbones.vgg import VGG
from inpainting.weights.loading import read_weights, write_weights

LPIPS_WEIGHTS, VGG_WEIGHTS = "lpips.safetensors", "vgg16.safetensors"
KNOWN_SHA256 = "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868"
"""Of ``vgg.pth``, version 0.1, as published with the paper's code."""
TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
CHANNELS = (64, 128, 256, 512, 512)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class LPIPS(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018, eq. 1), version 0.1, VGG-16.

    Args:
        vgg: with `TAPS`, in that order.
        heads: five tensors (1, C, 1, 1), one a tap, not negative.
    """

    def __init__(self, vgg: VGG, heads: list[Tensor]) -> None:
        super().__init__()
        self.vgg = vgg
        for number, head in enumerate(heads):
            self.register_buffer(f"head{number}", head.float(), persistent=False)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def features(self, photos: Tensor) -> list[Tensor]:
        """Of photos (B, 3, H, W) in [-1, 1]: five taps, scaled to length 1 at each place."""
        taps = self.vgg.features_of((photos - self.get_buffer("shift")) / self.get_buffer("scale"))
        if len(taps) < len(TAPS):
            raise ValueError("LPIPS needs pictures of at least 16 px a side.")
        return [tap / (tap.square().sum(1, keepdim=True).sqrt() + 1e-10) for tap in taps]

    def distance(self, ones: list[Tensor], others: list[Tensor]) -> float:
        """The distance between the features of two single photos: Σ over taps of the mean over places."""
        total = 0.0
        for number, (one, other) in enumerate(zip(ones, others, strict=True)):
            total += float(((one - other).square() * self.get_buffer(f"head{number}")).sum(1).mean())
        return total


def load_lpips(folder: Path) -> tuple[LPIPS, dict[str, str]]:
    """The network out of the two files in `folder`, and their sha256; raises `FillError` with a sentence."""
    vgg = read_weights(folder / VGG_WEIGHTS)
    heads = read_weights(folder / LPIPS_WEIGHTS)
    network = LPIPS(VGG(16, TAPS, vgg.tensors), _heads(heads.tensors))
    return network, {vgg.name: vgg.sha256, heads.name: heads.sha256}


def add_lpips_file(path: Path, folder: Path, *, allow_unverified: bool = False) -> Path:
    """Check the file of linear heads and keep it in `folder`; returns the new file. Raises `BackboneError`."""
    state, sha256 = read_published(path, KNOWN_SHA256, "LPIPS's linear heads (vgg.pth, version 0.1)", allow_unverified)
    heads = _heads(state)
    target = folder / LPIPS_WEIGHTS
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"model": "lpips", "origin_sha256": sha256, "verified": "yes" if sha256 == KNOWN_SHA256 else "no"}
    tensors = {f"lin{number}.model.1.weight": head for number, head in enumerate(heads)}
    write_weights(target, tensors, facts, dtype=torch.float32)
    return target


def read_published(path: Path, known: str, what: str, allow_unverified: bool) -> tuple[dict[str, Tensor], str]:
    """The tensors of a published ``.pth`` file whose sha256 begins with `known`, and its sha256."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if not sha256.startswith(known) and not allow_unverified:
        raise BackboneError(f"{path.name} is not the known file of {what}: its sha256 begins with {sha256[:8]}.")
    try:
        state: object = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError):
        raise BackboneError(f"{path.name} is not a file of plain weights.") from None
    if not isinstance(state, dict):
        raise BackboneError(f"{path.name} is not a file of plain weights.")
    return {str(name): tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}, sha256


def _heads(state: dict[str, Tensor]) -> list[Tensor]:
    heads = []
    for number, channels in enumerate(CHANNELS):
        head = state.get(f"lin{number}.model.1.weight")
        if head is None or tuple(head.shape) != (1, channels, 1, 1) or not bool(torch.isfinite(head).all()):
            raise BackboneError(f"LPIPS's weights have no usable head {number} of {channels} channels.")
        heads.append(head)
    return heads
