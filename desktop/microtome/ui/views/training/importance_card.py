"""Importance-sampled augmentation on the training page: its settings, what it costs, and that it is patented."""

from __future__ import annotations

from microtome.ui.desk import Desk
from microtome.ui.form import Form
from microtome.ui.i18n import tr
from microtome.ui.training_forecast import cost_factor
from microtome.ui.views.section_fold import SectionFold
from microtome.ui.widgets import label, note


class ImportanceCard(SectionFold):
    """The form of [importance]."""

    def __init__(self, desk: Desk) -> None:
        words = tr("Of several augmented candidates of an image, one is drawn by how hard the network finds it.")
        patent = note(tr("Patented in Japan (JP7160416B2): make sure that you may use it."), "info")
        form = Form(desk, "importance")
        parts = (label(words, "muted", wrap=True), form, patent)
        super().__init__(desk, tr("Importance-sampled augmentation"), form, parts)

    def told(self) -> str:
        """How many candidates, and what they cost."""
        count = int(self.desk.session.value("importance.candidates"))
        if count < 2:
            return tr("off")
        ratio = cost_factor(self.desk.session, None)
        return tr("{n} candidates an image · about {ratio} times the time", n=count, ratio=f"{ratio:.1f}")
