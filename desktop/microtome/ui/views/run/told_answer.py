"""What a network that tells a number answers: the number, how far it may be wrong, and the numbers that it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from microtome.results.words import with_unit
from microtome.ui.i18n import tr
from microtome.ui.views.interval_bars import Bar

TOLD_COLUMNS = ("path", "epoch", "value", "residual", "standard_deviation", "slices", "learnt_low", "learnt_high", "unit")


def told_bars(answer: dict[str, Any]) -> list[Bar]:
    """The number with its error, and below it the range that was learnt, on one axis."""
    value, wrong = float(answer["value"]), float(answer.get("residual") or 0.0)
    bars = [Bar(tr("told"), value, value - wrong, value + wrong, _with_error(answer), strong=True)]
    if answer.get("learnt"):
        low, high = answer["learnt"]
        bars.append(Bar(tr("learnt from"), (low + high) / 2, low, high, f"{low:.4g} … {with_unit(high, answer['unit'])}"))
    return bars


def told_words(answer: dict[str, Any]) -> list[str]:
    """The answer in sentences, the number first."""
    found = [
        tr("{value}, asked of epoch {epoch}.", value=_with_error(answer), epoch=answer["epoch"] + 1),
    ]
    if answer.get("residual") is not None:
        found.append(tr("±: the root mean square of its errors on the validation set."))
    if answer["slices"] > 1:
        spread = with_unit(answer["deviation"], answer["unit"])
        found.append(
            tr("The mean of {n} slices, which have a standard deviation of {spread}.", n=answer["slices"], spread=spread)
        )
    if answer.get("learnt"):
        low, high = answer["learnt"]
        if low <= answer["value"] <= high:  # else a warning says more
            top = with_unit(high, answer["unit"])
            found.append(tr("It lies within what the network learned from, {low} … {high}.", low=f"{low:.4g}", high=top))
    return found


def told_rows(answers: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """A row an answer, for a CSV file."""
    rows = []
    for a in answers:
        low, high = a.get("learnt") or (None, None)
        rows.append(
            [a["path"], a["epoch"] + 1, a["value"], a.get("residual"), a["deviation"], a["slices"], low, high, a["unit"]]
        )
    return rows


def _with_error(answer: dict[str, Any]) -> str:
    if answer.get("residual") is None:
        return with_unit(answer["value"], answer["unit"])
    wrong = float(f"{answer['residual']:.2g}")
    return f"{answer['value']:.4g} ± {with_unit(wrong, answer['unit'])}"
