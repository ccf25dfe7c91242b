"""The joint objective of one scale, eq. (1): content, texture and variation of the hole's pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG
from inpainting.layers.neural_patches import PatchTargets, hole_positions, key_positions, nearest_patches, patches_at, agree
from inpainting.layers.regional_features import RegionalFeatures, Window
from inpainting.models.mnps.pyramid import Scale

STRIDES: Mapping[str, int] = {"relu1_1": 1, "relu2_1": 2, "relu3_1": 4, "relu4_1": 8, "relu4_2": 8}
CONTENT_TAP = "relu4_2"
"""Where the ``feature`` content term compares."""
TEXTURE_SHARE = 0.1
VARIATION_SHARE = 0.01
_TINY = 1e-8

ContentTerm = Literal["pixel", "feature"]


@dataclass(frozen=True, slots=True)
class EnergySettings:
    """What the objective is made of."""

    taps: tuple[str, ...] = ("relu3_1", "relu4_1")
    """Layers of the texture term."""
    strength: float = 1.0
    """Factor on the texture term."""
    content: ContentTerm = "pixel"
    texture_share: float = TEXTURE_SHARE
    variation_share: float = VARIATION_SHARE
    centred: bool = True
    coherence: float = 0.0
    sweeps: int = 8


class _TextureTap:
    """The texture term of one layer."""

    def __init__(self, features: Tensor, scale: Scale, stride: int) -> None:
        """`features` (1, C, h, w) are those of the whole photo with its first guess."""
        holes = hole_positions(scale.hole, stride)
        self.stride = stride
        self.keys = key_positions(holes, scale.positions_off_photo(stride))
        self.queries = holes.nonzero()
        everything = Window(0, 0, *holes.shape)
        self.window = Window.around(holes).grown(1).within(everything)
        self.nearest: Tensor | None = None
        self.targets: PatchTargets | None = None

    def learn(self, features: Tensor, centred: bool) -> None:
        """Take the known region's features, scaled to a mean of 1."""
        self.unit = 1.0 / features.abs().mean().clamp_min(_TINY)
        self.known = features * self.unit
        self.centre = self.known.mean((0, 2, 3)) if centred else None

    def match(self, features: Tensor, on_block: Callable[[], None], settings, soft: Tensor | None = None) -> None:
        """Look for every query's nearest neighbour, eq. (4), with the features as they are now over `window`."""
        local = self.queries - self.queries.new_tensor([self.window.top, self.window.left])
        if soft is None:
            keys = self.known
            queries = patches_at(features * self.unit, local)
        else:
            keys = soft * self.unit
            queries = patches_at(keys, self.queries)
        self.nearest, self.scores = nearest_patches(
            queries, keys, self.keys, centre=self.centre, on_block=on_block
        )
        if settings.coherence > 0:
            self.nearest, self.scores = agree(queries, self.queries, keys, self.keys, self.nearest, weight=settings.coherence, centre=self.centre, sweeps=settings.sweeps)
        width = self.keys.shape[1]
        places = torch.stack([self.nearest // width, self.nearest % width], dim=1)
        self.targets = PatchTargets(patches_at(self.known, places), self.queries, self.window)

    def energy(self, features: Tensor) -> Tensor:
        assert self.targets is not None
        return self.targets(features * self.unit)


class ScaleEnergy:
    """E = E_c + α E_t + β Υ of the hole's pixels at one scale.

    Variables are (1, 3, n): the n hole pixels, row by row, in [0, 1].
    """

    def __init__(self, network: VGG, scale: Scale, guess: Tensor, settings: EnergySettings) -> None:
        self.scale, self.settings = scale, settings
        everything = Window(0, 0, *scale.hole.shape)
        # One pixel more than the hole, for differences across its edge.
        self.window = Window.around(scale.hole).grown(1).within(everything)
        rows, columns = self.window.slices
        inside = scale.hole[rows, columns]
        self._places = inside.flatten().nonzero().squeeze(1)
        start = scale.with_fill(guess)
        self._frame = start[..., rows, columns].contiguous()
        self.content = self._frame.flatten(2)[..., self._places]
        taps = {name: _TextureTap(start, scale, STRIDES[name]) for name in settings.taps}
        self.taps = {name: tap for name, tap in taps.items() if bool(tap.keys.any())}
        wanted = {name: tap.window for name, tap in self.taps.items()}
        if settings.content == "feature":
            holes = hole_positions(scale.hole, STRIDES[CONTENT_TAP])
            self._content_window = Window.around(holes)
            wanted[CONTENT_TAP] = self._content_window
            self._content_holes = holes[self._content_window.slices]
        self._pairs_down = (inside[1:] | inside[:-1]).float()
        self._pairs_right = (inside[:, 1:] | inside[:, :-1]).float()
        known = start[..., ~scale.hole]
        self.spread = float(known.var(unbiased=False).clamp_min(1e-4))
        self.alpha = self.beta = 0.0
        self.features = RegionalFeatures(network, start, self.window, wanted) if wanted else None
        if self.features is None:
            return
        for name, tap in self.taps.items():
            tap.learn(self.features.known[name], settings.centred)
        if settings.content == "feature":
            mine = self.features.known[CONTENT_TAP]
            self._content_scale = self.spread / float(mine.var().clamp_min(_TINY))
            self._content_features = mine[(..., *self._content_window.slices)]

    @property
    def start(self) -> Tensor:
        return self.content.clone()

    def picture(self, variables: Tensor) -> Tensor:
        """The whole padded photo with the variables in its hole."""
        fill = torch.zeros_like(self.scale.photo)
        fill[(..., *self.window.slices)] = self._window_of(variables)
        return self.scale.with_fill(fill)

    @torch.no_grad()
    def match(self, variables: Tensor, on_block: Callable[[], None] = lambda: None, soft=None) -> None:
        """Renew the nearest neighbours; the first time also choose α and β."""
        if self.features is None:
            return
        found = self.features(self._window_of(variables))
        for name, tap in self.taps.items():
            tap.match(found[name], on_block, self.settings, None if soft is None else soft[name])
        if self.alpha == 0.0 and self.settings.strength > 0:
            texture = float(sum(tap.energy(found[name]) for name, tap in self.taps.items()))
            self.alpha = self.settings.strength * self.settings.texture_share * self.spread / max(texture, _TINY)
            self.beta = self.settings.variation_share * self.spread / max(self._natural_variation(), _TINY)

    def terms(self, variables: Tensor) -> dict[str, Tensor]:
        """The weighted terms: content E_c, texture α E_t, variation β Υ; scalars that add up to the objective."""
        window = self._window_of(variables)
        found = self.features(window) if self.features is not None else {}
        zero = variables.new_zeros(())
        texture = sum((tap.energy(found[name]) for name, tap in self.taps.items()), start=zero)
        if self.settings.content == "feature" and CONTENT_TAP in found:
            away = (found[CONTENT_TAP] - self._content_features).square().mean(1)[0]
            content = self._content_scale * (away * self._content_holes).sum() / self._content_holes.sum()
        else:
            content = (variables - self.content).square().mean()
        return {"content": content, "texture": self.alpha * texture, "variation": self.beta * self.variation(window)}

    def variation(self, window: Tensor) -> Tensor:
        """Υ: squared differences of neighbours of which at least one is in the hole, a hole pixel and channel."""
        down = (window[..., 1:, :] - window[..., :-1, :]).square() * self._pairs_down
        right = (window[..., 1:] - window[..., :-1]).square() * self._pairs_right
        return (down.sum() + right.sum()) / (3 * len(self._places))

    def _natural_variation(self) -> float:
        """What Υ would be if the hole were as rough as the known region."""
        photo, known = self.scale.photo, ~self.scale.hole
        down = (photo[..., 1:, :] - photo[..., :-1, :]).square()[..., known[1:] & known[:-1]]
        right = (photo[..., 1:] - photo[..., :-1]).square()[..., known[:, 1:] & known[:, :-1]]
        means = [float(pairs.mean()) for pairs in (down, right) if pairs.numel()]
        return sum(means)

    def _window_of(self, variables: Tensor) -> Tensor:
        window = self._frame.flatten(2).index_copy(2, self._places, variables)
        return window.view_as(self._frame)
