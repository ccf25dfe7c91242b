"""CNN texture synthesis for inpainting (Laube et al. 2018): no training, a picture optimised until its texture fits."""

from inpainting.models.gram.fill import GramFill

__all__ = ["GramFill"]
