"""Tables as CSV text and files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from microtome.store.atomic import write_text


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table as CSV (comma, RFC 4180 quotes, `\\n`); an absent value is an empty cell, numbers keep their full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return out.getvalue()


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Replace `path` by the table; with a byte-order mark, or Excel would garble class names in Japanese."""
    write_text(path, "\ufeff" + csv_text(header, rows))
