"""Weights files: what is accepted, and the sentence for everything else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from inpainting.models.base import FillError
from inpainting.weights.loading import CHECKSUMS, WeightsError, load_into, read_weights, write_weights


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    torch.manual_seed(0)
    write_weights(path, nn.BatchNorm2d(4).state_dict(), {"model": "net", "note": "größer"})
    return path


def test_what_is_written_is_read(saved: Path) -> None:
    weights = read_weights(saved)
    assert weights.metadata == {"model": "net", "note": "größer"}
    assert weights.sha256 == json.loads((saved.parent / CHECKSUMS).read_text())["net.safetensors"]
    assert weights.tensors["weight"].dtype == torch.float32
    assert weights.tensors["num_batches_tracked"].dtype == torch.int64
    load_into(nn.BatchNorm2d(4), weights)


def test_files_hold_half_precision(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    layer = nn.Linear(64, 64)
    write_weights(path, layer.state_dict(), {})
    assert path.stat().st_size < 64 * 65 * 2 + 500
    weights = read_weights(path)
    assert torch.equal(weights.tensors["weight"], layer.weight.half().float())


def test_checksums_of_other_files_are_kept(saved: Path) -> None:
    write_weights(saved.with_name("other.safetensors"), nn.Linear(2, 2).state_dict(), {})
    assert set(json.loads((saved.parent / CHECKSUMS).read_text())) == {"net.safetensors", "other.safetensors"}
    read_weights(saved)


def test_a_changed_file_is_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    with pytest.raises(WeightsError, match=r"net\.safetensors is damaged or was changed"):
        read_weights(saved)


def test_a_file_without_a_checksum_is_refused(saved: Path) -> None:
    (saved.parent / CHECKSUMS).unlink()
    with pytest.raises(WeightsError, match="has no checksum"):
        read_weights(saved)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_pickle_is_refused(saved: Path, new_format: bool) -> None:
    torch.save({"weight": torch.zeros(2)}, saved, _use_new_zipfile_serialization=new_format)
    with pytest.raises(WeightsError, match="pickled checkpoint"):
        read_weights(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "[:12]])
def test_something_else_is_refused(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    (saved.parent / CHECKSUMS).write_text(json.dumps({saved.name: hashlib.sha256(content).hexdigest()}))
    with pytest.raises(WeightsError, match="is not a safetensors file"):
        read_weights(saved)


@pytest.mark.parametrize("sums", ["[]", "not json"])
def test_broken_checksums_are_named(saved: Path, sums: str) -> None:
    (saved.parent / CHECKSUMS).write_text(sums)
    with pytest.raises(WeightsError, match=r"checksums\.json beside the weights"):
        read_weights(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FillError, match=r"gone\.safetensors cannot be read"):
        read_weights(tmp_path / "gone.safetensors")


def test_wrong_shapes_and_names_are_refused(saved: Path) -> None:
    weights = read_weights(saved)
    with pytest.raises(WeightsError, match="another network: weight is 4 instead of 5"):
        load_into(nn.BatchNorm2d(5), weights)
    with pytest.raises(WeightsError, match="it has num_batches_tracked, which"):
        load_into(nn.LayerNorm(4), weights)
    with pytest.raises(WeightsError, match=r"it lacks 0\.bias"):
        load_into(nn.Sequential(nn.BatchNorm2d(4)), weights)


def test_values_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(WeightsError, match="weight has values that are not finite"):
        write_weights(path, {"weight": torch.tensor([1e6])}, {})
    assert not path.exists()
