"""The model cards beside the weights, told together: one table for the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inpainting.evaluation.measures import LEAST_PICTURES_FOR_INTERVALS

COLUMNS = {
    "psnr": ("PSNR (dB)", 2),
    "ssim": ("SSIM", 3),
    "l1": ("L1 (%)", 2),
    "lite0_distance": ("Lite0 distance", 2),
}
"""Metric → heading, and how many decimals are told. Of the last two less is better."""
_LESS_IS_BETTER = ("l1", "lite0_distance")
AGAINST = ("Telea", "PatchMatch", "membrane")
"""The classical methods that the table names; the cards have all."""


def read_cards(folder: Path) -> dict[str, dict[str, Any]]:
    """The cards (`*.json` with a validation) in `folder`, by model."""
    cards = {}
    for path in sorted(folder.glob("*.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(card, dict) and "validation" in card:
            cards[str(card["model"])] = card
    return cards


def comparison(folder: Path) -> str:
    """A Markdown table: what each shipped network reaches on photos it has not seen, and how far it is from others.

    Differences are ours minus theirs with their paired 95 % interval; they are bold where ours is better for certain
    and in italics where it is worse for certain.
    """
    lines = ["| | " + " | ".join(heading for heading, _ in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for model, card in read_cards(folder).items():
        validation = card["validation"]
        scores = [f"{validation['scores'][name]:.{digits}f}" for name, (_, digits) in COLUMNS.items()]
        where = f"{validation['side']}², {validation['pictures']} photos"
        lines.append(f"| **{model}** ({where}) | " + " | ".join(scores) + " |")
        for peer in AGAINST:
            if peer in validation["difference"]:
                gaps = validation["difference"][peer]
                enough = validation["pictures"] >= LEAST_PICTURES_FOR_INTERVALS
                lines.append(f"| − {peer} | " + " | ".join(_gap(name, gaps[name], enough) for name in COLUMNS) + " |")
    return "\n".join(lines)


def _gap(metric: str, gap: list[float], enough: bool) -> str:
    mean, low, high = gap
    digits = COLUMNS[metric][1]
    text = f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
    if low <= 0 <= high or not enough:
        return text
    better = (high < 0) if metric in _LESS_IS_BETTER else (low > 0)
    return f"**{text}**" if better else f"*{text}*"
