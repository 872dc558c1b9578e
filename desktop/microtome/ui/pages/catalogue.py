"""Every page by its key's prefix; a page's module is imported when the first of its kind is opened."""

from __future__ import annotations

import importlib

from microtome.errors import UnknownNameError, nearest
from microtome.ui.desk import Desk
from microtome.ui.pages.base import Page

PAGES = {
    "start": "microtome.ui.pages.start:StartPage",
    "volumes": "microtome.ui.pages.volumes:VolumesPage",
    "slices": "microtome.ui.pages.slices:SlicesPage",
    "train": "microtome.ui.pages.training:TrainingSetupPage",
    "run": "microtome.ui.pages.run:RunPage",
    "optimise": "microtome.ui.pages.optimise:OptimisePage",
    "search": "microtome.ui.pages.search:SearchPage",
    "evaluation": "microtome.ui.pages.evaluation:EvaluationPage",
    "plugins": "microtome.ui.pages.plugins:PluginsPage",
}


def make_page(desk: Desk, key: str) -> Page:
    """Build the page of a key; an unknown prefix raises UnknownNameError."""
    prefix, _, argument = key.partition(":")
    if prefix not in PAGES:
        raise UnknownNameError(f"There is no page “{prefix}”.", nearest(prefix, tuple(PAGES)))
    module, _, name = PAGES[prefix].partition(":")
    page: Page = getattr(importlib.import_module(module), name)(desk, argument)
    return page
