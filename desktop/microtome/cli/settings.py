"""What is given on the command line as NAME=VALUE."""

from __future__ import annotations

from typing import Any

from microtome.errors import InputError


def parse_settings(items: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs: numbers, true/false, comma lists of numbers, else text."""
    settings: dict[str, Any] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise InputError(f"“{item}” is not NAME=VALUE.", "Write, for example, --set diameter=20.")
        parts = [_value(part.strip()) for part in text.split(",")]
        numbers = len(parts) > 1 and all(isinstance(part, int | float) for part in parts)
        settings[name.strip()] = parts if numbers else _value(text)
    return settings


def _value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
