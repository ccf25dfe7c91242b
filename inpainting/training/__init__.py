"""Training: photo packs, recipes and the trainer. Nothing else in the package imports this."""
