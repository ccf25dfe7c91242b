"""Reading and writing weights: safetensors only, each file's sha256 recorded beside it in `checksums.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from inpainting.models.base import FillError

CHECKSUMS = "checksums.json"
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class WeightsError(FillError):
    """A weights file that is missing, damaged or made for another network; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The verified contents of one file."""

    name: str
    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    """What the training wrote down: model, size, switches, steps, data."""
    sha256: str


def read_weights(path: Path, *, device: str = "cpu") -> Weights:
    """Read `path` and check it against the checksum recorded beside it; raise `WeightsError` otherwise.

    Pickles are refused unread: they can run code. Half-precision tensors become float32 on the CPU, which has no
    fast half-precision convolution.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights file {path.name} cannot be read: {error.strerror}.") from None
    if data.startswith(_PICKLE_STARTS):
        raise WeightsError(f"{path.name} is a pickled checkpoint, which could run code; only safetensors are loaded.")
    sha256 = hashlib.sha256(data).hexdigest()
    _check_sum(path, sha256)
    try:
        tensors = load(data)
        metadata = _read_metadata(data)
    except (SafetensorError, ValueError):
        raise WeightsError(f"{path.name} is not a safetensors file.") from None
    return Weights(path.name, {name: _placed(tensor, device) for name, tensor in tensors.items()}, metadata, sha256)


def write_weights(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], *, dtype: torch.dtype = torch.float16
) -> str:
    """Write floating-point tensors as `dtype` and record the checksum beside the file; returns the sha256."""
    tensors = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in state.items()
    }
    broken = sorted(name for name, tensor in tensors.items() if not torch.isfinite(tensor).all())
    if broken:
        raise WeightsError(f"{path.name} was not written: {broken[0]} has values that are not finite.")
    data = save(tensors, metadata=dict(metadata))
    sha256 = hashlib.sha256(data).hexdigest()
    sums = _read_sums(path.parent) | {path.name: sha256}
    _replace(path, data)
    _replace(path.parent / CHECKSUMS, (json.dumps(sums, indent=2, sort_keys=True) + "\n").encode())
    return sha256


def load_into(network: nn.Module, weights: Weights) -> None:
    """Copy `weights` into `network`; raise `WeightsError` when names or shapes do not fit exactly."""
    wanted = network.state_dict()
    missing, extra = sorted(wanted.keys() - weights.tensors.keys()), sorted(weights.tensors.keys() - wanted.keys())
    if missing or extra:
        what = f"it lacks {missing[0]}" if missing else f"it has {extra[0]}, which the network does not know"
        raise WeightsError(f"{weights.name} was made for another network: {what}.")
    for name, tensor in wanted.items():
        shape = weights.tensors[name].shape
        if shape != tensor.shape:
            raise WeightsError(
                f"{weights.name} was made for another network: {name} is {_times(shape)} instead of "
                f"{_times(tensor.shape)}."
            )
    network.load_state_dict(weights.tensors)


def _check_sum(path: Path, sha256: str) -> None:
    recorded = _read_sums(path.parent).get(path.name)
    if recorded is None:
        raise WeightsError(f"{path.name} has no checksum in {CHECKSUMS}, so it cannot be trusted.")
    if recorded != sha256:
        raise WeightsError(f"{path.name} is damaged or was changed: its checksum is not the one in {CHECKSUMS}.")


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        sums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise WeightsError(f"{CHECKSUMS} beside the weights cannot be read.") from None
    if not isinstance(sums, dict):
        raise WeightsError(f"{CHECKSUMS} beside the weights is not a list of names and checksums.")
    return sums


def _read_metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return metadata


def _placed(tensor: Tensor, device: str) -> Tensor:
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.to(device, torch.float32 if half and torch.device(device).type == "cpu" else tensor.dtype)


def _replace(path: Path, data: bytes) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(data)
    beside.replace(path)


def _times(shape: torch.Size) -> str:
    return "×".join(map(str, shape)) or "a single number"
