"""The style sheet: what Fusion under a palette does not say (cards, headings, buttons, tabs)."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from microtome.paths import resources

if TYPE_CHECKING:
    from microtome.ui.theme import Theme


def style_sheet(theme: Theme) -> str:
    """The style sheet in a theme's colours, from resources/theme/style.qss with `$name` for a colour."""
    text = (resources() / "theme" / "style.qss").read_text(encoding="utf-8")
    names = {k: v for k, v in vars(theme).items() if isinstance(v, str)}
    names["icons"] = (resources() / "icons").as_posix()
    return Template(text).substitute(names)
