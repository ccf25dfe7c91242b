"""What the trainer needs to know about a model: its networks, its losses, its prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from inpainting.training.batches import Batch
from inpainting.weights.loading import Weights, WeightsError, load_into

if TYPE_CHECKING:
    from inpainting.training.features import FeatureLosses

Losses = dict[str, float]


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a run is."""

    step: int
    progress: float
    """Share of the asked minutes or steps that is done, 0 to 1."""
    resolution: int


@dataclass(frozen=True, slots=True)
class Player:
    """One optimiser's turn: the networks it moves and its learning rate."""

    modules: dict[str, nn.Module]
    learning_rate: float
    betas: tuple[float, float] = (0.5, 0.999)

    def parameters(self) -> list[nn.Parameter]:
        """All parameters this player moves, in a stable order."""
        return [value for module in self.modules.values() for value in module.parameters() if value.requires_grad]


class Updater(ABC):
    """Applies a loss to a player; the trainer provides it (mixed precision, averaging over GPUs, warm-up)."""

    @abstractmethod
    def __call__(self, player: str, loss: Tensor) -> None:
        """Back-propagate `loss` into the parameters of `player` only, and take one optimiser step."""

    @abstractmethod
    def autocast(self) -> torch.autocast:
        """The precision context that forward passes belong in."""


class Recipe(ABC):
    """One model's way to learn.

    `generators` are what is averaged (EMA), validated and exported; `critics` exist only in training.
    """

    key: str
    size: str
    generators: dict[str, nn.Module]
    critics: dict[str, nn.Module]
    features: FeatureLosses | None = None
    """Perceptual and style terms, if the recipe uses any; their frozen networks are never saved."""
    wishes: dict[str, object]
    """Model, size and switches it was made with, so that a checkpoint can be opened again."""
    warm_up: float = 0.15
    """Share of the run without adversarial and feature losses."""
    multiple: int = 8
    """Resolutions must be multiples of this."""
    side: int | None = None
    """The only resolution the networks take, in pixels; None when they take any."""
    hole_box: tuple[int, int] | None = None
    """First and past-the-last row and column of the only hole they fill, or None when they fill any."""

    @abstractmethod
    def players(self) -> dict[str, Player]:
        """The optimisers of this recipe by name."""

    @abstractmethod
    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        """One training step: forward passes, losses, and an update of every player whose turn it is."""

    @abstractmethod
    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        """The fill (B, 3, H, W) in [-1, 1] by `generators`, for validation; known pixels are pasted by the caller."""

    def export(self, generators: dict[str, nn.Module]) -> dict[str, Tensor]:
        """The state to ship: every generator's state dict, prefixed by its name when there are several."""
        if len(generators) == 1:
            return dict(next(iter(generators.values())).state_dict())
        return {
            f"{name}.{key}": value for name, module in generators.items() for key, value in module.state_dict().items()
        }

    def start_from(self, weights: Weights) -> None:
        """Undo `export`; raise `WeightsError` for weights of another model, size or switch."""
        for name, wanted in self.metadata().items():
            found = weights.metadata.get(name, "unknown")
            if found != wanted:
                raise WeightsError(
                    f"{weights.name} was trained with another {name} ({found}) than this run asks for ({wanted})."
                )
        several = len(self.generators) > 1
        load_into(nn.ModuleDict(self.generators) if several else next(iter(self.generators.values())), weights)

    def state(self) -> dict[str, object]:
        """Numbers beyond the networks that a resumed run needs; JSON-able."""
        return self.features.state() if self.features else {}

    def load_state(self, state: Mapping[str, object]) -> None:
        """Undo `state`."""
        if self.features:
            self.features.load(state)

    def metadata(self) -> dict[str, str]:
        """What a weights file says about itself, so that the right network is built for it."""
        return {"model": self.key, "size": self.size}


@torch.no_grad()
def spread(prediction: Tensor, batch: Batch) -> Losses:
    """How much the pictures of a batch differ from each other inside the holes, filled and true (for the watch)."""
    share = batch.masks.sum((1, 2, 3)).clamp_min(1)

    def of(images: Tensor) -> float:
        means = (images * batch.masks).sum((2, 3)) / share[:, None]
        return means.std(0).mean().item() if len(means) > 1 else 0.0

    return {"spread_fill": of(prediction), "spread_truth": of(batch.images)}


def flag(text: str) -> bool:
    """A switch from the command line; raise `ValueError` with a sentence for anything but yes and no."""
    if text not in {"yes", "no"}:
        raise ValueError(f"A switch is yes or no, not {text!r}.")
    return text == "yes"
