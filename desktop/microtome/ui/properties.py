"""The panel at the right: what is known of the selection, and what of it can be changed."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QWidget

from microtome.events import EpochEnded, PerClass, images_of
from microtome.results.scores import Score
from microtome.session import Change
from microtome.store.project import Project
from microtome.ui.desk import Desk
from microtome.ui.i18n import tr
from microtome.ui.numbers import percent, span
from microtome.ui.sentences import said
from microtome.ui.tail import RunTail
from microtome.ui.theme import GRID
from microtome.ui.volume_properties import VolumeProperties
from microtome.ui.widgets import button, clear, column, facts, holding, label, row, scrolling, set_property
from microtome.ui.words import kind_word, page_of, run_title, state_tone, state_word


class PropertiesPanel(QFrame):
    """Shows a volume, a class, a run, or the project."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.setProperty("role", "panel")
        self._body = column(margin=2 * GRID, gap=GRID)
        self.setLayout(column(scrolling(holding(self._body))))
        self._shown_word = ""
        desk.selected.connect(self._selected)
        desk.changed.connect(self._changed)
        desk.tails.changed.connect(self._run_changed)
        self.show_selection()

    def _selected(self, _key: str) -> None:
        self.show_selection()

    def _changed(self, change: Change) -> None:
        if change & (Change.PROJECT | Change.VOLUMES | Change.RUNS):
            self.show_selection()

    def _run_changed(self, name: str) -> None:
        tail = self.desk.tails.get(name)
        if tail is not None and self.desk.selection == f"run:{name}" and self._run_key(tail) != self._shown_word:
            self.show_selection()

    @staticmethod
    def _run_key(tail: RunTail) -> str:
        # What the panel shows of a run; anything else that changes needs no new panel.
        state = tail.state
        epochs = sum(len(t.epochs) for t in state.trials.values())
        return f"{tail.word} {state.planned_trials} {len(state.ended_trials())} {epochs}"

    def show_selection(self) -> None:
        """Build the panel for what is selected now; the focus stays in the field of the same name."""
        focus = QApplication.focusWidget()
        name = focus.accessibleName() if focus is not None and self.isAncestorOf(focus) else ""
        clear(self._body)
        self._fill()
        self._show_at_once()
        again = next((w for w in self.findChildren(QLineEdit) if name and w.accessibleName() == name and w is not focus), None)
        if again is not None:
            again.setFocus()
            again.selectAll()

    def _show_at_once(self) -> None:
        # Qt shows what a layout took up a turn of the event loop later: till then the panel would flash empty.
        body = self._body.parentWidget()
        if body is None or not body.isVisible():
            return
        for made in body.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if not made.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide):
                made.show()
        self._body.activate()

    def _fill(self) -> None:
        project = self.desk.session.project
        kind, _, name = self.desk.selection.partition(":")
        if project is None:
            self._body.addWidget(label(tr("No project is open."), "muted", wrap=True))
        elif kind == "volume" and any(v.id == name for v in project.volumes):
            self._body.addWidget(VolumeProperties(self.desk, self.desk.session.volume(name)))
        elif kind == "class" and name in self.desk.session.classes():
            self._show_class(name)
        elif kind == "run" and (tail := self.desk.tails.get(name)) is not None:
            self._show_run(tail)
        else:
            self._show_project(project)
        self._body.addStretch(1)

    def _show_project(self, project: Project) -> None:
        created = project.settings.get("created")
        pairs = [
            (tr("Volumes"), str(len(project.volumes))),
            (tr("Classes"), str(len(self.desk.session.classes()))),
            (tr("Runs"), str(len(self.desk.tails.all()))),
            (tr("Folder"), str(project.path)),
        ]
        if created:
            pairs.append((tr("Made"), time.strftime("%Y-%m-%d %H:%M", time.localtime(created))))
        self._body.addWidget(label(tr("PROJECT"), "section"))
        self._body.addWidget(label(project.name, "heading", wrap=True, selectable=True))
        self._body.addWidget(facts(pairs))
        if project.read_only:
            self._body.addWidget(label(project.read_only, "warn", wrap=True))

    def _show_class(self, name: str) -> None:
        members = [v for v in self.desk.session.need_project().volumes if v.class_name == name]
        line = QLineEdit(name)
        line.setAccessibleName(tr("Class name"))

        def rename() -> None:
            new = line.text().strip()
            if not new or new == name:
                line.setText(name)
                return
            for entry in members:
                self.desk.session.change_volume(entry.id, class_name=new)
            self.desk.announce(Change.VOLUMES)
            self.desk.select(f"class:{new}")

        line.editingFinished.connect(lambda: self.desk.perform(rename))
        self._body.addWidget(label(tr("CLASS"), "section"))
        self._body.addWidget(line)
        self._body.addWidget(facts([(tr("Volumes"), str(len(members)))]))
        for entry in members:
            self._body.addWidget(button(entry.name, partial(self.desk.select, f"volume:{entry.id}"), kind="link"))

    def _show_run(self, tail: RunTail) -> None:
        state, name = tail.state, tail.run.name
        self._shown_word = self._run_key(tail)
        badge = label(state_word(tail.word), "badge")
        set_property(badge, "tone", state_tone(tail.word))
        self._body.addWidget(label(kind_word(tail.kind).upper(), "section"))
        self._body.addWidget(label(run_title(name), "heading", wrap=True, selectable=True))
        self._body.addLayout(row(badge, None))
        self._body.addWidget(facts(self._run_facts(tail)))
        if tail.problem:
            self._body.addWidget(label(said(tail.problem), "problem", wrap=True))
        elif state.message and not tail.again:
            self._body.addWidget(label(said(state.message), "muted", wrap=True, selectable=True))
        if tail.word == "interrupted":
            go_on = button(
                tr("Continue"),
                lambda: self.desk.perform(lambda: self.desk.session.drive(tail.run)),
                kind="primary",
                icon_name="play",
            )
            self._body.addWidget(go_on)
        self._body.addWidget(button(tr("Open"), lambda: self.desk.open_page(page_of(tail.kind, name))))
        if state.evaluated is not None:
            self._body.addWidget(button(tr("Evaluation"), lambda: self.desk.open_page(f"evaluation:{name}")))

    @staticmethod
    def _run_facts(tail: RunTail) -> list[tuple[str, str]]:
        state = tail.state
        pairs = [(tr("Classes"), ", ".join(state.classes) or "–")]
        if tail.kind == "search":
            pairs.append((tr("Trials"), f"{len(state.ended_trials())} / {state.planned_trials}"))
        trials = list(state.trials.values())
        if tail.kind == "search" and state.best is not None and state.best.value is not None:
            words = Score.of(trials).words(state.best.value)
            which = f"{tr('trial {n}', n=state.best_trial)}{_validated(state.best.best)}"
            pairs.append((tr("Best value"), f"{words} ({which})"))
        # Of a search the best value says it.
        told = [t.best for t in trials if t.best and tail.kind != "search"]
        best = max(told, key=lambda e: e.validation_accuracy, default=None)
        if best is not None and best.r2 is not None:
            pairs.append((tr("Best R², validation"), f"{best.r2:.3f}"))
        elif best is not None:
            pairs.append((tr("Best validation accuracy"), f"{percent(best.validation_accuracy)}{_validated(best)}"))
        if state.evaluated is not None and state.evaluated.r2 is not None:
            low, high = state.evaluated.interval
            pairs.append(
                (tr("R² on the evaluation set"), f"{state.evaluated.r2:.3f} ({low:.3f} … {high:.3f}), n = {state.evaluated.n}")
            )
        elif state.evaluated is not None:
            low, high = state.evaluated.interval
            shown = f"{percent(state.evaluated.accuracy)} ({percent(low)} – {percent(high)}){_of(state.evaluated.per_class)}"
            pairs.append((tr("Evaluation accuracy"), shown))
        if state.started:
            pairs.append((tr("Begun"), time.strftime("%Y-%m-%d %H:%M", time.localtime(state.started))))
            pairs.append((tr("Took"), span(state.took)))
        pairs.append((tr("Folder"), str(Path("runs") / tail.run.name)))
        return pairs


def _validated(best: EpochEnded | None) -> str:
    """Of how many validation images an accuracy is; it has no interval, as that of the luckiest of many epochs."""
    return "" if best is None or best.r2 is not None else _of(best.per_class)


def _of(per_class: PerClass) -> str:
    return f", n = {images_of(per_class)}"
