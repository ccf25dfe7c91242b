"""MNPS: high-resolution image inpainting using multi-scale neural patch synthesis (Yang et al., CVPR 2017).

A first guess of the content at low resolution is optimised, coarse to fine, so that the hole's patches of VGG features
equal their nearest neighbours outside. See docs/models/mnps.md.
"""

from inpainting.models.mnps.fill import MNPSFill

__all__ = ["MNPSFill"]
