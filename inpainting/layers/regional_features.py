"""VGG features of a photo of which only a hole changes: everything that cannot change is computed once.

Optimising the pixels of a hole evaluates the same network hundreds of times on pictures that differ in the hole alone.
A convolution carries a change one pixel further and a pooling halves it, so at every layer the positions that *can*
change form a window around the hole; and of those, only the ones that some wanted feature looks at have to be computed.
Everything around that window is kept from one pass over the whole photo. The result equals the whole network's, up to
rounding. At a hole of 96² in a photo of 256² this is a tenth of VGG-19's work up to relu4_1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.backbones.vgg import VGG


class Window(NamedTuple):
    """A half-open rectangle of a map: rows `top` to `bottom` - 1, columns `left` to `right` - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index the last two dimensions of a map."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int) -> Window:
        """Wider by `by` on every side; may reach beyond the map."""
        return Window(self.top - by, self.left - by, self.bottom + by, self.right + by)

    def within(self, other: Window) -> Window:
        """The part that lies in `other`."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        return Window(top, left, max(top, min(self.bottom, other.bottom)), max(left, min(self.right, other.right)))

    def joined(self, other: Window) -> Window:
        """The smallest window around both."""
        return Window(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def halved(self) -> Window:
        """The positions of a 2×2 pooling that read this window."""
        return Window(self.top // 2, self.left // 2, -(-self.bottom // 2), -(-self.right // 2))

    def doubled(self) -> Window:
        """What a 2×2 pooling reads for this window."""
        return Window(2 * self.top, 2 * self.left, 2 * self.bottom, 2 * self.right)

    def inside(self, other: Window) -> tuple[slice, slice]:
        """To index this window in a map that shows `other` only."""
        return (
            slice(self.top - other.top, self.bottom - other.top),
            slice(self.left - other.left, self.right - other.left),
        )

    @classmethod
    def around(cls, marked: Tensor) -> Window:
        """The smallest window around the true positions of a mask (H, W), which must have some."""
        rows, columns = marked.any(1).nonzero(), marked.any(0).nonzero()
        return cls(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


class _Stage:
    """One layer of the network: which window of its output is computed, and its input as far as that is constant."""

    def __init__(self, read: Window, active: Window, frame: Tensor) -> None:
        self.read = read
        """What the layer reads to compute `active`; where it reaches beyond the map, `frame` has zeros."""
        self.active = active
        self.frame = frame


class RegionalFeatures:
    """Features in given windows of one photo, as a function of the pixels of one window.

    Args:
        network: the frozen features; its taps are the ones that can be asked for.
        photo: (1, 3, H, W) in [0, 1]; what it has in `changing` is only a start.
        changing: the window of the photo whose pixels will change.
        wanted: per tap the window of its map that is wanted; taps of the network that are not named are not computed.

    `known` holds the features of the whole photo as it was given, per wanted tap (1, C, h, w).
    """

    def __init__(self, network: VGG, photo: Tensor, changing: Window, wanted: Mapping[str, Window]) -> None:
        self.network, self.changing, self.wanted = network, changing, dict(wanted)
        deepest = max(index for index, layer in enumerate(network.layers) if layer.name in self.wanted)
        self._layers = network.layers[: deepest + 1]
        self.known: dict[str, Tensor] = {}
        self._stages = self._plan(photo)
        self._taps = {
            name: self.known[name][..., window.slices[0], window.slices[1]] for name, window in self.wanted.items()
        }

    def __call__(self, pixels: Tensor) -> dict[str, Tensor]:
        """Features of the photo with `pixels` (1, 3, h, w) in [0, 1] in the changing window.

        One (1, C, h', w') a wanted tap, over its window. Differentiable in `pixels`.
        """
        network = self.network
        dynamic = (pixels - network.get_buffer("mean")) / network.get_buffer("deviation")
        active = self.changing
        found: dict[str, Tensor] = {}
        for layer, stage in zip(self._layers, self._stages, strict=True):
            if layer.kind == "relu":
                dynamic = F.relu(dynamic)
            else:
                whole = _pasted(stage.frame, stage.read, dynamic, active)
                dynamic = self._computed(layer.kind, layer.name, whole)
                active = stage.active
            if layer.name in self.wanted:
                found[layer.name] = _pasted(self._taps[layer.name], self.wanted[layer.name], dynamic, active)
        return found

    @torch.no_grad()
    def _plan(self, photo: Tensor) -> list[_Stage]:
        """One pass over the whole photo; keeps the constant surroundings of every layer's active window."""
        network = self.network
        features = (photo - network.get_buffer("mean")) / network.get_buffer("deviation")
        sizes = _map_sizes(photo.shape[-2:], [layer.kind for layer in self._layers])
        actives = self._active_windows(photo.shape[-2:], sizes)
        stages: list[_Stage] = []
        for layer, active in zip(self._layers, actives, strict=True):
            if layer.kind == "relu":
                features = F.relu(features)
                stages.append(_Stage(active, active, features[..., :0, :0]))
            else:
                read = active.grown(1) if layer.kind == "conv" else active.doubled()
                stages.append(_Stage(read, active, _cut(features, read)))
                features = self._computed(layer.kind, layer.name, features, padding=1)
            if layer.name in self.wanted:
                self.known[layer.name] = features
        return stages

    def _active_windows(self, photo_size: Sequence[int], sizes: list[tuple[int, int]]) -> list[Window]:
        """Per layer the window of its output that changes and that somebody looks at."""
        changed: list[Window] = []
        window = self.changing
        for layer, size in zip(self._layers, sizes, strict=True):
            if layer.kind == "conv":
                window = window.grown(1)
            elif layer.kind == "pool":
                window = window.halved()
            window = window.within(Window(0, 0, *size))
            changed.append(window)
        active: list[Window] = []
        needed: Window | None = None
        for layer, window in zip(reversed(self._layers), reversed(changed), strict=True):
            if layer.name in self.wanted:
                own = self.wanted[layer.name]
                needed = own if needed is None else needed.joined(own)
            if needed is None:
                raise AssertionError("the deepest layer is a wanted tap")
            active.append(window.within(needed))
            if layer.kind == "conv":
                needed = needed.grown(1)
            elif layer.kind == "pool":
                needed = needed.doubled()
        return active[::-1]

    def _computed(self, kind: str, name: str, features: Tensor, padding: int = 0) -> Tensor:
        network = self.network
        if kind == "pool":
            return F.max_pool2d(features, 2) if network.pooling == "max" else F.avg_pool2d(features, 2)
        weight, bias = network.get_buffer(f"weight_{name}"), network.get_buffer(f"bias_{name}")
        return F.conv2d(features, weight, bias, padding=padding)


def _map_sizes(photo_size: Sequence[int], kinds: Sequence[str]) -> list[tuple[int, int]]:
    height, width = photo_size
    sizes = []
    for kind in kinds:
        if kind == "pool":
            height, width = height // 2, width // 2
        sizes.append((height, width))
    return sizes


def _cut(features: Tensor, window: Window) -> Tensor:
    """`window` of the map, with zeros (the convolutions' own padding) where it reaches beyond."""
    height, width = features.shape[-2:]
    inner = window.within(Window(0, 0, height, width))
    cut = features[..., inner.slices[0], inner.slices[1]]
    sides = (
        inner.left - window.left,
        window.right - inner.right,
        inner.top - window.top,
        window.bottom - inner.bottom,
    )
    return F.pad(cut, sides).contiguous()


def _pasted(frame: Tensor, shown: Window, part: Tensor, place: Window) -> Tensor:
    """`frame`, which shows the window `shown`, with `part` at `place`."""
    common = place.within(shown)
    if 0 in common.size:
        return frame
    rows, columns = common.inside(shown)
    from_rows, from_columns = common.inside(place)
    if common == shown:
        return part[..., from_rows, from_columns]
    whole = frame.clone()
    whole[..., rows, columns] = part[..., from_rows, from_columns]
    return whole
