"""Probe models under keys of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inpainting import catalog
from inpainting.catalog import ModelEntry, Param

AddModel = Callable[..., str]


@pytest.fixture
def add_model(monkeypatch: pytest.MonkeyPatch) -> AddModel:
    """Put a class of `tests.inpainting.probe_models` into the catalogue; returns its key."""

    def add(name: str, *, weights: tuple[str, ...] = ()) -> str:
        entry = ModelEntry(
            key=f"probe-{name}",
            title=name,
            summary="",
            cost="instant",
            factory=f"tests.inpainting.probe_models:{name}",
            params=(Param("strength", "int", 3, "Strength", minimum=1, maximum=9),),
            weights=weights,
            needs_torch=False,
        )
        monkeypatch.setitem(catalog._BY_KEY, entry.key, entry)
        return entry.key

    return add
