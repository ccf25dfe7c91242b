"""Perceptual and style terms: which features they use here, and how they are weighed against reconstruction.

With an administrator's VGG-16 the papers' layers and weights are used as printed. Without one, perceptual distance is
taken on ImageNet EfficientNet-Lite0 and style on a random VGG-19; the printed weights mean nothing there, so each
term is scaled to a share of the reconstruction's gradient at the network's output, measured over the first steps that
use it and then frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inpainting.backbones.efficientnet_lite import EfficientNetLite0
from inpainting.backbones.vgg import random_vgg19, shipped_vgg
from inpainting.catalog import WEIGHTS_DIR
from inpainting.layers.losses import perceptual, style
from inpainting.training.recipe import Losses

GRADIENT_SHARE = 0.3
"""Of the reconstruction's gradient that each balanced term gets unless a run asks for another share."""
BALANCE_STEPS = 50
_STYLE_WIDTH = 0.25
_VGG_TAPS = ("pool1", "pool2", "pool3")
_STYLE_TAPS = ("relu2_1", "relu3_1", "relu4_1")


class PaperWeights(NamedTuple):
    """Factors of the two terms as a paper prints them, for VGG features."""

    perceptual: float
    style: float


@dataclass(slots=True)
class Balance:
    """Running means of gradient norms, frozen after `BALANCE_STEPS` looks."""

    looks: int = 0
    norms: dict[str, float] = field(default_factory=dict)

    def factor(self, name: str) -> float:
        """What makes the gradient of the term `name` as long as the reconstruction's."""
        return self.norms["reconstruction"] / max(self.norms[name], 1e-12)

    def look(self, found: Mapping[str, float]) -> None:
        """Take in the gradient norms of one step."""
        self.looks += 1
        for name, value in found.items():
            self.norms[name] = self.norms.get(name, 0.0) + (value - self.norms.get(name, 0.0)) / self.looks


class FeatureLosses:
    """Both terms for one run. `modules` has to be moved to the run's device; nothing in it is trained.

    `share` is what a balanced term gets of the reconstruction's gradient, above 0.
    """

    def __init__(self, paper: PaperWeights, folder: Path = WEIGHTS_DIR, *, share: float = GRADIENT_SHARE) -> None:
        if not share > 0:
            raise ValueError(f"The share of the perceptual and style terms is above 0, not {share:g}.")
        self.paper = paper
        self.share = share
        self.balance = Balance()
        self.modules: dict[str, nn.Module]
        if (folder / "vgg16.safetensors").is_file():
            vgg = shipped_vgg(16, _VGG_TAPS, folder)
            self.modules, self.balanced = {"perceptual": vgg, "style": vgg}, False
        else:
            self.modules = {
                "perceptual": EfficientNetLite0(),
                "style": random_vgg19(_STYLE_TAPS, width=_STYLE_WIDTH),
            }
            self.balanced = True

    @property
    def names(self) -> str:
        """What a model card says about the features."""
        return "EfficientNet-Lite0 and a random VGG-19" if self.balanced else "VGG-16"

    def __call__(
        self, fill: Tensor, whole: Tensor, truth: Tensor, reconstruction: Tensor, *, with_style: bool = True
    ) -> tuple[Tensor, Losses]:
        """The weighted sum of the terms, and each by name.

        `fill` is the network's output and `whole` that with the known pixels pasted back, `truth` the photo, all
        (B, 3, H, W) in [-1, 1]; `reconstruction` is the scalar loss that the terms are weighed against.
        """
        terms = {"perceptual": self._distance("perceptual", fill, truth)}
        if with_style:
            terms["style"] = self._distance("style", whole, truth)
        if self.balanced:
            if self.balance.looks < BALANCE_STEPS:
                self.balance.look(
                    {
                        name: _gradient_norm(term, fill)
                        for name, term in (terms | {"reconstruction": reconstruction}).items()
                    }
                )
            factors = {name: self.share * self.balance.factor(name) for name in terms}
        else:
            factors = {name: getattr(self.paper, name) for name in terms}
        weighted = torch.stack([factors[name] * term for name, term in terms.items()]).sum()
        return weighted, {name: factors[name] * term.item() for name, term in terms.items()}

    def state(self) -> dict[str, object]:
        """For checkpoints."""
        return {"looks": self.balance.looks, "norms": self.balance.norms}

    def load(self, state: Mapping[str, object]) -> None:
        """Undo `state`."""
        self.balance = Balance(**state)  # type: ignore[arg-type]

    def _distance(self, name: str, made: Tensor, truth: Tensor) -> Tensor:
        extract = self.modules[name]
        with torch.autocast(made.device.type, enabled=False):
            with torch.no_grad():
                wanted = extract(truth.float())
            found = extract(made.float())
            return perceptual(found, wanted) if name == "perceptual" else style(found, wanted)


def _gradient_norm(loss: Tensor, output: Tensor) -> float:
    (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
    return float(gradient.norm().item())
