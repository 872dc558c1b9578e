"""Whether an image set can be trusted: leak meter, lost orientations, shortcut audit; of the plan or of a set that is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QWidget

from microtome.ui.i18n import tr
from microtome.ui.theme import GRID
from microtome.ui.views.slices.audit_view import AuditView
from microtome.ui.views.slices.leak_meter import LeakMeter
from microtome.ui.widgets import clear, column, facts, holding, label, note, scrolling


class TrustView(QWidget):
    """Says what it measures while it measures, and what it found."""

    def __init__(self) -> None:
        super().__init__()
        self.state = label("", "muted", wrap=True)
        self.meter, self.audit = LeakMeter(), AuditView()
        self._lost = column(gap=GRID)
        parts = column(
            self.state,
            label(tr("Independence"), "heading"),
            self.meter,
            self._lost,
            GRID,
            label(tr("Shortcuts"), "heading"),
            label(tr("What would tell the classes without any structure being learned:"), "muted", wrap=True),
            self.audit,
            None,
            margin=GRID,
        )
        self.setLayout(column(scrolling(holding(parts))))

    def show_state(self, words: str) -> None:
        """What is being measured, or what went wrong."""
        self.state.setText(words)
        self.state.setVisible(bool(words))

    def show_lost(self, separation: Sequence[tuple[str, str]], lost: Sequence[str]) -> None:
        """How the sets are separated, by class, and which orientations are never cut."""
        clear(self._lost)
        if separation:
            self._lost.addWidget(facts(list(separation)))
        for sentence in lost:
            self._lost.addWidget(note(sentence))
        if lost:
            words = tr(
                "What would help: a smaller field of view, a fixed orientation, a larger volume, or three volumes a class, "
                "which are then separated as wholes."
            )
            self._lost.addWidget(label(words, "muted", wrap=True))

    def show_trust(
        self, leak: dict[str, Any] | None, cues: Sequence[dict[str, Any]], advice: Sequence[str], *, previewed: bool
    ) -> None:
        """Show what was measured."""
        self.meter.show_leak(leak, previewed=previewed)
        self.audit.show_cues(cues, advice)
