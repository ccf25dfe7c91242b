"""What models exist: names, limits and parameters, without importing torch.

Adding a model means one entry here and one module under `inpainting.models`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

WEIGHTS_DIR = Path(__file__).parent / "weights"

ParamKind = Literal["int", "float", "bool", "choice"]
Cost = Literal["instant", "fast", "slow"]


class CatalogError(ValueError):
    """A model or a parameter that does not exist or is out of range; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Param:
    """One knob of a model, with the range a caller may ask for."""

    name: str
    kind: ParamKind
    default: Any
    label: str
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """Turn text or a JSON value into this parameter's type; raise `CatalogError` with a sentence otherwise."""
        if self.kind == "bool":
            return self._parse_bool(value)
        if self.kind == "choice":
            if value not in self.choices:
                raise CatalogError(f"“{self.label}” must be one of {', '.join(self.choices)}; it was {value!r}.")
            return value
        return self._parse_number(value)

    def _parse_bool(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in {"1", "true", "yes", "on"}:
            return True
        if text in {"0", "false", "no", "off"}:
            return False
        raise CatalogError(f"“{self.label}” must be on or off; it was {value!r}.")

    def _parse_number(self, value: Any) -> int | float:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise CatalogError(f"“{self.label}” must be a number; it was {value!r}.") from None
        if isinstance(value, bool) or not math.isfinite(number):
            raise CatalogError(f"“{self.label}” must be a number; it was {value!r}.")
        if self.kind == "int" and number != int(number):
            raise CatalogError(f"“{self.label}” must be a whole number; it was {value!r}.")
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        if not low <= number <= high:
            raise CatalogError(f"“{self.label}” must be between {low:g} and {high:g}; it was {number:g}.")
        return int(number) if self.kind == "int" else number


@dataclass(frozen=True, slots=True)
class Paper:
    """Where a model comes from."""

    authors: str
    title: str
    year: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model as callers see it.

    `factory` is ``module:callable``; the callable takes ``(entry, device)`` and returns an
    `inpainting.models.base.FillModel`. `weights` names safetensors files inside `WEIGHTS_DIR`: a model whose
    files are missing is *untrained* and is offered only on explicit request.
    """

    key: str
    title: str
    summary: str
    cost: Cost
    factory: str
    paper: Paper | None = None
    params: tuple[Param, ...] = ()
    weights: tuple[str, ...] = ()
    licence: str = "Apache-2.0"
    needs_torch: bool = True
    """Whether running it takes PyTorch (and may use a CUDA device)."""
    order: int = 100
    """Position in lists, best first."""

    @property
    def trained(self) -> bool:
        """Whether every weights file this model needs is there."""
        return all((WEIGHTS_DIR / name).is_file() for name in self.weights)

    def parse_params(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """All parameters with defaults filled in; raise `CatalogError` for unknown names and bad values."""
        given = dict(given or {})
        known = {param.name: param for param in self.params}
        unknown = sorted(set(given) - set(known))
        if unknown:
            offered = ", ".join(sorted(known)) or "none"
            raise CatalogError(f"{self.title} has no parameter {', '.join(unknown)}. It has: {offered}.")
        return {name: param.parse(given[name]) if name in given else param.default for name, param in known.items()}


REFINER = "tmad"
"""The model whose patch network can refine the results of the others."""
REFINE = Param(
    "refine",
    "choice",
    "none",
    "Refine textures",
    "Synthesise the result's textures anew, patch by patch, after the most similar ones of the photo.",
    choices=("none", "psnet"),
)


def offer_refinement(entries: tuple[ModelEntry, ...]) -> tuple[ModelEntry, ...]:
    """The entries with `REFINE` added to all but the refiner itself, provided that the refiner is trained."""
    if not any(entry.key == REFINER and entry.trained for entry in entries):
        return entries
    return tuple(entry if entry.key == REFINER else replace(entry, params=(*entry.params, REFINE)) for entry in entries)


ENTRIES: tuple[ModelEntry, ...] = (
    ModelEntry(
        key="patchmatch",
        title="PatchMatch",
        summary="Copies matching patches from the rest of the photo. Sharp textures, no training.",
        cost="fast",
        factory="inpainting.models.baselines:PatchMatch",
        paper=Paper(
            "Barnes et al.", "PatchMatch: a randomized correspondence algorithm for structural image editing", 2009
        ),
        params=(Param("patch_size", "int", 7, "Patch size", "Side of the copied patches in pixels, odd.", 3, 15),),
        licence="MIT (pypatchmatch)",
        needs_torch=False,
        order=50,
    ),
    ModelEntry(
        key="lbp",
        title="LBP with spatial attention",
        summary="Predicts the hole's fine structure first, then fills it in one pass under that guidance.",
        cost="fast",
        factory="inpainting.models.lbp:LBPFill",
        paper=Paper(
            "Wu, Zhou and Li",
            "Deep generative model for image inpainting with local binary pattern learning and spatial attention",
            2021,
            "https://doi.org/10.1109/TMM.2021.3111491",
        ),
        weights=("lbp.safetensors",),
        order=30,
    ),
    ModelEntry(
        key="telea",
        title="Telea",
        summary="Smooth fill from the hole's edge inwards. For scratches, dust and thin wires.",
        cost="instant",
        factory="inpainting.models.baselines:Telea",
        paper=Paper("A. Telea", "An image inpainting technique based on the fast marching method", 2004),
        params=(
            Param("radius", "int", 5, "Radius", "How far each filled pixel looks for known ones, in pixels.", 1, 15),
        ),
        licence="Apache-2.0 (OpenCV)",
        needs_torch=False,
        order=90,
    ),
    ModelEntry(
        key="tta",
        title="TTA-Net",
        summary="Gives each part of the hole the texture of the most similar place around it.",
        cost="fast",
        factory="inpainting.models.tta:TTAFill",
        paper=Paper(
            "Kim, Cheon and Lee",
            "Texture Transform Attention for Realistic Image Inpainting",
            2020,
            "https://arxiv.org/abs/2012.04242",
        ),
        params=(
            Param(
                "search",
                "choice",
                "auto",
                "Search",
                "How matching texture is looked for: everywhere, or near the coarser scale's matches (quick).",
                choices=("auto", "exhaustive", "quick"),
            ),
        ),
        weights=("tta.safetensors",),
        order=10,
    ),
    ModelEntry(
        key="tmad",
        title="T-MAD",
        summary="Estimates the structure, then synthesises each patch after the most similar textures of the photo.",
        cost="fast",
        factory="inpainting.models.tmad:TMADFill",
        paper=Paper(
            "Xu et al.",
            "Texture Memory-Augmented Deep Patch-Based Image Inpainting",
            2020,
            "https://arxiv.org/abs/2009.13240",
        ),
        params=(
            Param(
                "memory",
                "choice",
                "sampled",
                "Texture memory",
                "100 patches chosen at random, as in the paper, or all there are (slower, the same for every seed).",
                choices=("sampled", "dense"),
            ),
            Param(
                "tiling",
                "choice",
                "grid",
                "Tiling",
                "Patches side by side, as in the paper, or overlapping and blended together (four times the work).",
                choices=("grid", "overlap"),
            ),
            Param(
                "detail",
                "choice",
                "full",
                "Detail",
                "For large holes: synthesise textures up to the photo's own size, or enlarge the first result (quick).",
                choices=("full", "working"),
            ),
        ),
        weights=("tmad.safetensors",),
        order=20,
    ),
    ModelEntry(
        key="gram",
        title="Texture synthesis",
        summary="Optimises the hole until its texture statistics are the photo's. Slow; for large textured surfaces.",
        cost="slow",
        factory="inpainting.models.gram:GramFill",
        paper=Paper("Laube et al.", "Image inpainting for high-resolution textures using CNN texture synthesis", 2018),
        params=(
            Param(
                "start",
                "choice",
                "copy",
                "Start from",
                "A fitting piece of the photo, PatchMatch's result, a smooth fill, or the mean colour as in the paper.",
                choices=("copy", "patchmatch", "telea", "mean"),
            ),
            Param(
                "quality",
                "choice",
                "full",
                "Quality",
                "Full, or a quick preview with at most 30 coarse and 60 fine iterations.",
                choices=("full", "preview"),
            ),
            Param(
                "fine_iterations", "int", 250, "Fine iterations", "At most this many for each patch's detail.", 1, 1000
            ),
            Param(
                "coarse_iterations",
                "int",
                100,
                "Coarse iterations",
                "At most this many for the global structure of large holes, when starting smooth or from the mean.",
                1,
                1000,
            ),
            Param(
                "global_weight",
                "float",
                0.05,
                "Global weight",
                "Of large holes' global statistics beside the detail, when starting smooth or from the mean (w_g).",
                0.0,
                1.0,
            ),
            Param(
                "boundary",
                "choice",
                "exact",
                "Boundary",
                "Known pixels as they are, or moving softly while optimising, as in the paper; the result keeps them.",
                choices=("exact", "soft"),
            ),
            Param(
                "boundary_weight",
                "float",
                10.0,
                "Boundary weight",
                "How firmly pixels outside the patch's hole are held (w_b); 5 to 25 in the paper.",
                0.0,
                100.0,
            ),
            Param(
                "measured",
                "choice",
                "hole",
                "Statistics of",
                "The hole and its edge, or the whole patch, as in the paper.",
                choices=("hole", "patch"),
            ),
            Param(
                "statistics",
                "choice",
                "standard",
                "Global statistics",
                "All layers, or only the deepest three for very irregular textures.",
                choices=("standard", "stochastic"),
            ),
            Param(
                "order",
                "choice",
                "auto",
                "Order of patches",
                "One after the other, or those that do not overlap at once; automatic is that on a graphics card.",
                choices=("auto", "scan", "checkerboard"),
            ),
            Param(
                "width",
                "choice",
                "half",
                "Network width",
                "Share of VGG-19's channels when its filters are random; wider is slower.",
                choices=("quarter", "half", "full"),
            ),
        ),
        order=40,
    ),
)
ENTRIES = offer_refinement(ENTRIES)
_BY_KEY = {entry.key: entry for entry in ENTRIES}


def get_entry(key: str) -> ModelEntry:
    """The entry called `key`; raise `CatalogError` naming the models that exist."""
    try:
        return _BY_KEY[key]
    except KeyError:
        raise CatalogError(f"There is no model {key!r}. There are: {', '.join(sorted(_BY_KEY))}.") from None


def offered(*, include_untrained: bool = False) -> list[ModelEntry]:
    """Models in the order people should see them."""
    entries = [entry for entry in ENTRIES if include_untrained or entry.trained]
    return sorted(entries, key=lambda entry: (entry.order, entry.key))
