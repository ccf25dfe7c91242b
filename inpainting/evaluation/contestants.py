"""Who is compared: models of the catalogue with their parameters, and classical methods for reference. No PyTorch."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inpainting.catalog import CONTENT_WEIGHTS, WEIGHTS_DIR, CatalogError, get_entry
from inpainting.evaluation.peers import REFERENCES

MOST = 12
"""More columns than that nobody reads."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One column of a report."""

    name: str
    """How it was asked for, unique in a report: ``telea``, ``patchmatch:patch_size=5``."""
    key: str
    title: str
    params: Mapping[str, Any]
    """All parameters, defaults filled in; empty for references."""
    is_reference: bool
    weights: Mapping[str, str]
    """File → sha256."""

    @property
    def slug(self) -> str:
        """The name as part of a file's name."""
        plain = re.sub(r"[^A-Za-z0-9.-]+", "_", self.name)
        return plain if plain == self.name else f"{plain[:60]}-{hashlib.sha256(self.name.encode()).hexdigest()[:8]}"

    def as_json(self) -> dict[str, Any]:
        """For the summary."""
        return {
            "name": self.name,
            "key": self.key,
            "title": self.title,
            "params": dict(self.params),
            "reference": self.is_reference,
            "weights": dict(self.weights),
            "trained": sum(trained_numbers(WEIGHTS_DIR / name) for name in self.weights),
        }


def trained_numbers(path: Path) -> int:
    """How many numbers a safetensors file holds: the size of a model as papers print it. Reads the head only."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head: dict[str, Any] = json.loads(file.read(length))
    return sum(math.prod(entry["shape"]) for name, entry in head.items() if name != "__metadata__")


def parse_contestants(wanted: Sequence[str], *, allow_untrained: bool = False) -> list[Contestant]:
    """Contestants from ``KEY`` or ``KEY:NAME=VALUE;NAME=VALUE``, in the order given.

    Raises `CatalogError` with a sentence: none, too many, the same twice, unknown, untrained, a bad parameter.
    """
    found: list[Contestant] = []
    for text in (each.strip() for each in wanted):
        if not text:
            continue
        contestant = make_contestant(*_parts(text), allow_untrained=allow_untrained)
        if any(other.name == contestant.name for other in found):
            raise CatalogError(f"{contestant.name} is named twice.")
        found.append(contestant)
    if not found:
        raise CatalogError("Name at least one model to evaluate.")
    if len(found) > MOST:
        raise CatalogError(f"At most {MOST} models can be compared at a time; {len(found)} were named.")
    return found


def make_contestant(key: str, given: Mapping[str, Any], *, allow_untrained: bool = False) -> Contestant:
    """The contestant `key` with the parameters `given`; raises `CatalogError`."""
    if key in REFERENCES:
        if given:
            raise CatalogError(f"{key} has no parameters.")
        return Contestant(key, key, REFERENCES[key][0], {}, is_reference=True, weights={})
    try:
        entry = get_entry(key)
    except CatalogError as error:
        raise CatalogError(f"{error} For reference there are also: {', '.join(REFERENCES)}.") from None
    if not entry.trained and not allow_untrained:
        raise CatalogError(f"{entry.title} has not been trained yet: its weights are missing. See --allow-untrained.")
    params = entry.parse_params(given)
    changed = {name: value for name, value in params.items() if name in given and _default_of(key, name) != value}
    suffix = ";".join(f"{name}={value}" for name, value in sorted(changed.items()))
    files = [*entry.weights, *([CONTENT_WEIGHTS] if key == "mnps" else [])]
    return Contestant(
        name=f"{key}:{suffix}" if suffix else key,
        key=key,
        title=f"{entry.title} ({suffix.replace(';', ', ')})" if suffix else entry.title,
        params=params,
        is_reference=False,
        weights={
            name: hashlib.sha256((WEIGHTS_DIR / name).read_bytes()).hexdigest()
            for name in files
            if (WEIGHTS_DIR / name).is_file()
        },
    )


def _parts(text: str) -> tuple[str, dict[str, str]]:
    key, colon, rest = text.partition(":")
    given: dict[str, str] = {}
    for pair in rest.split(";") if colon else ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise CatalogError(f"Parameters are written KEY:NAME=VALUE;NAME=VALUE; it was {text!r}.")
        given[name.strip()] = value.strip()
    return key.strip(), given


def _default_of(key: str, name: str) -> Any:
    return next(param.default for param in get_entry(key).params if param.name == name)
