"""The look: both themes are complete, readable, and tell classes apart without colour."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import combinations

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from microtome.paths import resources
from microtome.ui import icons, theme
from microtome.ui.style import style_sheet

THEMES = ["light", "dark"]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_a_theme_names_every_colour_and_no_more(name: str) -> None:
    data = json.loads((resources() / "theme" / f"{name}.json").read_text(encoding="utf-8"))
    assert set(data) == {f.name for f in fields(theme.Theme)}
    assert all(QColor(v).isValid() for v in data["classes"])


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read(name: str) -> None:
    look = theme.load(name)
    for ground in (look.window, look.surface, look.raised):
        assert contrast(look.text, ground) >= 7
        assert contrast(look.muted, ground) >= 4.5
        for colour in (look.accent, look.good, look.warn, look.bad):
            assert contrast(colour, ground) >= 4.5
    assert contrast(look.accent_text, look.accent) >= 4.5
    for colour, soft in ((look.good, look.good_soft), (look.warn, look.warn_soft), (look.bad, look.bad_soft)):
        assert contrast(colour, soft) >= 4.0


@pytest.mark.parametrize("name", THEMES)
def test_every_class_has_a_curve_of_its_own(name: str) -> None:
    look = theme.load(name)
    curves = [(look.class_colour(i), look.class_style(i)) for i in range(24)]
    assert len(set(curves)) == 24
    assert all(a[1] != b[1] for a, b in combinations(curves[:4], 2)), "the first four differ without colour"
    assert all(contrast(c, look.surface) >= 2.5 for c in look.classes)


@pytest.mark.parametrize("name", THEMES)
def test_the_style_sheet_has_no_place_left_open(name: str) -> None:
    sheet = style_sheet(theme.load(name))
    assert "$" not in sheet
    assert theme.load(name).accent in sheet


def test_applying_a_theme_dresses_the_application(qapp: QApplication) -> None:
    for name in THEMES:
        look = theme.apply(qapp, name)
        assert theme.current() is look
        assert qapp.palette().color(QPalette.ColorRole.Window).name() == look.window
    assert theme.resolve("system") in THEMES


def test_every_icon_can_be_drawn(qapp: QApplication) -> None:
    names = [f.stem for f in (resources() / "icons").glob("*.svg")]
    assert len(names) > 30
    for name in names:
        image = icons.pixmap(name, 32, "#ff0000").toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(32) for y in range(32)), name


def test_an_icon_takes_the_colour_it_is_given(qapp: QApplication) -> None:
    image = icons.pixmap("stop", 32, "#ff0000").toImage()
    colours = {image.pixelColor(x, y).name() for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() == 255}
    assert colours == {"#ff0000"}


def test_words_of_states_have_colours() -> None:
    look = theme.load("light")
    assert look.state_colour("failed") == look.bad
    assert look.state_colour("done") == look.good
    assert look.state_colour("something new") == look.muted
