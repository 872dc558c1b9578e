"""The plugins page: every kind with all of its plugins."""

from __future__ import annotations

from microtome.plugin import KINDS
from microtome.registry import registry
from microtome.ui.pages.plugins import PluginsPage
from microtome.ui.window import MainWindow


def test_every_kind_is_listed_with_its_plugins(window: MainWindow) -> None:
    window.desk.open_page("plugins")
    page = window.findChild(PluginsPage)
    assert isinstance(page, PluginsPage)
    shown = [page.tree.topLevelItem(i) for i in range(page.tree.topLevelItemCount())]
    counts = [top.childCount() for top in shown if top is not None]
    broken = [len(registry().broken)] if registry().broken else []
    assert counts == broken + [len(registry().of_kind(kind)) for kind in KINDS]
    assert all(top is not None and "(" in top.text(0) for top in shown)
