"""What models exist: names, limits and parameters, without importing torch.

Adding a model means one entry in `catalog_entries.py` and one module under `inpainting.models`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from inpainting.catalog_entries import ALL_ENTRIES, CONTENT_CHOICES, GRAIN, SOURCES
from inpainting.model_entry import WEIGHTS_DIR, CatalogError, Cost, ModelEntry, Paper, Param, ParamKind
from inpainting.standing import Standing, read_standings

__all__ = [
    "CONTENT_CHOICES",
    "CONTENT_ORDER",
    "CONTENT_WEIGHTS",
    "ENTRIES",
    "GRAIN",
    "REFINE",
    "REFINER",
    "SOURCES",
    "WEIGHTS_DIR",
    "CatalogError",
    "Cost",
    "ModelEntry",
    "Paper",
    "Param",
    "ParamKind",
    "Standing",
    "available_contents",
    "get_entry",
    "offer_contents",
    "offer_refinement",
    "offered",
    "standings",
]

REFINER = "tmad"
"""The model whose patch network can refine the results of the others."""
REFINE = Param(
    "refine",
    "choice",
    "none",
    "Refine textures",
    "Synthesise the result's textures anew, patch by patch, after the most similar ones of the photo.",
    choices=("none", "psnet"),
)


def offer_refinement(entries: tuple[ModelEntry, ...]) -> tuple[ModelEntry, ...]:
    """The entries with `REFINE` added to all but the refiner itself, provided that the refiner is trained."""
    if not any(entry.key == REFINER and entry.trained for entry in entries):
        return entries
    return tuple(entry if entry.key == REFINER else replace(entry, params=(*entry.params, REFINE)) for entry in entries)


CONTENT_WEIGHTS = "mnps.safetensors"
"""MNPS's content network. It is optional: other models can make the content."""
CONTENT_ORDER = ("patchmatch", "network", "tta", "tmad", "lbp", "telea")
"""Who can make MNPS's first guess, best first as far as measured (docs/models/mnps.md)."""


def available_contents(entries: tuple[ModelEntry, ...] | None = None) -> tuple[str, ...]:
    """The choices whose weights are there, best first."""
    trained = {entry.key for entry in (ENTRIES if entries is None else entries) if entry.trained}
    network = {"network"} if (WEIGHTS_DIR / CONTENT_WEIGHTS).is_file() else set()
    return tuple(key for key in CONTENT_ORDER if key in trained | network)


def offer_contents(entries: tuple[ModelEntry, ...]) -> tuple[ModelEntry, ...]:
    """The entries, with MNPS's parameter `content` reduced to what is available."""

    def offered_by(param: Param) -> Param:
        if param.name != "content":
            return param
        return replace(param, choices=("auto", *available_contents(entries)))

    return tuple(
        replace(entry, params=tuple(map(offered_by, entry.params))) if entry.key == "mnps" else entry
        for entry in entries
    )


ENTRIES = offer_contents(offer_refinement(ALL_ENTRIES))
_BY_KEY = {entry.key: entry for entry in ENTRIES}


def get_entry(key: str) -> ModelEntry:
    """The entry called `key`; raise `CatalogError` naming the models that exist."""
    try:
        return _BY_KEY[key]
    except KeyError:
        raise CatalogError(f"There is no model {key!r}. There are: {', '.join(sorted(_BY_KEY))}.") from None


def offered(*, include_untrained: bool = False) -> list[ModelEntry]:
    """Models in the order people should see them: as measured together, then the others as the entries say."""
    entries = [entry for entry in ENTRIES if include_untrained or entry.trained]
    ranks = {key: standing.rank for key, standing in standings().items()}
    return sorted(entries, key=lambda entry: (ranks.get(entry.key, math.inf), entry.order, entry.key))


def standings() -> dict[str, Standing]:
    """What the cards of the shipped weights say about the models that are trained, by key."""
    networks = {entry.key for entry in ENTRIES if entry.weights and entry.trained}
    return read_standings(WEIGHTS_DIR, networks, {entry.key: entry.title for entry in ENTRIES})
