"""How far the synthesis of one crop has got, as a state that another attempt can go on from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.checkpoints import ModelState
from inpainting.models.mnps.synthesis import Reached


@dataclass(frozen=True, slots=True)
class Start:
    """What a synthesis begins with."""

    guess: Tensor
    """(1, 3, h, w) in [0, 1]: the coarsest scale's first guess, without padding."""
    guesser: str
    """Who made it."""
    reached: Reached | None = None
    """Where an interrupted synthesis from this guess was."""


def state_of(reached: Reached, start: Start, network: str) -> ModelState:
    """What to keep of a synthesis by the features of `network`."""
    facts = {
        "network": network,
        "guesser": start.guesser,
        "scale": reached.scale,
        "iteration": reached.iteration,
        "weights": reached.weights,
        "iterations": reached.iterations,
        "losses": reached.losses,
    }
    arrays = {"guess": start.guess, "variables": reached.variables, "content": reached.content}
    return ModelState(facts, {name: _to_array(tensor) for name, tensor in arrays.items()})


def start_from(state: ModelState, network: str, device: str) -> Start | None:
    """The start that `state_of` kept; ``None`` when it was of another network."""
    facts = state.facts
    if facts["network"] != network:
        return None
    guess, variables, content = (
        torch.from_numpy(state.arrays[name]).to(device) for name in ("guess", "variables", "content")
    )
    reached = Reached(
        scale=facts["scale"],
        iteration=facts["iteration"],
        variables=variables,
        content=content,
        weights=(facts["weights"][0], facts["weights"][1]),
        iterations=tuple(facts["iterations"]),
        losses=tuple(tuple(values) for values in facts["losses"]),
    )
    return Start(guess, facts["guesser"], reached)


def _to_array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy()
