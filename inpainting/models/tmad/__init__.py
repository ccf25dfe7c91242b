"""T-MAD: texture memory-augmented deep patch-based inpainting.

Xu, Guo, Wang, Li, Zhou and Loy, "Texture Memory-Augmented Deep Patch-Based Image Inpainting",
https://arxiv.org/abs/2009.13240. A coarse network estimates the structure of the hole; each cell of the hole is then
synthesised by PSNet from that estimate and from the most similar patches of a memory cut out of the photo itself.
"""

from inpainting.models.tmad.config import PAPER, SIZES, SMALL, TMADConfig
from inpainting.models.tmad.fill import TMADFill
from inpainting.models.tmad.system import TMAD, Synthesis, build

__all__ = ["PAPER", "SIZES", "SMALL", "TMAD", "Synthesis", "TMADConfig", "TMADFill", "build"]
