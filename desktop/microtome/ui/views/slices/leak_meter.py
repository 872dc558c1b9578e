"""The leak meter: whether training, validation and evaluation are independent, in a word, with the numbers behind it."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from microtome.ui.i18n import tr
from microtome.ui.numbers import length, number, percent
from microtome.ui.theme import GRID
from microtome.ui.widgets import clear, column, facts, label, note

_TONES = {"independent": "good", "doubtful": "warn", "leaking": "bad"}


def verdict_words(verdict: str) -> str:
    """The verdict as a sentence."""
    return {
        "independent": tr("The sets are independent."),
        "doubtful": tr("It is doubtful that the sets are independent."),
        "leaking": tr("The sets leak: the evaluation does not measure what the network has learned."),
    }.get(verdict, verdict)


def leak_tone(verdict: str) -> str:
    """The note's tone of a verdict."""
    return _TONES.get(verdict, "info")


class LeakMeter(QWidget):
    """Shows a leak meter's reading, as plan.json holds it."""

    def __init__(self) -> None:
        super().__init__()
        self._body = column(gap=GRID)
        self.setLayout(self._body)
        self.verdict = ""

    def show_leak(self, leak: dict[str, Any] | None, *, previewed: bool) -> None:
        """Show a reading; `previewed`: of a few slices, before the set is cut. None: nothing is known."""
        clear(self._body)
        self.verdict = str(leak["verdict"]) if leak else ""
        if not leak:
            return
        why = [str(w) for w in leak.get("why", ())]
        # Where all is well the numbers below say it all.
        words = [verdict_words(self.verdict), *(why if self.verdict != "independent" else [])]
        self._body.addWidget(note("\n".join(words), leak_tone(self.verdict)))
        self._body.addWidget(facts(_pairs(leak, numbered=not previewed)))
        if previewed:
            self._body.addWidget(
                label(
                    tr("Measured on a preview; the whole set is measured when it is cut, and more planes come nearer."),
                    "muted",
                    wrap=True,
                )
            )


def _pairs(leak: dict[str, Any], *, numbered: bool) -> list[tuple[str, str]]:
    pairs = []
    distance, shared, similarity = leak.get("distance"), leak.get("shared"), leak.get("similarity") or {}
    if distance is None:
        pairs.append((tr("Nearest planes"), tr("Every set has volumes of its own.")))
    else:
        where = length(float(f"{distance['length']:.3g}"), str(distance["unit"]))
        words = where if distance.get("exact", True) else tr("at most {length}", length=where)
        pairs.append((tr("Nearest planes"), f"{words} · {number(float(distance['pixels']), 3)} px"))
    if shared is not None:
        share = percent(float(shared["share"]), 2)
        pairs.append(
            (tr("Shared voxels"), tr("none") if not shared["both"] else tr("{share} of those that are read", share=share))
        )
    for key, words in (("all", tr("Most alike")), ("other_volume", tr("… of other volumes"))):
        found = similarity.get(key)
        if found is not None:
            value = tr("correlation {r}", r=f"{found['correlation']:.3f}")
            value += tr(", images {a} and {b}", a=found["first"], b=found["second"]) if numbered else ""
            pairs.append((words, value))
    return pairs
