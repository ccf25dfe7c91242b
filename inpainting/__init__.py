"""Reweave's inpainting library: five published systems and two classical baselines behind one engine.

The package imports neither Django nor Celery; `inpainting.catalog` and `inpainting.imaging` import no torch.
"""
