"""Transfer learning on the training page: first weights, which blocks learn, and what that comes to for this network."""

from __future__ import annotations

from microtome.session import Change
from microtome.training.layers import LayerTable
from microtome.ui.desk import Desk
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.training_forecast import frozen_parts, parts_of
from microtome.ui.views.section_fold import SectionFold
from microtome.ui.views.training.weights_chooser import WeightsChooser
from microtome.ui.widgets import label


class TransferCard(SectionFold):
    """The first weights, and the form of [transfer]."""

    def __init__(self, desk: Desk) -> None:
        weights, form = WeightsChooser(desk), Form(desk, "transfer", FormOptions(hidden=("weights",)))
        which = label("", "muted", wrap=True)
        super().__init__(desk, tr("Transfer learning"), form, (weights, form, which))
        self.weights, self.which = weights, which
        self._facts: LayerTable | None = None
        weights.changed.connect(self.changed)

    def refresh(self, change: Change = Change.ALL) -> None:
        """Show what the session holds."""
        if change & (Change.PROJECT | Change.RECIPE):
            self.weights.refresh()
        super().refresh(change)

    def show_facts(self, facts: LayerTable | None) -> None:
        """Another network's blocks; None while it is being counted."""
        self._facts = facts
        self.say()

    def told(self) -> str:
        """The weights it begins with and what learns; settings that have no effect are paler now."""
        session = self.desk.session
        how, weights = str(session.value("transfer.train")), str(session.value("transfer.weights"))
        for name in ("blocks", "head_epochs", "backbone_rate"):
            if name in self.form.rows:
                # Nothing is hidden: a setting that has no effect now is only paler.
                used = {"blocks": how == "last", "head_epochs": how != "head", "backbone_rate": bool(weights) and how != "head"}
                self.form.rows[name].setEnabled(used[name])
        words = self._which_words(how)
        self.which.setText(words)
        self.which.setVisible(bool(words))
        begins = tr("random weights") if not weights else tr("pretrained weights")
        parts = {"all": tr("all is trained"), "head": tr("only the head is trained"), "last": tr("the last blocks are trained")}
        return tr("off") if not weights and how == "all" else f"{begins} · {words or parts[how]}"

    def _which_words(self, how: str) -> str:
        facts = self._facts
        if facts is None or how != "last":
            return ""
        parts = parts_of(facts)
        blocks = parts[1:-1]
        if not blocks:
            return tr("This network names no blocks: only its head is trained.")
        wanted = int(self.desk.session.value("transfer.blocks"))
        free = [part for part in blocks if part not in frozen_parts(self.desk.session, facts)]
        count = tr("{k} of {n} blocks and the head are trained", k=len(free), n=len(blocks))
        if wanted > len(blocks):
            return f"{count} ({tr('there are no more')})"
        named = f"{free[0]} … {free[-1]}" if len(free) > 2 else ", ".join(free)
        return f"{count}: {named}" if free else count
