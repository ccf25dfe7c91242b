"""One graphics card for each process of the pool, decided before CUDA is touched."""

from __future__ import annotations

import os
from pathlib import Path


def assign_card(index: int) -> None:
    """Show this process only the card that is its own: the `index`-th process gets card `index` modulo their number.

    Must run in the child before PyTorch is imported. A machine without cards, or CUDA_VISIBLE_DEVICES=-1, stays as
    it is.
    """
    cards = visible_cards()
    if cards:
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[index % len(cards)]


def visible_cards() -> list[str]:
    """Names of the cards this process may use, as CUDA_VISIBLE_DEVICES would list them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "").strip()
    if given:
        return [] if given == "-1" else [name.strip() for name in given.split(",")]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
