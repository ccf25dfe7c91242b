"""TTA-Net's recipe (arXiv 2012.04242, section 3.4): ``L = L_rec + L_adv + 0.1 · L_per + 100 · L_style``."""

from __future__ import annotations

from typing import cast, get_args

from torch import Tensor, nn

from inpainting.layers.discriminators import SNPatchGAN
from inpainting.layers.losses import composite, hinge_discriminator, hinge_generator, reconstruction
from inpainting.layers.texture_transform import Attention
from inpainting.models.tta import build_generator, describe_generator
from inpainting.training.batches import Batch
from inpainting.training.features import GRADIENT_SHARE, FeatureLosses, PaperWeights
from inpainting.training.recipe import Clock, Losses, Player, Recipe, Updater, flag, spread


class TTARecipe(Recipe):
    """Reconstruction first, then the adversarial game.

    `hole_weight` counts hole pixels more often in L_rec than the paper's 1: known pixels are pasted back anyway, so a
    short run does better to spend itself on the hole. `warm_up` is the share of the run on L_rec alone; `adversarial`
    switches the game that comes after it, `features` the perceptual and style terms, and `feature_share` weighs these
    (`FeatureLosses`). `seam` closes the fill's seam to the photo.
    """

    key = "tta"

    def __init__(
        self,
        size: str = "small",
        *,
        attention: str = "hard",
        normalise: str = "yes",
        seam: str = "yes",
        learning_rate: str = "1e-4",
        hole_weight: str = "1",
        warm_up: str = "0.15",
        adversarial: str = "yes",
        features: str = "yes",
        feature_share: str = str(GRADIENT_SHARE),
    ) -> None:
        self.size = size
        if attention not in get_args(Attention):
            raise ValueError(f"attention is one of {', '.join(get_args(Attention))}, not {attention!r}.")
        kind = cast(Attention, attention)
        self.network = build_generator(size, attention=kind, normalise=flag(normalise), seam=flag(seam))
        self.description = describe_generator(size, attention=kind, normalise=flag(normalise), seam=flag(seam))
        self.critic = SNPatchGAN()
        self.generators: dict[str, nn.Module] = {"generator": self.network}
        self.critics: dict[str, nn.Module] = {"critic": self.critic}
        self.learning_rate = float(learning_rate)
        self.hole_weight = float(hole_weight)
        self.warm_up, self.adversarial = float(warm_up), flag(adversarial)
        paper = PaperWeights(perceptual=0.1, style=100.0)
        self.features = FeatureLosses(paper, share=float(feature_share)) if flag(features) else None

    def metadata(self) -> dict[str, str]:
        """Size and switches of the network."""
        return self.description

    def players(self) -> dict[str, Player]:
        """Adam with the same rate for both."""
        return {
            "generator": Player(self.generators, self.learning_rate),
            "critic": Player(self.critics, self.learning_rate),
        }

    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        """One step of the generator and, after the warm-up, of the critic before it."""
        with update.autocast():
            fill = self.network(batch.damaged, batch.masks).prediction.float()
        loss = reconstruction(fill, batch.images, 1 + (self.hole_weight - 1) * batch.masks)
        losses: Losses = {"l1": loss.item()}
        if clock.progress >= self.warm_up:
            whole = composite(fill, batch.images, batch.masks)
            reconstructed = loss
            if self.adversarial:
                fooling = self._play(whole, batch, losses, update)
                loss = loss + fooling
            if self.features is not None:
                looks, parts = self.features(fill, whole, batch.images, reconstructed)
                loss = loss + looks
                losses |= parts
        update("generator", loss)
        losses |= spread(fill, batch)
        return losses

    def _play(self, whole: Tensor, batch: Batch, losses: Losses, update: Updater) -> Tensor:
        """One step of the critic; returns the generator's part of the game."""
        real, fake = self.critic(batch.images, batch.masks), self.critic(whole.detach(), batch.masks)
        critic_loss = hinge_discriminator(real, fake)
        update("critic", critic_loss)
        fooling = hinge_generator(self.critic(whole, batch.masks))
        losses |= {"critic": critic_loss.item(), "adversarial": fooling.item()}
        return fooling

    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        """One forward pass."""
        fill: Tensor = generators["generator"](damaged, masks).prediction
        return fill
