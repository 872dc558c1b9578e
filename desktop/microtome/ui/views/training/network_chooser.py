"""Which network: a list of the families with a line on each, so that they can be told apart before one is chosen."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from microtome.registry import registry
from microtome.ui.i18n import tr
from microtome.ui.theme import GRID, current
from microtome.ui.widgets import Choice

_SUMMARY = int(Qt.ItemDataRole.UserRole) + 1
_WIDE = 640
_FIRST = "cnn"  # the small one that suits slices; the others follow by name


class _TwoLines(QStyledItemDelegate):
    """A name, and below it what is said of it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Paint one network."""
        at = option.rect
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        palette: QPalette = option.palette
        painter.save()
        painter.fillRect(at, palette.highlight() if chosen else palette.base())
        half = at.height() // 2
        inner = at.adjusted(GRID, 2, -GRID, -2)
        colour = palette.highlightedText().color() if chosen else palette.text().color()
        painter.setPen(colour)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        left = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(QRect(inner.left(), inner.top(), inner.width(), half - 2), left, str(index.data()))
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(colour if chosen else current().muted)
        words = painter.fontMetrics().elidedText(str(index.data(_SUMMARY)), Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(QRect(inner.left(), inner.top() + half - 2, inner.width(), half - 2), left, words)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Two lines and some room."""
        lines = option.fontMetrics.height()
        return QSize(_WIDE, 2 * lines + GRID)


class NetworkChooser(Choice):
    """The networks of all plugins."""

    def __init__(self, value: str) -> None:
        plugins = sorted(registry().of_kind("network"), key=lambda p: (p.name != _FIRST, p.label.lower()))
        super().__init__([(p.name, tr(p.label)) for p in plugins], value)
        for place, plugin in enumerate(plugins):
            self.setItemData(place, tr(plugin.summary), _SUMMARY)
            self.setItemData(place, tr(plugin.summary), int(Qt.ItemDataRole.ToolTipRole))
        self.setItemDelegate(_TwoLines(self))
        self.view().setMinimumWidth(_WIDE)
        self.setMaxVisibleItems(12)
        self.setAccessibleName(tr("Network"))
