"""The slices page: what to cut, with a live gallery of random slices of every class."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QStackedWidget, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.slices.plan import SlicePlan
from microtome.ui.desk import Desk
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.numbers import length, size_of, with_commas
from microtome.ui.pages.base import Page
from microtome.ui.reading import GalleryRead, GalleryRequest, read_gallery
from microtome.ui.theme import GRID
from microtome.ui.views.gallery import Gallery
from microtome.ui.widgets import EmptyState, button, card, clear, column, facts, holding, label, note, row, scrolling

_QUIET_MS = 200
_TILES = 8
_FORM_WIDTH = 392
_MANY_BYTES = 8e9
#: A search that varied these would compare what cannot be compared.
_FIXED = ("unit", "validation", "evaluation", "split", "guard", "seed")


class SlicesPage(Page):
    """Form at the left, gallery and counts at the right."""

    prefix: ClassVar[str] = "slices"
    icon: ClassVar[str] = "slices"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._seed, self._size = 0, 0
        self._stack = QStackedWidget()
        self.setLayout(column(self._stack))
        self._form: Form | None = None
        self.gallery = Gallery()
        self.state = label("", "muted")
        self._facts, self._notes = column(gap=GRID // 2), column(gap=GRID // 2)
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._request)

    def title(self) -> str:
        """The tab's words."""
        return tr("Slices")

    def refresh(self, change: Change) -> None:
        """Show the form where there is something to cut; cut new random slices."""
        session = self.desk.session
        if change & (Change.PROJECT | Change.VOLUMES) or self._form is None:
            self._choose_face(session.project is not None and bool(session.classes()))
        if self._form is None:
            return
        self._form.refresh(change)
        if change & (Change.PROJECT | Change.VOLUMES | Change.RECIPE):
            self._show_facts()
            self._quiet.start()

    def _choose_face(self, ready: bool) -> None:
        if ready and self._form is None:
            self._form = Form(self.desk, "slices", FormOptions(unsearchable=_FIXED))
            self._stack.addWidget(self._face(self._form))
            self._stack.setCurrentIndex(self._stack.count() - 1)
        elif not ready and (self._form is not None or self._stack.count() == 0):
            self._form = None
            while (old := self._stack.widget(0)) is not None:
                self._stack.removeWidget(old)
                old.deleteLater()
            self.gallery, self.state = Gallery(), label("", "muted")
            self._facts, self._notes = column(gap=GRID // 2), column(gap=GRID // 2)
            self._stack.addWidget(self._empty())

    def _empty(self) -> QWidget:
        session = self.desk.session
        if session.project is not None and session.project.volumes:
            text, hint = tr("No class yet"), tr("Give every volume a class on the volumes page.")
        else:
            text, hint = tr("Nothing to cut yet"), tr("Add volumes first: drop them anywhere on this window.")
        return EmptyState("slices", text, hint, ((tr("Go to the volumes"), lambda: self.desk.open_page("volumes")),))

    def _face(self, form: Form) -> QWidget:
        left = holding(column(card(form, heading=tr("What to cut")), None, margin=0))
        left_area = scrolling(left)
        left_area.setFixedWidth(_FORM_WIDTH)
        more = button(tr("Other slices"), self._other, kind="small", icon_name="refresh")
        head = row(label(tr("Random slices"), "heading"), self.state, None, more)
        pictures = QFrame()
        pictures.setProperty("role", "card")
        pictures.setLayout(column(head, self.gallery, margin=2 * GRID, gap=GRID))
        go_on = button(tr("On to training"), lambda: self.desk.open_page("train"), kind="primary", icon_name="train")
        makes = card(self._facts, self._notes, heading=tr("What this makes"))
        right = column(pictures, makes, row(None, go_on), None, gap=2 * GRID)
        right.setContentsMargins(0, 0, GRID, 0)
        whole = row(left_area, scrolling(holding(right)), gap=2 * GRID)
        whole.setContentsMargins(2 * GRID, 2 * GRID, GRID, GRID)
        whole.setStretch(1, 1)
        return holding(whole)

    def plan(self) -> SlicePlan:
        """The settings as they stand."""
        session = self.desk.session
        return SlicePlan(**{name: session.value(f"slices.{name}") for name in session.specs("slices")})

    def _show_facts(self) -> None:
        plan, classes = self.plan(), self.desk.session.classes()
        a_class = plan.train + plan.validation + plan.evaluation
        images = a_class * len(classes)
        size = images * plan.pixels**2 * 4
        pixel = length(plan.field_of_view / plan.pixels, plan.unit)
        clear(self._facts)
        pairs = [
            (tr("Classes"), ", ".join(classes)),
            (tr("Images"), tr("{n} ({k} a class)", n=with_commas(images), k=with_commas(a_class))),
            (tr("A pixel is"), pixel),
            (tr("On disk"), tr("about {size}", size=size_of(size))),
        ]
        self._facts.addWidget(facts(pairs))
        self._size = size

    def _other(self) -> None:
        self._seed += 1
        self._request()

    def _request(self) -> None:
        project = self.desk.session.project
        if project is None or self._form is None:
            return
        groups = tuple((c, tuple(v for v in project.volumes if v.class_name == c)) for c in self.desk.session.classes())
        request = GalleryRequest(project, groups, self.plan(), _TILES, self._seed)
        self.state.setText(tr("cutting…"))
        self.desk.tasks.request(self, "gallery", lambda: read_gallery(request), self._landed, failed=self._failed)

    def _landed(self, read: GalleryRead) -> None:
        self.gallery.show_rows(read.rows)
        wrong = sum(bool(r.problem) for r in read.rows)
        self.state.setText(tr("{n} classes cannot be cut like this", n=wrong) if wrong else "")
        clear(self._notes)
        for sentence in read.warnings:
            self._notes.addWidget(note(sentence))
        if self._size > _MANY_BYTES:
            self._notes.addWidget(note(tr("This is a lot of disk: fewer images or fewer pixels may do.")))
        if read.independence:
            several = len(read.independence) > 1
            words = [
                f"{', '.join(names)}: {sentence}" if several else sentence for sentence, names in read.independence.items()
            ]
            self._notes.addWidget(note("\n".join(words), "good"))

    def _failed(self, error: MicrotomeError) -> None:
        self.state.setText("")
        self.desk.report(error)
