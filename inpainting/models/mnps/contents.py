"""The first guess of the hole at the coarsest scale, eq. (1)'s h: from the content network or from another model."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.catalog import CONTENT_CHOICES, CONTENT_WEIGHTS, WEIGHTS_DIR, available_contents, get_entry
from inpainting.layers.context_encoder import (
    INPUT_SIDE,
    MEAN_COLOUR,
    OUTPUT_SIDE,
    RIM,
    ContextEncoder,
    build_context_encoder,
)
from inpainting.layers.regional_features import Window
from inpainting.models.base import FillError, FillInput, FillModel, FloatImage, Step, StepCallback
from inpainting.models.mnps.pyramid import Scale, reduced_to
from inpainting.weights.loading import WeightsError, load_into, read_weights

NETWORK = "network"
FEED_FORWARD_SIDE = 512
"""Trained models guess at the finest scale of at most this side, which they know; the others at the coarsest."""
INNER_SIDE = OUTPUT_SIDE - 2 * RIM
"""Side of the square, in the network's pixels, that the hole is brought into."""


def pick_content(wanted: str) -> str:
    """The content that ``auto`` stands for, or `wanted` itself; raise `FillError` when that is not there."""
    available = available_contents()
    if wanted == "auto":
        return available[0]
    if wanted not in CONTENT_CHOICES:
        raise FillError(f"There is no content {wanted!r}. There is: {', '.join(available)}.")
    if wanted not in available:
        what = "The content network" if wanted == NETWORK else get_entry(wanted).title
        raise FillError(
            f"{what} has not been trained yet, so it cannot make the content. Use {' or '.join(available)}."
        )
    return wanted


class Contents:
    """Makes first guesses; models and the network are loaded when they are first asked for."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._models: dict[str, FillModel] = {}
        self._network: ContextEncoder | None = None
        self._origin = ""

    def guess(self, content: str, scales: list[Scale], *, seed: int, on_step: StepCallback) -> tuple[Tensor, str]:
        """The coarsest scale filled by `content`, and who that was.

        Returns:
            (1, 3, h, w) in [0, 1], the coarsest of `scales` without padding and with its known pixels; and a note.
        """
        if content == NETWORK:
            network = self._loaded_network()
            on_step(Step("Guessing the content", 0.0))
            return predict_hole(network, scales[0]), self._origin
        entry = get_entry(content)
        fits = [number for number, scale in enumerate(scales) if max(scale.size) <= FEED_FORWARD_SIDE]
        number = max(fits, default=0) if entry.weights else 0
        scale = scales[number]
        job = FillInput(
            image=_to_array(scale.without_padding(scale.photo)),
            mask=scale.without_padding(scale.hole).cpu().numpy(),
            params=entry.parse_params({}),
            seed=seed,
            on_step=lambda step: on_step(replace(step, stage=f"Guessing the content with {entry.title}", preview=None)),
        )
        filled = torch.from_numpy(self._loaded_model(content).fill(job).image).permute(2, 0, 1)[None]
        hole = scale.without_padding(scale.hole)
        picture = torch.where(hole, filled.to(scale.photo).clamp(0.0, 1.0), scale.without_padding(scale.photo))
        return reduced_to(picture, number), content

    def _loaded_model(self, key: str) -> FillModel:
        if key not in self._models:
            entry = get_entry(key)
            module, name = entry.factory.split(":")
            factory: Callable[..., FillModel] = getattr(importlib.import_module(module), name)
            self._models[key] = factory(entry, self._device if entry.needs_torch else "cpu")
        return self._models[key]

    def _loaded_network(self) -> ContextEncoder:
        if self._network is None:
            weights = read_weights(WEIGHTS_DIR / CONTENT_WEIGHTS, device=self._device)
            if weights.metadata.get("model") != "mnps":
                raise WeightsError(f"{CONTENT_WEIGHTS} was not made for the content network.")
            try:
                network = build_context_encoder(weights.metadata.get("size", "unnamed"))
            except ValueError as error:
                raise WeightsError(str(error)) from None
            load_into(network, weights)
            self._network = network.to(self._device).eval().requires_grad_(False)
            self._origin = f"{NETWORK} ({weights.name} {weights.sha256[:8]})"
        return self._network


@torch.no_grad()
def predict_hole(network: ContextEncoder, scale: Scale) -> Tensor:
    """`scale` (without padding) with its hole filled by the content network, (1, 3, h, w) in [0, 1].

    The network predicts the centre of a square. So the hole's bounding box is put into the middle of a window, as in
    the paper; the window is enlarged where the box is wider than the square's inner part, and mirrored where it
    reaches beyond the photo. What else is missing in it gets the fill colour too.
    """
    photo, hole = scale.without_padding(scale.photo), scale.without_padding(scale.hole)
    box = Window.around(hole)
    zoom = max(1.0, max(box.size) / INNER_SIDE)
    side = round(INPUT_SIDE * zoom)
    top, left = (box.top + box.bottom - side) // 2, (box.left + box.right - side) // 2
    rows, columns = (
        _mirrored(torch.arange(start, start + side, device=photo.device), length)
        for start, length in zip((top, left), hole.shape, strict=True)
    )
    mean = photo.new_tensor(MEAN_COLOUR).div(255.0).view(1, 3, 1, 1)
    window = torch.where(hole, mean, photo)[..., rows[:, None], columns]
    context = F.interpolate(window, size=(INPUT_SIDE, INPUT_SIDE), mode="bilinear", antialias=True, align_corners=False)
    edge = (INPUT_SIDE - OUTPUT_SIDE) // 2
    inner = slice(edge + RIM, -edge - RIM)
    context[..., inner, inner] = mean
    square = (network(context * 2.0 - 1.0) + 1.0) / 2.0
    middle = round(OUTPUT_SIDE * zoom)
    square = F.interpolate(square, size=(middle, middle), mode="bilinear", align_corners=False).clamp(0.0, 1.0)
    # The whole window with the prediction in its middle, cut to the photo.
    offset = round(edge * zoom)
    filled = photo.clone()
    place = Window(top + offset, left + offset, top + offset + middle, left + offset + middle)
    shown = place.within(Window(0, 0, *hole.shape))
    filled[(..., *shown.slices)] = square[(..., *shown.inside(place))]
    return torch.where(hole, filled, photo)


def _mirrored(index: Tensor, length: int) -> Tensor:
    """`index` folded back into 0 … length - 1 at the edges, as often as it takes."""
    index = index.remainder(2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def _to_array(picture: Tensor) -> FloatImage:
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).float().cpu().numpy())
