"""What the window's child processes say: one JSON object a line."""

from __future__ import annotations

import json
from typing import Any


def event_of(line: bytes) -> dict[str, Any]:
    """A line of a child's; what is no JSON object is none of its events."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
