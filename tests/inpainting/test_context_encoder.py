"""MNPS's content network, and how holes of any shape are brought into its square."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inpainting import catalog
from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.layers.context_encoder import (
    INPUT_SIDE,
    MEAN_COLOUR,
    OUTPUT_SIDE,
    RIM,
    CentreCritic,
    ContextEncoder,
    blank_centre,
    build_context_encoder,
    centre,
    rim_weights,
)
from inpainting.models.mnps import contents
from inpainting.models.mnps.contents import predict_hole
from inpainting.models.mnps.pyramid import make_pyramid
from inpainting.weights.loading import write_weights
from tests.inpainting.pictures import texture


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Spy(nn.Module):
    """Stands where the network does: paints the square red and keeps what it was shown."""

    shown: Tensor

    def forward(self, context: Tensor) -> Tensor:
        self.shown = context
        red = context.new_tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1)
        return red.expand(len(context), 3, OUTPUT_SIDE, OUTPUT_SIDE)


@pytest.mark.parametrize(("size", "millions"), [("paper", 71.1), ("small", 3.50)])
def test_parameter_counts(size: str, millions: float) -> None:
    with torch.device("meta"):
        network = build_context_encoder(size)
    assert sum(each.numel() for each in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)


def test_shapes_and_range() -> None:
    network = ContextEncoder(8, 16)
    square = network(torch.rand(2, 3, INPUT_SIDE, INPUT_SIDE) * 2 - 1)
    assert square.shape == (2, 3, OUTPUT_SIDE, OUTPUT_SIDE)
    assert float(square.detach().abs().max()) <= 1.0
    assert CentreCritic(8)(square).shape == (2,)


def test_a_result_does_not_depend_on_the_batch() -> None:
    network = ContextEncoder(8, 16).eval()
    pictures = torch.rand(3, 3, INPUT_SIDE, INPUT_SIDE)
    with torch.no_grad():
        torch.testing.assert_close(network(pictures)[1:2], network(pictures[1:2]), rtol=1e-4, atol=1e-5)


def test_there_are_two_sizes() -> None:
    with pytest.raises(ValueError, match="paper and small"):
        build_context_encoder("huge")


def test_blanked_centre_keeps_a_rim_of_photo() -> None:
    pictures = torch.rand(2, 3, INPUT_SIDE, INPUT_SIDE)
    blanked = blank_centre(pictures)
    edge = (INPUT_SIDE - OUTPUT_SIDE) // 2
    changed = (blanked != pictures).any(1)[0]
    rows = changed.any(1).nonzero().squeeze(1)
    assert (int(rows[0]), int(rows[-1])) == (edge + RIM, INPUT_SIDE - edge - RIM - 1)
    mean = torch.tensor(MEAN_COLOUR) / 127.5 - 1
    torch.testing.assert_close(blanked[0, :, 64, 64], mean)
    assert torch.equal(centre(pictures), pictures[..., edge:-edge, edge:-edge])
    assert torch.equal(centre(blanked)[..., :RIM, :], centre(pictures)[..., :RIM, :])


def test_rim_counts_ten_times() -> None:
    weights = rim_weights(torch.device("cpu"))[0, 0]
    assert weights.shape == (OUTPUT_SIDE, OUTPUT_SIDE)
    assert set(weights.flatten().tolist()) == {1.0, 10.0}
    assert int((weights == 1.0).sum()) == (OUTPUT_SIDE - 2 * RIM) ** 2


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((128, 128), (36, 36, 92, 92)),
        ((128, 97), (0, 0, 20, 30)),
        ((90, 128), (60, 100, 90, 128)),
        ((120, 128), (10, 5, 110, 120)),
        ((30, 40), (10, 10, 11, 11)),
    ],
)
def test_holes_anywhere_come_into_the_square(size: tuple[int, int], box: tuple[int, int, int, int]) -> None:
    hole = torch.zeros(size, dtype=torch.bool)
    hole[box[0] : box[2], box[1] : box[3]] = True
    (scale,) = make_pyramid(torch.full((1, 3, *size), 0.75), hole)
    spy = Spy()
    filled = predict_hole(spy, scale)  # type: ignore[arg-type]
    assert filled.shape == (1, 3, *size)
    assert bool((filled[..., ~hole] == 0.75).all())
    torch.testing.assert_close(filled[..., hole].mean(2)[0], torch.tensor([1.0, 0.0, 0.0]))
    assert spy.shown.shape == (1, 3, INPUT_SIDE, INPUT_SIDE)
    # All that is missing is in the fill colour, and what is known is there around it.
    red, fill = spy.shown[0, 0], MEAN_COLOUR[0] / 127.5 - 1
    assert float(red[64, 64]) == pytest.approx(fill, abs=1e-4)
    assert float(red.max()) == pytest.approx(0.5, abs=1e-3)
    assert float(red.min()) == pytest.approx(fill, abs=1e-3)


def test_the_network_makes_the_content_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    write_weights(
        tmp_path / "mnps.safetensors",
        build_context_encoder("small").state_dict(),
        {"model": "mnps", "size": "small"},
    )
    monkeypatch.setattr(catalog, "WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr(contents, "WEIGHTS_DIR", tmp_path)
    (entry,) = catalog.offer_contents((catalog.get_entry("mnps"),))
    monkeypatch.setitem(catalog._BY_KEY, "mnps", entry)
    mask = np.zeros((100, 100), np.bool_)
    mask[40:60, 30:55] = True
    params = {"content": "network", "iterations": 2, "rematch": 2}
    result = Engine("cpu").fill(Photo(texture(100, 100)), mask, model="mnps", params=params)
    assert str(result.notes["content"]).startswith("network (mnps.safetensors ")
    assert result.proof["changed_pixels"] == 0
