"""The layers of a network as a table: part, layer, output, parameters, multiply-adds, memory; sums in its caption."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from microtome.training.layers import Layer, LayerTable
from microtome.ui.i18n import tr
from microtome.ui.numbers import size_of, with_commas
from microtome.ui.theme import GRID
from microtome.ui.widgets import column, label

_ROW = 24
_WIDEST = 960  # beyond it a row's numbers would lie too far from its name
_MOST_ROWS = 14  # that are seen at once


class LayerView(QWidget):
    """One row a layer, in the order in which an image passes them."""

    def __init__(self) -> None:
        super().__init__()
        heads = [
            tr("Part"),
            tr("Layer"),
            tr("Kind"),
            tr("Output"),
            tr("Parameters"),
            tr("Multiply-adds"),
            tr("Memory"),
            tr("Sees"),
        ]
        self.table = QTableWidget(0, len(heads))
        self.table.setHorizontalHeaderLabels(heads)
        self.table.setAccessibleName(tr("Layers"))
        self.table.setMaximumWidth(_WIDEST)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(_ROW)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        words = tr(
            "Of one image. Output: channels × height × width. Memory: what a training keeps of it. "
            "Sees: pixels of the slice that an output depends on."
        )
        self.setLayout(column(self.table, label(words, "muted", wrap=True), gap=GRID))

    def show_facts(self, facts: LayerTable) -> None:
        """Show a network's layers."""
        self.table.setRowCount(len(facts.layers))
        part = None
        for at, layer in enumerate(facts.layers):
            texts = (
                layer.part if layer.part != part else "",
                layer.name,
                " ".join(word for word in (tr(layer.kind), layer.detail) if word),
                " × ".join(map(str, layer.shape)),
                with_commas(layer.parameters) if layer.parameters else "–",
                count_words(layer.multiply_adds) if layer.multiply_adds else "–",
                size_of(layer.activation_bytes) if layer.activation_bytes else "–",
                _sees(layer, facts),
            )
            part = layer.part
            for column_, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if column_ >= 3:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(at, column_, item)
        rows = _ROW * min(_MOST_ROWS, len(facts.layers))
        self.table.setFixedHeight(rows + self.table.horizontalHeader().sizeHint().height() + 4)


def _sees(layer: Layer, facts: LayerTable) -> str:
    if layer.receptive_field is None or layer.receptive_field >= facts.image_size:
        return tr("all")
    return f"{layer.receptive_field} px"


def count_words(count: float) -> str:
    """A large count in thousands, millions or billions: 141.6 M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:.{1 if count < 100 * factor else 0}f} {letter}"
    return str(round(count))


def sums_words(facts: LayerTable) -> str:
    """What a network is in a line."""
    return tr(
        "{layers} layers · {n} parameters · {k} multiply-adds an image",
        layers=len(facts.layers),
        n=count_words(facts.parameters),
        k=count_words(facts.multiply_adds),
    )
