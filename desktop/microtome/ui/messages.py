"""What is said to the user: toasts and the kept list share these."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Message:
    """One thing said. level: info | good | warning | error."""

    text: str
    hint: str = ""
    level: str = "info"
    details: str = ""  # for “copy details”
    action: str = ""  # the button's word
    act: Callable[[], object] | None = None
    about: str = ""  # what it is about, "run:NAME": a newer message about it takes its place
    time: float = field(default_factory=time.time)

    def full(self) -> str:
        """Everything, to be copied."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.time))
        return "\n".join(part for part in (f"{stamp} [{self.level}] {self.text}", self.hint, self.details) if part)
