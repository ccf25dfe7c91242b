"""MNPS's content network: the context encoder's recipe (Pathak et al. 2016, as Yang et al. 2017 use it).

``L = 0.999 · L2(centre, rim × 10) + 0.001 · L_adv``; both terms matter, L2 alone gives centres too smooth to guide
the texture optimisation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpainting.layers.context_encoder import (
    INPUT_SIDE,
    OUTPUT_SIDE,
    RIM,
    CentreCritic,
    blank_centre,
    build_context_encoder,
    centre,
    rim_weights,
)
from inpainting.layers.losses import nonsaturating_discriminator, nonsaturating_generator
from inpainting.training.batches import Batch
from inpainting.training.recipe import Clock, Losses, Player, Recipe, Updater

LEARNING_RATE = 2e-4


class ContentRecipe(Recipe):
    """Trains on the centres of 128 px crops; the sampled holes are not used."""

    key = "mnps"
    side = INPUT_SIDE
    hole_box = ((INPUT_SIDE - OUTPUT_SIDE) // 2 + RIM, (INPUT_SIDE + OUTPUT_SIDE) // 2 - RIM)

    def __init__(self, size: str = "small", adversarial: str = "0.001") -> None:
        self.size = size
        self.adversarial = float(adversarial)
        self.network = build_context_encoder(size)
        self.critic = CentreCritic(64 if size == "paper" else 32)
        self.generators: dict[str, nn.Module] = {"content": self.network}
        self.critics: dict[str, nn.Module] = {"critic": self.critic}

    def players(self) -> dict[str, Player]:
        """Generator and critic, Adam 2e-4 with beta 0.5; the critic ten times slower, as in the published code."""
        return {
            "generator": Player(self.generators, LEARNING_RATE),
            "critic": Player(self.critics, LEARNING_RATE / 10),
        }

    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        """One step of each player; the adversarial term waits until the warm-up is over."""
        adversarial = clock.progress >= self.warm_up and self.adversarial > 0
        truth = centre(batch.images)
        with update.autocast():
            fill = self.network(blank_centre(batch.images)).float()
        losses: Losses = {}
        if adversarial:
            critic_loss = nonsaturating_discriminator(self.critic(truth), self.critic(fill.detach()))
            update("critic", critic_loss)
            losses["critic"] = critic_loss.item()
        reconstruction = ((fill - truth) ** 2 * rim_weights(fill.device)).mean()
        loss = (1 - self.adversarial) * reconstruction
        losses["l2"] = reconstruction.item()
        if adversarial:
            fooling = nonsaturating_generator(self.critic(fill))
            loss = loss + self.adversarial * fooling
            losses["adversarial"] = fooling.item()
        update("generator", loss)
        losses["spread_fill"], losses["spread_truth"] = _spread(fill), _spread(truth)
        return losses

    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        """The centre square laid over the damaged picture."""
        result = damaged.clone()
        edge = (INPUT_SIDE - OUTPUT_SIDE) // 2
        result[:, :, edge:-edge, edge:-edge] = generators["content"](blank_centre(damaged))
        return result


@torch.no_grad()
def _spread(squares: Tensor) -> float:
    return squares.std(0).mean().item() if len(squares) > 1 else 0.0
