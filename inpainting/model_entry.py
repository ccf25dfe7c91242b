"""What describes a model: its entry, its parameters, the paper it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

WEIGHTS_DIR = Path(__file__).parent / "weights"

ParamKind = Literal["int", "float", "bool", "choice"]
Cost = Literal["instant", "fast", "slow"]


class CatalogError(ValueError):
    """A model or a parameter that does not exist or is out of range; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Param:
    """One knob of a model, with the range a caller may ask for."""

    name: str
    kind: ParamKind
    default: Any
    label: str
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """Turn text or a JSON value into this parameter's type; raise `CatalogError` with a sentence otherwise."""
        if self.kind == "bool":
            return self._parse_bool(value)
        if self.kind == "choice":
            if value not in self.choices:
                raise CatalogError(f"“{self.label}” must be one of {', '.join(self.choices)}; it was {value!r}.")
            return value
        return self._parse_number(value)

    def _parse_bool(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
        raise CatalogError(f"“{self.label}” must be on or off; it was {value!r}.")

    def _parse_number(self, value: Any) -> int | float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise CatalogError(f"“{self.label}” must be a number; it was {value!r}.") from None
        if isinstance(value, bool) or not math.isfinite(number):
            raise CatalogError(f"“{self.label}” must be a number; it was {value!r}.")
        if self.kind == "int" and number != int(number):
            raise CatalogError(f"“{self.label}” must be a whole number; it was {value!r}.")
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= number <= high:
            raise CatalogError(f"“{self.label}” must be between {low:g} and {high:g}; it was {number:g}.")
        return int(number) if self.kind == "int" else number


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a model comes from."""

    authors: str
    title: str
    year: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as callers see it.

    `factory` is ``module:callable``; the callable takes ``(entry, device)`` and returns an
    `inpainting.models.base.FillModel`. `weights` names safetensors files inside `WEIGHTS_DIR`: a model whose
    files are missing is *untrained* and is offered only on explicit request.
    """

    key: str
    title: str
    summary: str
    cost: Cost
    factory: str
    paper: Paper | None = None
    params: tuple[Param, ...] = ()
    weights: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    needs_torch: bool = True
    """Whether running it takes PyTorch (and may use a CUDA device)."""
    order: int = 100
    """Position in lists, best first."""

    @property
    def trained(self) -> bool:
        """Whether every weights file this model needs is there."""
        return all((WEIGHTS_DIR / name).is_file() for name in self.weights)

    def parse_params(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """All parameters with defaults filled in; raise `CatalogError` for unknown names and bad values."""
        given = dict(given or {})
        known = {param.name: param for param in self.params}
        unknown = sorted(set(given) - set(known))
        if unknown:
            offered = ", ".join(sorted(known)) or "none"
            raise CatalogError(f"{self.title} has no parameter {', '.join(unknown)}. It has: {offered}.")
        return {name: param.parse(given[name]) if name in given else param.default for name, param in known.items()}
