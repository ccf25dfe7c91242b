"""T-MAD's recipe (arXiv 2009.13240, section III): the coarse network alone, then everything together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpainting.models.tmad.losses import Critics, LossWeights, coarse_loss, critic_losses, generator_losses
from inpainting.models.tmad.system import build
from inpainting.training.batches import Batch
from inpainting.training.features import GRADIENT_SHARE, FeatureLosses, PaperWeights
from inpainting.training.recipe import Clock, Losses, Player, Recipe, Updater, flag, spread


class TMADRecipe(Recipe):
    """`coarse_stage` is the share of the run on the coarse network alone, `cells` the patches an image afterwards.

    `retrieval` (``topk`` or ``weighted``) and `distribution` (the patch-distribution loss) are the paper's ablations;
    `seam` closes the fill's seam to the photo. After `warm_up`, a share of the run, come the games (`adversarial`) and
    the perceptual term (`features`), which `feature_share` weighs (`FeatureLosses`).
    """

    key = "tmad"

    def __init__(
        self,
        size: str = "small",
        *,
        retrieval: str = "topk",
        distribution: str = "yes",
        seam: str = "yes",
        coarse_stage: str = "0.4",
        cells: str = "16",
        learning_rate: str = "1e-4",
        warm_up: str = "0.5",
        adversarial: str = "yes",
        features: str = "yes",
        feature_share: str = str(GRADIENT_SHARE),
    ) -> None:
        if retrieval not in {"topk", "weighted"}:
            raise ValueError(f"retrieval is topk or weighted, not {retrieval!r}.")
        self.size = size
        self.network = build(size, retrieval=retrieval, seam=flag(seam))
        self.critic = Critics()
        self.multiple = self.network.config.patch
        self.generators: dict[str, nn.Module] = {"generator": self.network}
        self.critics: dict[str, nn.Module] = {"critics": self.critic}
        self.relativistic = flag(distribution)
        self.coarse_stage, self.cells = float(coarse_stage), int(cells)
        self.learning_rate, self.warm_up = float(learning_rate), float(warm_up)
        self.adversarial = flag(adversarial)
        self.weights = LossWeights()
        paper = PaperWeights(perceptual=0.05, style=0.0)
        self.features = FeatureLosses(paper, share=float(feature_share)) if flag(features) else None

    def metadata(self) -> dict[str, str]:
        """Size and configuration of the networks."""
        return {"model": "tmad", "size": self.size, "config": self.network.config.to_json()}

    def players(self) -> dict[str, Player]:
        """The coarse network alone, the whole system, and the critics."""
        return {
            "coarse": Player({"coarse": self.network.coarse}, self.learning_rate),
            "system": Player(self.generators, self.learning_rate),
            "critics": Player(self.critics, self.learning_rate),
        }

    def step(self, batch: Batch, clock: Clock, update: Updater) -> Losses:
        """One step of the stage the run is in."""
        if clock.progress < self.coarse_stage:
            with update.autocast():
                coarse = self.network.estimate(batch.damaged, batch.masks).float()
            loss = coarse_loss(coarse, batch.images, batch.masks, self.weights)
            update("coarse", loss)
            return {"coarse": loss.item()} | spread(coarse.detach(), batch)
        warm = clock.progress >= self.warm_up
        adversarial = warm and self.adversarial
        with update.autocast():
            synthesis = self.network(batch.damaged, batch.masks, cells_per_image=self.cells)
            terms = generator_losses(
                synthesis,
                batch.images,
                batch.masks,
                critics=self.critic if adversarial else None,
                weights=self.weights,
                relativistic=self.relativistic,
            )
        loss = torch.stack([term.float() for term in terms.values()]).sum()
        losses = {name: value.item() for name, value in terms.items()}
        if self.features is not None and warm:
            result = synthesis.result.float()
            looks, parts = self.features(result, result, batch.images, loss, with_style=False)
            loss = loss + looks
            losses |= parts
        update("system", loss)
        if adversarial:
            with update.autocast():
                found = critic_losses(synthesis, batch.images, self.critic, relativistic=self.relativistic)
            update("critics", torch.stack([value.float() for value in found.values()]).sum())
            losses |= {f"critic {name}": value.item() for name, value in found.items()}
        return losses | spread(synthesis.result.detach(), batch)

    def predict(self, generators: dict[str, nn.Module], damaged: Tensor, masks: Tensor) -> Tensor:
        """The tiled result; memories are drawn from a fixed seed."""
        fill: Tensor = generators["generator"](damaged, masks, generator=torch.Generator().manual_seed(0)).result
        return fill
