"""Whether a recipe can be trained at all: what is wrong with it is said before anything is cut."""

from __future__ import annotations

from microtome.registry import registry
from microtome.search.recipe import Recipe, require_classes
from microtome.training.build import check_size
from microtome.training.contents import contents_key
from microtome.training.spec import PUBLISHED
from microtome.training.weights import published_of

_EDGES = ("slices.pixels", "transfer.image_size")


def require_ready(recipe: Recipe) -> None:
    """Raise a MicrotomeError where classes lack data, images are too small for the network, or its first weights are not there.

    What a search varies is left to its trials: one of them may be fine where another fails.
    """
    require_classes(recipe)
    plugin = registry().get("network", recipe.network.name)
    varied = recipe.search.table if recipe.search is not None else {}
    if not any(name in varied for name in _EDGES):
        check_size(plugin, recipe.transfer.image_size or recipe.slices.pixels)
    contents_key(recipe.transfer.file)
    if recipe.transfer.weights == PUBLISHED:
        published_of(plugin)
