"""T-MAD's weights: what a file says about itself, and the network made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from inpainting.catalog import WEIGHTS_DIR, ModelEntry
from inpainting.models.tmad.config import TMADConfig
from inpainting.models.tmad.system import TMAD, build
from inpainting.weights.loading import WeightsError, load_into, read_weights


def describe(network: TMAD, size: str) -> dict[str, str]:
    """The metadata with which a weights file is written, so that `network_from` builds the same network."""
    return {"model": "tmad", "size": size, "config": network.config.to_json()}


def network_from(metadata: Mapping[str, str]) -> TMAD:
    """A network with random weights as a file's metadata describes it; raise `WeightsError` when it is not T-MAD's."""
    if metadata.get("model") != "tmad":
        raise WeightsError(f"These weights are for {metadata.get('model', 'an unnamed model')!r}, not for T-MAD.")
    try:
        return TMAD(TMADConfig.from_json(metadata["config"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise WeightsError("These weights do not say which T-MAD they are for, or say it wrongly.") from None


def load_network(entry: ModelEntry, device: str = "cpu") -> tuple[TMAD, dict[str, Any]]:
    """The entry's network in evaluation mode, and notes on where its weights are from.

    Where the file does not exist, the small network with seeded random weights; the engine lets such a model work
    only on explicit request. Raises `WeightsError` for a file that cannot be used.
    """
    path = WEIGHTS_DIR / entry.weights[0]
    if path.is_file():
        weights = read_weights(path, device=device)
        network = network_from(weights.metadata)
        load_into(network, weights)
        facts = {"weights": f"{weights.name} {weights.sha256[:8]}", "size": weights.metadata.get("size", "unnamed")}
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = build("small")
        facts = {"weights": "untrained", "size": "small"}
    return network.to(device).eval().requires_grad_(False), facts
