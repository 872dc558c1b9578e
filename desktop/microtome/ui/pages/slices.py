"""The slices page: what to cut, with a live gallery, the planes in space, coverage, the leak meter and the image sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QWidget

from microtome.errors import MicrotomeError
from microtome.session import Change
from microtome.slices.plan import Micrographs, SlicePlan
from microtome.ui.desk import Desk
from microtome.ui.form import Form, FormOptions
from microtome.ui.i18n import tr
from microtome.ui.latest import Latest, Superseded
from microtome.ui.pages.base import Page
from microtome.ui.sentences import said
from microtome.ui.slices_gallery import GalleryRead
from microtome.ui.slices_outlook import Outlook, TrustRead, read_outlook, read_trust
from microtome.ui.slices_sources import Asked, held_apart
from microtome.ui.slices_values import read_rows
from microtome.ui.theme import GRID
from microtome.ui.views.slices.cage import Cage
from microtome.ui.views.slices.coverage import CoverageView
from microtome.ui.views.slices.gallery import LiveGallery
from microtome.ui.views.slices.makes import CutControls, Makes
from microtome.ui.views.slices.set_list import SetList
from microtome.ui.views.slices.slice_card import SliceCard
from microtome.ui.views.slices.trust_view import TrustView
from microtome.ui.views.slices.value_scale import ValueScale
from microtome.ui.widgets import EmptyState, button, card, column, empty_stack, holding, label, row, scrolling

_QUIET_MS = 250  # after the last change, before more than the gallery is read
_TILES = 8
_FORM_WIDTH = 392
#: A search that varied these would compare what cannot be compared.
_FIXED = ("unit", "validation", "evaluation", "split", "guard", "seed", "drawing")


class SlicesFace(QWidget):
    """The page where there is something to cut: settings and what they make at the left, views of it at the right."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.form = Form(desk, "slices", FormOptions(unsearchable=_FIXED))
        self.makes, self.cut = Makes(), CutControls(desk)
        self.gallery = LiveGallery()
        self.state = label("", "muted")
        self.more = button(tr("Other slices"), kind="small", icon_name="refresh")
        self.cage, self.coverage = Cage(desk), CoverageView(desk)
        self.trust, self.sets = TrustView(), SetList(desk)
        self.scale = ValueScale()
        head = row(self.state, None, self.scale, self.more, gap=GRID)
        pictures = column(head, scrolling(holding(column(self.gallery, None))), margin=GRID, gap=GRID)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(holding(pictures), tr("Gallery"))
        for view, words in (
            (self.cage, tr("In space")),
            (self.coverage, tr("Coverage")),
            (self.trust, tr("Trust")),
            (self.sets, tr("Sets")),
        ):
            self.tabs.addTab(view, words)
        go_on = button(tr("On to training"), lambda: desk.open_page("train"), kind="primary", icon_name="train")
        self.micrographs = Form(desk, "micrographs", FormOptions(searchable=False))
        self.images = card(self.micrographs, heading=tr("Micrographs"))
        cards = (card(self.form, heading=tr("What to cut")), self.images, card(self.makes, heading=tr("What this makes")))
        left = column(*cards, None, gap=2 * GRID)
        left_area = scrolling(holding(left))
        left_area.setFixedWidth(_FORM_WIDTH)
        right = column(self.tabs, self.cut, row(None, self.cut.go, go_on), gap=GRID)
        right.setStretch(0, 1)
        whole = row(left_area, right, gap=GRID)
        whole.setContentsMargins(2 * GRID, 2 * GRID, GRID, GRID)
        whole.setStretch(1, 1)
        self.setLayout(whole)


class SlicesPage(Page):
    """Reads in steps: the gallery at once; when the hand rests, its blocks, what the set would be, and how far to trust it."""

    prefix: ClassVar[str] = "slices"
    icon: ClassVar[str] = "slices"

    def __init__(self, desk: Desk, argument: str = "") -> None:
        super().__init__(desk, argument)
        self._seed, self._tab = 0, 0
        self._stack = QStackedWidget()
        self.setLayout(column(self._stack))
        self.face: SlicesFace | None = None
        self.card: SliceCard | None = None
        self.read = GalleryRead()
        self.read_plan: SlicePlan | None = None  # of what the gallery shows
        self.look: Outlook | None = None
        self.trusted: TrustRead | None = None
        self._galleries: Latest[Asked, GalleryRead] = Latest(desk, self, read_rows, self._landed, self._failed)
        self._outlooks: Latest[Asked, Outlook] = Latest(desk, self, read_outlook, self._looked, self._failed)
        self._trusts: Latest[tuple[Asked, Outlook], TrustRead] = Latest(desk, self, _trust, self._judged, self._unjudged)
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(_QUIET_MS)
        self._quiet.timeout.connect(self._settle)
        desk.cutting.cut.connect(self._look)

    @property
    def gallery(self) -> LiveGallery:
        """The gallery, where there is something to cut."""
        assert self.face is not None
        return self.face.gallery

    @property
    def waiting(self) -> bool:
        """Whether something is still to be read."""
        readings = (self._galleries, self._outlooks, self._trusts)
        return self._quiet.isActive() or any(latest.busy for latest in readings)

    def title(self) -> str:
        """The tab's words."""
        return tr("Slices")

    def refresh(self, change: Change) -> None:
        """Show the form where there is something to cut; cut new random slices."""
        session = self.desk.session
        if change & (Change.PROJECT | Change.VOLUMES) or self.face is None:
            self._choose_face(session.project is not None and bool(session.classes()))
        if self.face is None:
            return
        self.face.form.refresh(change)
        self.face.micrographs.refresh(change)
        self.face.images.setVisible(any(v.images and v.class_name for v in session.need_project().volumes))
        if change & (Change.PROJECT | Change.VOLUMES | Change.RECIPE):
            asked = self.asked()
            self.face.makes.show_plan(asked.plan, [name for name, _ in asked.classes])
            self.face.cut.show_wanted(self.face.makes.wanted, there=False, possible=True)
            self._request()
        if change & (Change.PROJECT | Change.RUNS):
            self.face.sets.fill()

    def _choose_face(self, ready: bool) -> None:
        if ready and self.face is None:
            empty_stack(self._stack)
            face = self.face = SlicesFace(self.desk)
            face.more.clicked.connect(self._other)
            face.gallery.chosen.connect(self._open_tile)
            face.tabs.setCurrentIndex(self._tab)
            self._stack.addWidget(face)
        elif not ready and (self.face is not None or self._stack.count() == 0):
            self.face, self.look, self.trusted = None, None, None
            self._quiet.stop()
            for latest in (self._galleries, self._outlooks, self._trusts):
                latest.forget()
            empty_stack(self._stack)
            self._stack.addWidget(_empty(self.desk))

    def plan(self) -> SlicePlan:
        """The settings as they stand."""
        session = self.desk.session
        return SlicePlan(**{name: session.value(f"slices.{name}") for name in session.specs("slices")})

    def asked(self) -> Asked:
        """The plan with the classes it would cut."""
        session = self.desk.session
        project = session.need_project()
        groups = tuple((c, tuple(v for v in project.volumes if v.class_name == c)) for c in session.classes())
        settings = Micrographs(**{name: session.value(f"micrographs.{name}") for name in session.specs("micrographs")})
        if session.value("training.target") != "value":
            return Asked(project, groups, self.plan(), settings, _TILES, self._seed)
        cut, plan = held_apart(groups), self.plan()
        if len(cut) < len(groups):  # as many images as the classes had together
            k = len(groups)
            plan = replace(plan, train=k * plan.train, validation=k * plan.validation, evaluation=k * plan.evaluation)
        unit = str(session.value("training.value_unit"))
        return Asked(project, cut, plan, settings, _TILES // 2, self._seed, values=True, unit=unit)

    # --- the gallery

    def _other(self) -> None:
        self._seed += 1
        self._request()

    def _request(self) -> None:
        assert self.face is not None
        if not self.read.rows:
            self.face.state.setText(tr("cutting…"))
        self._galleries.want(replace(self.asked(), quick=True))
        self._quiet.stop()

    def _landed(self, asked: Asked, read: GalleryRead) -> None:
        if self.face is None:
            return
        self.read, self.read_plan = read, asked.plan
        self.face.gallery.show_rows(read.rows)
        self.face.scale.show_ends(read.ends, asked.unit)
        wrong = sum(bool(r.problem) for r in read.rows)
        if asked.values and not wrong and read.ends is not None:
            words = tr("By value")
        else:
            words = tr("{n} classes cannot be cut like this", n=wrong) if wrong and not asked.values else ""
        self.face.state.setText(words)
        if self.card is not None and self.card.isVisible():
            self.card.show_tiles(read.tiles)
        if read.settled:
            self._look()
        else:
            self._quiet.start()

    def _settle(self) -> None:
        """Find the blocks of the plan that is shown, and cut the gallery from them."""
        if self.face is not None and self.desk.session.project is not None:
            self._galleries.want(self.asked())

    def _failed(self, _asked: Asked, error: MicrotomeError) -> None:
        if self.face is not None:
            self.face.state.setText("")
        self.desk.report(error)

    def _open_tile(self, r: int, i: int) -> None:
        if self.card is None:
            self.card = SliceCard(self.desk, self)
        self.card.show_tiles(self.read.tiles, (r, i))
        self.card.show()
        self.card.raise_()

    # --- what the set would be

    def _look(self, _cut: str = "") -> None:
        if self.face is not None and self.desk.session.project is not None:
            self._outlooks.want(self.asked())

    def _looked(self, asked: Asked, look: Outlook) -> None:
        face = self.face
        if face is None:
            return
        self.look = look
        there = bool(look.hash) and (asked.project.imagesets / look.hash / "plan.json").is_file()
        face.makes.show_outlook(look)
        face.cut.show_wanted(face.makes.wanted, there=there, possible=look.possible)
        face.sets.mark(look.hash if there else "")
        face.cage.show_plan(asked, look.sources)
        face.coverage.show_plan(asked, look.sources)
        face.trust.show_lost(look.separation, look.lost)
        if not look.possible:
            self._judged((asked, look), TrustRead())
        else:
            face.trust.show_state(tr("measuring…"))
            self._trusts.want((asked, look))

    def _judged(self, _asked: tuple[Asked, Outlook], read: TrustRead) -> None:
        face, look = self.face, self.look
        if face is None or look is None:
            return
        self.trusted = read
        face.trust.show_state(_state(look, read))
        face.trust.show_trust(read.leak, read.shortcuts, read.advice, previewed=read.previewed)
        lost = [tr("Slices of some orientations are never cut: see Trust.")] if look.lost else []
        face.makes.show_notes(read.leak, read.shortcuts, [*lost, *look.said])

    def _unjudged(self, asked: tuple[Asked, Outlook], error: MicrotomeError) -> None:
        self._judged(asked, TrustRead())
        if self.face is not None:
            self.face.trust.show_state(said(error))

    def keep(self) -> dict[str, Any]:
        """The tab in front."""
        return {"tab": self.face.tabs.currentIndex() if self.face is not None else self._tab}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `keep` returned."""
        self._tab = int(kept.get("tab", 0))
        if self.face is not None:
            self.face.tabs.setCurrentIndex(self._tab)


def _trust(request: tuple[Asked, Outlook], superseded: Superseded) -> TrustRead | None:
    return None if superseded() else read_trust(*request)


def _empty(desk: Desk) -> QWidget:
    """What is shown where there is nothing to cut."""
    project = desk.session.project
    if project is not None and project.volumes:
        text, hint = tr("No class yet"), tr("Give every volume a class on the volumes page.")
    else:
        text, hint = tr("Nothing to cut yet"), tr("Add volumes first: drop them anywhere on this window.")
    return EmptyState("slices", text, hint, ((tr("Go to the volumes"), lambda: desk.open_page("volumes")),))


def _state(look: Outlook, read: TrustRead) -> str:
    """What is said where nothing could be measured."""
    if not look.possible:
        return tr("These settings cannot be cut: see the random slices.")
    return tr("Measured when the images are cut.") if read.leak is None else ""
