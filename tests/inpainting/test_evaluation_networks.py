"""Distances seen by networks: EfficientNet-Lite0's own, and LPIPS and FID with weights that are there or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.backbones.efficientnet_lite import BackboneError, EfficientNetLite0
from inpainting.backbones.vgg import VGG, layers_up_to
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.inception import (
    Inception,
    add_inception_file,
    load_inception,
    resized,
    wanted_tensors,
)
from inpainting.evaluation.lpips import CHANNELS, LPIPS, TAPS, add_lpips_file
from inpainting.weights.loading import write_weights
from tests.inpainting.test_evaluation_metrics import pair


def random_vgg_state(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for layer in layers_up_to(16, TAPS):
        if layer.kind == "conv":
            weight = torch.randn(layer.outputs, layer.inputs, 3, 3, generator=generator)
            state[f"features.{layer.index}.weight"] = weight * (2 / (9 * layer.inputs)) ** 0.5
            state[f"features.{layer.index}.bias"] = torch.zeros(layer.outputs)
    return state


def random_heads(seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1, generator=generator) for n, c in enumerate(CHANNELS)}


def random_inception_state(seed: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in wanted_tensors().items():
        value = torch.rand(shape, generator=generator)
        if name.endswith("conv.weight"):
            value = (value - 0.5) * (12 / shape[1] / shape[2] / shape[3]) ** 0.5
        state[name] = value + 0.5 if name.endswith("var") else value
    return state


def test_the_lite0_distance_is_the_one_that_is_defined() -> None:
    truth, result, hole = pair(128, 160)
    viewer = Viewer(published=False)
    network = EfficientNetLite0(("b1", "b3", "b5"))

    def features(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[Tensor]:
        return network(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1)

    gaps = [
        float((F.normalize(one, dim=1) - F.normalize(other, dim=1)).square().sum(1).mean())
        for one, other in zip(features(truth), features(result), strict=True)
    ]
    looked = viewer.look(result, viewer.see(truth, hole))
    assert looked.lite0_distance == pytest.approx(100 * sum(gaps) / 3, rel=1e-4)
    assert viewer.look(truth, viewer.see(truth, hole)).lite0_distance == pytest.approx(0.0, abs=1e-9)


def test_patches_are_those_that_are_at_least_half_hole() -> None:
    truth, result, _ = pair(128, 160)
    hole = np.zeros((128, 160), np.bool_)
    hole[32:64, 32:96] = True  # two whole patches
    hole[64:80, 32:64] = True  # half of one
    hole[0:15, 0:32] = True  # less than half of one
    viewer = Viewer(published=False)
    seen = viewer.see(truth, hole)
    looked = viewer.look(result, seen)
    assert seen.cells.shape == looked.cells.shape == (3, 240)
    feature = EfficientNetLite0(("b5",))(torch.from_numpy(truth).permute(2, 0, 1)[None].float() / 127.5 - 1)[0]
    wanted = feature[0, :, 4:8, 4:8].mean((1, 2)).numpy()
    assert seen.cells[0] == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_tiles_without_hole_are_not_looked_at_and_large_photos_are_tiled() -> None:
    truth = np.random.default_rng(0).integers(0, 256, (600, 540, 3), dtype=np.uint8)
    hole = np.zeros((600, 540), np.bool_)
    hole[560:590, 10:40] = True
    seen = Viewer(published=False).see(truth, hole)
    # 540 px leave a rest of 28, which joins its neighbour; 600 leave one of 88, which is a tile of its own.
    assert list(seen.tiles) == [(512, 0)]


def test_lpips_is_the_formula_of_the_paper() -> None:
    state, heads = random_vgg_state(), random_heads()
    network = LPIPS(VGG(16, TAPS, state), list(heads.values()))
    generator = torch.Generator().manual_seed(5)
    one, other = (torch.rand(1, 3, 64, 48, generator=generator) * 2 - 1 for _ in range(2))

    def taps(photo: Tensor) -> list[Tensor]:
        """VGG-16 written out from torchvision's numbering: convolutions, ReLU after each, pooling between stages."""
        value = (photo - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)) / torch.tensor(
            [0.458, 0.448, 0.450]
        ).view(1, 3, 1, 1)
        found = []
        for indices in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
            for index in indices:
                value = F.relu(
                    F.conv2d(value, state[f"features.{index}.weight"], state[f"features.{index}.bias"], padding=1)
                )
            found.append(F.normalize(value, dim=1))
            value = F.max_pool2d(value, 2)
        return found

    wanted = sum(
        float(F.conv2d((a - b) ** 2, head).mean())
        for a, b, head in zip(taps(one), taps(other), heads.values(), strict=True)
    )
    with torch.no_grad():
        found = network.distance(network.features(one), network.features(other))
    assert found == pytest.approx(wanted, rel=1e-4)
    with pytest.raises(ValueError, match="16 px"):
        network.features(one[..., :8, :8])


def test_published_measures_say_what_is_missing_and_appear_once_the_weights_are_there(tmp_path: Path) -> None:
    absent = Viewer(folder=tmp_path)
    assert set(absent.missing) == {"lpips", "fid"}
    assert "weights add inception FILE" in absent.missing["fid"]
    torch.save(random_heads(), tmp_path / "vgg.pth")
    torch.save(random_inception_state(), tmp_path / "pt_inception.pth")
    write_weights(tmp_path / "vgg16.safetensors", random_vgg_state(), {"model": "vgg16"})
    with pytest.raises(BackboneError, match="not the known file of LPIPS"):
        add_lpips_file(tmp_path / "vgg.pth", tmp_path)
    with pytest.raises(BackboneError, match="not the known file of FID"):
        add_inception_file(tmp_path / "pt_inception.pth", tmp_path)
    add_lpips_file(tmp_path / "vgg.pth", tmp_path, allow_unverified=True)
    add_inception_file(tmp_path / "pt_inception.pth", tmp_path, allow_unverified=True)
    viewer = Viewer(folder=tmp_path)
    assert viewer.missing == {}
    assert set(viewer.checksums) == {"vgg16.safetensors", "lpips.safetensors", "inception.safetensors"}
    truth, result, hole = pair(64, 64)
    looked = viewer.look(result, viewer.see(truth, hole))
    assert looked.lpips is not None
    assert looked.lpips > 0
    assert looked.inception is not None
    assert looked.inception.shape == (1, 2048)


@pytest.mark.parametrize("content", [b"not a file of weights", b""])
def test_files_that_are_no_weights_get_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(BackboneError, match="not a file of plain weights"):
        add_lpips_file(tmp_path / "broken.pth", tmp_path, allow_unverified=True)
    with pytest.raises(BackboneError, match="cannot be read"):
        add_inception_file(tmp_path / "absent.pth", tmp_path)
    torch.save({"lin0.model.1.weight": torch.zeros(1, 3, 1, 1)}, tmp_path / "other.pth")
    with pytest.raises(BackboneError, match="no usable head 0 of 64 channels"):
        add_lpips_file(tmp_path / "other.pth", tmp_path, allow_unverified=True)


def test_inception_has_the_published_shapes_and_folds_its_normalisation(tmp_path: Path) -> None:
    shapes = wanted_tensors()
    # 94 convolutions; with the classifier of 1008 classes the published file has 23.9 million numbers.
    assert sum(name.endswith("conv.weight") for name in shapes) == 94
    assert sum(int(np.prod(shape)) for shape in shapes.values()) + 2049 * 1008 == pytest.approx(23.9e6, rel=2e-3)
    state = random_inception_state()
    write_weights(tmp_path / "inception.safetensors", state, {}, dtype=torch.float32)
    network, _ = load_inception(tmp_path)
    photo = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0)) * 255
    with torch.no_grad():
        found = network(photo)
        stem = F.conv2d((resized(photo, 299) - 128) / 128, state["Conv2d_1a_3x3.conv.weight"], stride=2)
        norm = [state[f"Conv2d_1a_3x3.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        wanted = F.relu(F.batch_norm(stem, *norm, eps=1e-3))
        first = network._stem[0]
        assert first is not None
        folded = network._pass((resized(photo, 299) - 128) / 128, [first])
    assert found.shape == (1, 2048)
    assert torch.allclose(folded, wanted, atol=1e-4)
    with pytest.raises(BackboneError, match=r"no usable Mixed_6c"):
        Inception({name: tensor for name, tensor in state.items() if "Mixed_6c" not in name})


def test_resizing_takes_places_as_tensorflow_1_does() -> None:
    row = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert resized(row, 8)[0, 0, 0].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]
    assert resized(row, 2)[0, 0, 0].tolist() == [0.0, 2.0]
