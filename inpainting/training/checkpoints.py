"""Checkpoints without pickles: safetensors shards of bounded size and one JSON file.

A checkpoint is a folder. It is written beside its final name and moved there when complete, so a killed run leaves
the previous one whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

SHARD_BYTES = 15 * 1024 * 1024


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or of another run; the text is meant for people."""


def save_checkpoint(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write `tensors` and JSON-able `facts`, replacing what is at `folder`.

    Shards stay below 15 MiB unless a single tensor is larger.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shard: dict[str, Tensor] = {}
    size = number = 0
    for name, tensor in tensors.items():
        value = tensor.detach().to("cpu").contiguous().clone()
        nbytes = value.numel() * value.element_size()
        if shard and size + nbytes > SHARD_BYTES:
            save_file(shard, part / f"{number:03d}.safetensors")
            shard, size, number = {}, 0, number + 1
        shard[name] = value
        size += nbytes
    save_file(shard, part / f"{number:03d}.safetensors")
    (part / "state.json").write_text(json.dumps({**facts, "shards": number + 1}, indent=1), encoding="utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_checkpoint` wrote; raise `CheckpointError` with a sentence when it cannot be read."""
    if not folder.exists() and folder.with_name(folder.name + ".old").exists():
        folder = folder.with_name(folder.name + ".old")
    try:
        facts: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        tensors: dict[str, Tensor] = {}
        for number in range(facts["shards"]):
            tensors |= load_file(folder / f"{number:03d}.safetensors")
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no complete checkpoint in {folder}.") from error
    except Exception as error:
        raise CheckpointError(f"The checkpoint {folder} cannot be read: {error}.") from error
    return tensors, facts


def pack_modules(prefix: str, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of several modules as one flat mapping."""
    return {
        f"{prefix}/{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }


def unpack_modules(prefix: str, modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Undo `pack_modules`; raise `CheckpointError` when shapes or names differ."""
    for name, module in modules.items():
        head = f"{prefix}/{name}/"
        state = {key.removeprefix(head): value for key, value in tensors.items() if key.startswith(head)}
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(f"The checkpoint is of another network than {name}: {error}") from error


def pack_optimizer(name: str, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's tensors by name, and the numbers of its parameter groups."""
    state = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    for index, slots in state["state"].items():
        for slot, value in slots.items():
            tensors[f"optimizer/{name}/{index}/{slot}"] = torch.as_tensor(value)
    return tensors, {"groups": state["param_groups"]}


def unpack_optimizer(
    name: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Undo `pack_optimizer`."""
    head = f"optimizer/{name}/"
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(head):
            index, slot = key.removeprefix(head).split("/")
            state.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": state, "param_groups": facts["groups"]})
