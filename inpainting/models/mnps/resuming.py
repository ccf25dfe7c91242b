"""How far the synthesis of one crop has got, as a state that another attempt can go on from."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from inpainting.checkpoints import ModelState
from inpainting.curves import LossCurves
from inpainting.layers.neural_patches import Nearest
from inpainting.models.mnps.synthesis import Reached

_PLACES, _SCORES = "places of ", "scores of "


@dataclass(frozen=True, slots=True)
class Start:
    """What a synthesis begins with."""

    guess: Tensor
    """(1, 3, h, w) in [0, 1]: the coarsest scale's first guess, without padding."""
    guesser: str
    """Who made it."""
    reached: Reached | None = None
    """Where an interrupted synthesis from this guess was."""
    curves: LossCurves = field(default_factory=LossCurves)
    """The course of its loss."""


def state_of(reached: Reached, start: Start, network: str) -> ModelState:
    """What to keep of a synthesis by the features of `network`."""
    facts = {
        "network": network,
        "guesser": start.guesser,
        "scale": reached.scale,
        "iteration": reached.iteration,
        "block": reached.block,
        "weights": reached.weights,
        "iterations": reached.iterations,
        "losses": reached.losses,
        "curves": start.curves.as_note(),
    }
    arrays = {"guess": start.guess, "variables": reached.variables, "content": reached.content}
    arrays |= {f"{_PLACES}{name}": nearest.places.int() for name, nearest in reached.matches.items()}
    arrays |= {f"{_SCORES}{name}": nearest.scores for name, nearest in reached.matches.items()}
    return ModelState(facts, {name: tensor.detach().cpu().numpy() for name, tensor in arrays.items()})


def start_from(state: ModelState, network: str, device: str) -> Start | None:
    """The start that `state_of` kept; ``None`` when it was of another network."""
    facts = state.facts
    if facts["network"] != network:
        return None
    tensors = {name: torch.from_numpy(array).to(device) for name, array in state.arrays.items()}
    layers = [name.removeprefix(_PLACES) for name in tensors if name.startswith(_PLACES)]
    reached = Reached(
        scale=facts["scale"],
        iteration=facts["iteration"],
        variables=tensors["variables"],
        content=tensors["content"],
        block=facts["block"],
        matches={name: Nearest(tensors[_PLACES + name].long(), tensors[_SCORES + name]) for name in layers},
        weights=(facts["weights"][0], facts["weights"][1]),
        iterations=tuple(facts["iterations"]),
        losses=tuple(tuple(values) for values in facts["losses"]),
    )
    return Start(tensors["guess"], facts["guesser"], reached, LossCurves(facts["curves"]))
