"""Early warnings: what usually goes wrong in adversarial training, noticed while it happens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from inpainting.training.recipe import Losses

_PATIENCE = 500
_SMOOTHING = 0.98


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a person should know."""

    sentence: str
    fatal: bool = False


@dataclass(slots=True)
class Watch:
    """Looks at the losses of every step.

    Recipes report ``spread_fill`` and ``spread_truth`` (standard deviation between the pictures of a batch, inside
    the hole) and, for each critic, a loss whose name starts with ``critic``; its value is near 0 when the critic
    tells real from filled without effort.
    """

    _smooth: dict[str, float] = field(default_factory=dict)
    _since: dict[str, int] = field(default_factory=dict)

    def look(self, losses: Losses, step: int) -> Alarm | None:
        """An alarm when one is due; each kind is repeated at most every 500 steps."""
        for name, value in losses.items():
            if not math.isfinite(value):
                return Alarm(f"the loss {name} is {value}.", fatal=True)
            self._smooth[name] = _SMOOTHING * self._smooth.get(name, value) + (1 - _SMOOTHING) * value
        for name, value in self._smooth.items():
            winning = name.startswith("critic") and value < 0.05
            if self._lasting(name, winning, step):
                return Alarm(f"{name} has been under 0.05 for {_PATIENCE} steps; the critic is winning.")
        truth, fill = self._smooth.get("spread_truth", 0.0), self._smooth.get("spread_fill", 0.0)
        if self._lasting("spread", truth > 0 and fill < 0.2 * truth, step):
            return Alarm("all fills look alike (their spread is under a fifth of the photos'); the model collapses.")
        return None

    def _lasting(self, kind: str, bad: bool, step: int) -> bool:
        if not bad:
            self._since.pop(kind, None)
            return False
        first = self._since.setdefault(kind, step)
        if step - first < _PATIENCE:
            return False
        self._since[kind] = step
        return True
