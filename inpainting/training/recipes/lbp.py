"""LBP inpainting's recipe: stage 1 the pattern network with its critic, stage 2 both networks end to end."""

from __future__ import annotations

from torch import Tensor, nn

from inpainting.layers.discriminators import PatchGAN
from inpainting.models.lbp_losses import (
    GeneratorLosses,
    LossWeights,
    discriminator_loss,
    image_losses,
    pattern_losses,
)
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter
from inpainting.training.batches import Batch
from inpainting.training.features import GRADIENT_SHARE, FeatureLosses, PaperWeights
from inpainting.training.recipe import Clock, Losses, Player, Recipe, Updater, flag, spread


class LBPRecipe(Recipe):
    """Two stages; `first_stage` is the share of the run that belongs to the first.

    `multilevel` is the weight of the multi-level loss (0 for the ablation), `warm_up` the share of the run without
    adversarial, perceptual and style terms; `adversarial` switches the first of them, `features` the others, which
    `feature_share` weighs (`FeatureLosses`); `seam` closes the fill's seam.
    """

    key = "lbp"

    def __init__(
        self,
        size: str = "small",
        *,
        guidance: str = "yes",
        attention: str = "full",
        multilevel: str = "0.01",
        seam: str = "yes",
        first_stage: str = "0.25",
        learning_rate: str = "2e-4",
        warm_up: str = "0.15",
        adversarial: str = "yes",
        features: str = "yes",
        feature_share: str = str(GRADIENT_SHARE),
    ) -> None:
        self.size = size
        config = LBPConfig.of(size, guidance=flag(guidance), attention=attention, seam=flag(seam))
        self.network = LBPInpainter(config)
        self.pattern_critic = PatchGAN(1, config.discriminator_width)
        self.image_critic = PatchGAN(3, config.discriminator_width)
        self.multiple = self.network.multiple
        self.generators: dict[str, nn.Module] = {"generator": self.network}
        self.critics: dict[str, nn.Module] = {"patterns": self.pattern_critic, "image": self.image_critic}
        self.weights = LossWeights(multilevel=float(multilevel))
        self.first_stage = float(first_stage) if config.guidance else 0.0
        self.learning_rate = float(learning_rate)
        self.warm_up, self.adversarial = float(warm_up), flag(adversarial)
        paper = PaperWeights(perceptual=1.0, style=10.0)
        self.features = FeatureLosses(paper, share=float(feature_share)) if flag(features) else None

    def metadata(self) -> dict[str, str]:
        """Size and switches of the networks."""
        return self.network.config.to_metadata()

    def players(self) -> dict[str, Player]:
        """Both generators move together in stage 2; in stage 1 only the first has gradients."""
        players = {
            "networks": Player(self.generators, self.learning_rate),
            "pattern critic": Player({"patterns": self.pattern_critic}, self.learning_rate),
            "image critic": Player({"image": self.image_critic}, self.learning_rate),
        }
        if self.network.pattern_network is not None:
            players["patterns"] = Player({"patterns": self.network.pattern_network}, self.learning_rate)
        return players

    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        """One generator step and, after the warm-up, one of its critic."""
        warm = clock.progress >= self.warm_up
        adversarial = warm and self.adversarial
        if clock.progress < self.first_stage:
            critic = self.pattern_critic if adversarial else None
            with update.autocast():
                found = pattern_losses(self.network, batch.images, batch.masks, critic, self.weights)
            return self._apply("patterns", "pattern critic", found, critic, update)
        critic = self.image_critic if adversarial else None
        with update.autocast():
            found = image_losses(self.network, batch.images, batch.masks, critic, None, self.weights)
        parts: Losses = {}
        if self.features is not None and warm:
            looks, parts = self.features(found.fake, found.fake, found.real, found.total)
            found.total = found.total + looks
        losses = self._apply("networks", "image critic", found, critic, update) | parts
        if found.fake.shape == batch.images.shape:
            losses |= spread(found.fake.detach(), batch)
        return losses

    def _apply(
        self, player: str, opponent: str, found: GeneratorLosses, critic: nn.Module | None, update: Updater
    ) -> Losses:
        update(player, found.total)
        losses = {name: value.item() for name, value in found.terms.items()}
        if critic is not None:
            with update.autocast():
                loss = discriminator_loss(critic, found.real, found.fake)
            update(opponent, loss)
            losses[f"critic {player}"] = loss.item()
        return losses

    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        """Both networks in turn."""
        fill: Tensor = generators["generator"](damaged, masks)[0].composite
        return fill
