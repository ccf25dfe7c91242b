"""How each model learns: one recipe a file, made by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from inpainting.training.recipe import Recipe

_RECIPES = {
    "tta": "inpainting.training.recipes.tta:TTARecipe",
    "tmad": "inpainting.training.recipes.tmad:TMADRecipe",
    "lbp": "inpainting.training.recipes.lbp:LBPRecipe",
    "mnps": "inpainting.training.recipes.content:ContentRecipe",
}


class RecipeError(ValueError):
    """A model, size or switch that there is no recipe for; the text is meant for people."""


def make_recipe(model: str, size: str, switches: Mapping[str, str] | None = None) -> Recipe:
    """The recipe of `model` in `size`; raise `RecipeError` with a sentence when there is none."""
    if model not in _RECIPES:
        raise RecipeError(f"{model!r} cannot be trained; {', '.join(_RECIPES)} can.")
    module, _, name = _RECIPES[model].partition(":")
    factory: Callable[..., Recipe] = getattr(import_module(module), name)
    try:
        recipe = factory(size, **dict(switches or {}))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{model} cannot be trained like that: {error}") from error
    recipe.wishes = {"model": model, "size": size, "switches": dict(switches or {})}
    return recipe
