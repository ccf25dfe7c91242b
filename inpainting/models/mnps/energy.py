"""The joint objective of one scale, eq. (1): content, texture and variation of the hole's pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG
from inpainting.layers.neural_patches import Measure, Nearest, hole_positions
from inpainting.layers.regional_features import RegionalFeatures, Window
from inpainting.models.mnps.pyramid import Scale
from inpainting.models.mnps.texture import LEADER, RIM, SEARCHED, TAPS, Layers, texture_taps
from inpainting.models.mnps.views import UPRIGHT, View

ContentTerm = Literal["pixel", "feature"]
CONTENT_TAP = "relu4_2"
"""Where the ``feature`` content term compares, as the published code does."""
_CONTENT_STRIDE = 8
TEXTURE_SHARE = 10.0
"""α makes the texture term this many times the known pixels' variance when a scale begins."""
VARIATION_SHARE = 0.1
"""β makes the variation term this share of that variance for a hole as rough as the known region."""
COHERENCE = 0.2
"""How much agreement with all its neighbours is worth to a patch, in correlation."""
_TINY = 1e-12
_LEAST_SPREAD = 1e-4


@dataclass(frozen=True, slots=True)
class EnergySettings:
    """What the objective is made of."""

    layers: Layers = "fine"
    strength: float = 1.0
    """Factor on α; 0 leaves out texture and variation, so that the content is the optimum."""
    content: ContentTerm = "pixel"
    coherence: float = COHERENCE
    """0 for the paper's independent nearest neighbours."""
    rim: int = RIM
    """Feature positions beyond the hole's own that look for a match too; 0 for the paper's R^φ."""
    measure: Measure = "distance"
    """What chooses the nearest neighbours; the pull towards them is always L2."""
    views: tuple[View, ...] = UPRIGHT
    """Copies of the photo that texture may come from; the plain one first."""

    @property
    def network_taps(self) -> tuple[str, ...]:
        """The layers of the backbone that are looked at."""
        return (*TAPS[self.layers], *((CONTENT_TAP,) if self.content == "feature" else ()))


class ScaleEnergy:
    """E = E_c + α E_t + β Υ of the hole's pixels at one scale.

    Variables are (1, 3, n) in [0, 1]: the n hole pixels, row by row. Nothing but the hole can change.

    Args:
        network: has at least `settings.network_taps`.
        scale: the crop.
        guess: (1, 3, H, W) in [0, 1]: the content y in the hole, which is also the start.
    """

    def __init__(self, network: VGG, scale: Scale, guess: Tensor, settings: EnergySettings) -> None:
        self.scale, self.settings, self._network = scale, settings, network
        # One pixel more than the hole, for differences across its edge.
        self.window = Window.around(scale.hole).grown(1).within(Window(0, 0, *scale.hole.shape))
        inside = scale.hole[self.window.slices]
        self._places = inside.flatten().nonzero().squeeze(1)
        self._pairs_down = (inside[1:] | inside[:-1]).float()
        self._pairs_right = (inside[:, 1:] | inside[:, :-1]).float()
        start = scale.with_fill(guess.clamp(0.0, 1.0))
        self._frame = start[(..., *self.window.slices)].contiguous()
        self.content = self._frame.flatten(2)[..., self._places]
        """y of eq. (1), as variables."""
        self.spread = max(float(start[..., ~scale.hole].var(unbiased=False)), _LEAST_SPREAD)
        self.alpha = self.beta = 0.0
        self.taps = texture_taps(settings.layers, scale, settings.views, settings.rim)
        self._features = self._look_at(start) if self.taps else None

    def match(
        self, variables: Tensor, *, soft: Tensor | None = None, on_block: Callable[[], None] | None = None
    ) -> None:
        """Renew the nearest neighbours; the first time also choose α and β.

        `soft` (1, 3, H, W) is the whole picture at the hole's present sharpness: an enlarged coarser result. Without it
        soft hole patches would be compared with sharp ones, and would find the blurred parts of the photo.
        """
        if self._features is None:
            return
        with torch.no_grad():
            found = self._features(self._window_of(variables))
            blurred = None if soft is None else self._maps(soft, SEARCHED)
            for name in (name for name in SEARCHED if name in self.taps):
                maps = None if blurred is None else blurred[name]
                self.taps[name].match(found[name], self.settings.coherence, self.settings.measure, on_block, maps)
            for name in (name for name in self.taps if name not in SEARCHED):
                self.taps[name].follow(self.taps[LEADER])
            if self.alpha == 0.0 and self.settings.strength > 0:
                texture = float(sum(tap.energy(found[name]) for name, tap in self.taps.items()))
                if texture > 0:
                    self.alpha = self.settings.strength * TEXTURE_SHARE * self.spread / texture
                self.beta = VARIATION_SHARE * self.spread / max(self._natural_variation(), _TINY)

    @property
    def matches(self) -> dict[str, Nearest]:
        """The nearest neighbours on the layers that are searched; empty before the first search."""
        taps = {name: tap for name, tap in self.taps.items() if name in SEARCHED}
        return {name: tap.nearest for name, tap in taps.items() if tap.nearest is not None}

    def take_matches(self, matches: Mapping[str, Nearest]) -> None:
        """Use nearest neighbours that were found before for this very scale."""
        for name, nearest in matches.items():
            self.taps[name].aim(nearest)
        for name in (name for name in self.taps if name not in SEARCHED):
            self.taps[name].follow(self.taps[LEADER])

    def terms(self, variables: Tensor) -> dict[str, Tensor]:
        """The weighted terms E_c, α E_t and β Υ, scalars that add up to the objective. Differentiable."""
        window = self._window_of(variables)
        found = {} if self._features is None else self._features(window)
        zero = variables.new_zeros(())
        texture = sum((tap.energy(found[name]) for name, tap in self.taps.items()), start=zero)
        return {
            "content": self._content_term(variables, found.get(CONTENT_TAP)),
            "texture": self.alpha * texture,
            "variation": self.beta * self.variation(window),
        }

    def picture(self, variables: Tensor) -> Tensor:
        """The padded photo (1, 3, H, W) with the variables in its hole."""
        whole = self.scale.photo.clone()
        whole[(..., *self.window.slices)] = self._window_of(variables)
        return whole

    def variation(self, window: Tensor) -> Tensor:
        """Υ: squared differences of neighbours of which at least one is in the hole, a hole pixel and channel.

        `window` is (1, 3, h, w), what `self.window` shows.
        """
        down = (window[..., 1:, :] - window[..., :-1, :]).square() * self._pairs_down
        right = (window[..., 1:] - window[..., :-1]).square() * self._pairs_right
        return (down.sum() + right.sum()) / (3 * len(self._places))

    def _content_term(self, variables: Tensor, features: Tensor | None) -> Tensor:
        """E_c: the hole's mean squared distance from y, in pixels or in features of the same variance."""
        if self.settings.content == "pixel" or features is None:
            return (variables - self.content).square().mean()
        away = (features - self._content_features).square().mean(1)[0]
        return self._content_scale * (away * self._content_holes).sum() / self._content_holes.sum()

    def _look_at(self, start: Tensor) -> RegionalFeatures:
        """Everything that is computed once: features around the hole, and those that texture is taken from."""
        wanted = {name: tap.window for name, tap in self.taps.items()}
        if self.settings.content == "feature":
            holes = hole_positions(self.scale.hole, _CONTENT_STRIDE)
            wanted[CONTENT_TAP] = Window.around(holes)
        features = RegionalFeatures(self._network, start, self.window, wanted)
        maps = {name: [features.known[name]] for name in self.taps}
        for view in self.settings.views[1:]:
            for name, each in self._features_of(view.of(start), tuple(self.taps)).items():
                maps[name].append(each)
        for name, tap in self.taps.items():
            tap.learn(maps[name])
        if self.settings.content == "feature":
            shown = features.known[CONTENT_TAP]
            self._content_scale = self.spread / max(float(shown.var(unbiased=False)), _TINY)
            self._content_features = shown[(..., *wanted[CONTENT_TAP].slices)].clone()
            self._content_holes = holes[wanted[CONTENT_TAP].slices].float()
        features.known.clear()
        return features

    def _maps(self, picture: Tensor, names: Sequence[str]) -> dict[str, list[Tensor]]:
        """Per layer the features of every view of `picture`."""
        per_view = [self._features_of(view.of(picture), names) for view in self.settings.views]
        return {name: [each[name] for each in per_view] for name in names}

    @torch.no_grad()
    def _features_of(self, picture: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        found = dict(zip(self._network.taps, self._network(picture * 2.0 - 1.0), strict=True))
        return {name: found[name] for name in names}

    def _natural_variation(self) -> float:
        """What Υ would be if the hole were as rough as the known region."""
        photo, known = self.scale.photo, ~self.scale.hole
        down = (photo[..., 1:, :] - photo[..., :-1, :]).square()[..., known[1:] & known[:-1]]
        right = (photo[..., 1:] - photo[..., :-1]).square()[..., known[:, 1:] & known[:, :-1]]
        return sum(float(pairs.mean()) for pairs in (down, right) if pairs.numel())

    def _window_of(self, variables: Tensor) -> Tensor:
        return self._frame.flatten(2).index_copy(2, self._places, variables).view_as(self._frame)
