"""How good models are as measured: read from the cards beside the weights, without torch."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

_DECIDING = ("lite0_distance", "psnr")
"""Which metric ranks: the first that all have. Of pixel-wise metrics even the best prefer a blur to a slip."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One model among those measured on the same validation pictures."""

    rank: int
    """1 = best, by the perceptual distance where it was measured, else by PSNR."""
    scores: Mapping[str, float]
    """Means: ``psnr`` in dB, ``ssim``, ``l1`` in per cent, ``lite0_distance``, as far as the card has them."""
    pictures: int
    side: int
    """Side of the validation pictures in pixels."""
    contestants: int
    """How many models the rank is among."""

    @property
    def sentence(self) -> str:
        """For people who choose a model."""
        return (
            f"Place {self.rank} of {self.contestants} on {self.pictures} photos that no model had seen: "
            f"{self.scores['psnr']:.1f} dB PSNR."
        )


def read_standings(folder: Path, networks: Container[str], titles: Mapping[str, str]) -> dict[str, Standing]:
    """Standings of all models that the cards (`*.json`) in `folder` tell about, by key.

    A card of one of the `networks` has that model's scores and those of classical peers under their names; `titles`
    (key → title) says which peers are models of ours too. Cards measured on other pictures than the first are left
    out: their figures do not compare. A card that cannot be read counts as none.
    """
    found: dict[str, dict[str, float]] = {}
    setting: tuple[int, int] | None = None
    for path in sorted(folder.glob("*.json")):
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
            validation = card["validation"]
            here = (int(validation["pictures"]), int(validation["side"]))
            ours, peers = dict(validation["scores"]), dict(validation["peers"])
            if "psnr" not in ours:
                continue
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if setting not in (None, here) or card.get("model") not in networks:
            continue
        setting = here
        found[card["model"]] = ours
        found |= {key: peers[title] for key, title in titles.items() if title in peers}
    if setting is None:
        return {}
    ranks = _ranks(found)
    return {key: Standing(ranks[key], scores, *setting, len(found)) for key, scores in found.items()}


def _ranks(scores: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    metric = next((name for name in _DECIDING if all(name in values for values in scores.values())), None)
    if metric is None:
        return dict.fromkeys(scores, 1)
    sign = 1 if metric == "lite0_distance" else -1
    values = {key: sign * row[metric] for key, row in scores.items()}
    return {key: 1 + sum(other < value for other in values.values()) for key, value in values.items()}
