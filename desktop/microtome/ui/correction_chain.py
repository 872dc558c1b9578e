"""The chain of corrections as it is being edited: on or off, measured or not, with every earlier state to go back to."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from microtome.errors import UnknownNameError
from microtome.plugin import Plugin
from microtome.registry import registry
from microtome.store.project import VolumeEntry

_UNDO = 100


@dataclass(frozen=True, kw_only=True)
class Link:
    """One correction of the chain; `known` is what was measured for it, None where that is still to be done."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, Any] | None = None
    on: bool = True

    @property
    def plugin(self) -> Plugin | None:
        """The transform, or None where its plugin is no longer there."""
        try:
            return registry().get("transform", self.name)
        except UnknownNameError:
            return None

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.plugin.label if self.plugin is not None else self.name

    @property
    def measures(self) -> bool:
        """Whether it looks through the voxels before it can be applied."""
        return self.plugin is not None and self.plugin.extra["measure"] is not None

    @property
    def waits(self) -> bool:
        """Whether it is in force but was not measured yet."""
        return self.on and self.measures and self.known is None

    @property
    def renumbers(self) -> bool:
        """Whether a slice may have another number afterwards."""
        return self.plugin is not None and self.plugin.extra["place"] is not None

    @property
    def measured_by(self) -> set[str]:
        """The settings that its measuring looks at; the others may change without measuring again."""
        if self.plugin is None or not self.measures:
            return set()
        parameters = inspect.signature(self.plugin.extra["measure"]).parameters.values()
        return {p.name for p in parameters} & self.plugin.fields.keys()

    def usually_after(self, other: Link) -> bool:
        """Whether it usually stands behind another correction."""
        mine, theirs = (k.plugin.extra["order"] if k.plugin is not None else None for k in (self, other))
        return mine is not None and theirs is not None and mine > theirs

    def step(self) -> dict[str, Any]:
        """The step as it is kept."""
        known = {} if self.known is None else {"known": dict(self.known)}
        return {"name": self.name, **self.settings, **known}


def link_of(step: Mapping[str, Any], *, on: bool = True) -> Link:
    """The link of a kept step."""
    settings = {k: v for k, v in step.items() if k not in ("name", "known", "at")}
    return Link(name=str(step["name"]), settings=settings, known=step.get("known"), on=on)


def links_of(entry: VolumeEntry) -> tuple[Link, ...]:
    """The whole chain of a volume: what is in force, and at their places what is switched off."""
    links = [link_of(step) for step in entry.transforms]
    for step in sorted(entry.aside, key=lambda s: int(s.get("at", 0))):
        links.insert(int(step.get("at", len(links))), link_of(step, on=False))
    return tuple(links)


class Chain:
    """Links in their order. What is changed makes later measurements worthless, so these are then to be made again."""

    def __init__(self, links: tuple[Link, ...] = ()) -> None:
        self.links = links
        self._before: list[tuple[Link, ...]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return bool(self._before)

    def undo(self) -> None:
        """Back to the state before the last change."""
        if self._before:
            self.links = self._before.pop()

    def add(self, link: Link, *, seen: bool = False) -> int:
        """Put a correction where such a one usually stands: behind all that usually come before it; answers where it is.

        `seen`: its slice numbers are those that the chain leaves, so it comes last where a correction in force renumbers.
        """
        behind = [i for i, other in enumerate(self.links) if not other.usually_after(link)]
        place = max(behind, default=-1) + 1
        if seen and any(other.on and other.renumbers for other in self.links):
            place = len(self.links)
        self._become((*self.links[:place], link, *self.links[place:]), place + 1 if link.on else len(self.links) + 1)
        return place

    def remove(self, index: int) -> None:
        """Take a correction out."""
        gone = self.links[index]
        self._become((*self.links[:index], *self.links[index + 1 :]), index if gone.on else len(self.links))

    def move(self, index: int, by: int) -> int:
        """Exchange a correction with its neighbour (by −1 or +1); answers where it is."""
        other = index + by
        if not 0 <= other < len(self.links):
            return index
        links = list(self.links)
        links[index], links[other] = links[other], links[index]
        matters = links[index].on and links[other].on
        self._become(tuple(links), min(index, other) if matters else len(links))
        return other

    def switch(self, index: int, on: bool) -> None:
        """Put a correction in force, or out of it."""
        links = [*self.links[:index], replace(self.links[index], on=on), *self.links[index + 1 :]]
        self._become(tuple(links), index + 1)

    def set(self, index: int, name: str, value: Any) -> None:
        """Change a setting; a value that is the default is not written down."""
        link = self.links[index]
        spec = link.plugin.fields[name] if link.plugin is not None else None
        settings = {k: v for k, v in link.settings.items() if k != name}
        if spec is None or value != spec.default:
            settings[name] = value
        changed = replace(link, settings=settings, known=None if name in link.measured_by else link.known)
        links = (*self.links[:index], changed, *self.links[index + 1 :])
        self._become(links, index + 1 if link.on else len(links))

    def know(self, index: int, known: Mapping[str, Any]) -> None:
        """Take what was measured; no change that is worth undoing."""
        self.links = (*self.links[:index], replace(self.links[index], known=known), *self.links[index + 1 :])

    def steps(self, through: int | None = None) -> list[dict[str, Any]]:
        """The steps in force, as they are kept; up to and including a link where one is named."""
        links = self.links if through is None else self.links[: max(0, through + 1)]
        return [link.step() for link in links if link.on]

    def aside(self) -> list[dict[str, Any]]:
        """The steps that are switched off, each with its place."""
        return [{**link.step(), "at": i} for i, link in enumerate(self.links) if not link.on]

    def waiting(self) -> list[int]:
        """The places of those that must be measured."""
        return [i for i, link in enumerate(self.links) if link.waits]

    def ready(self) -> int:
        """How many links from the start can be applied now."""
        return next(iter(self.waiting()), len(self.links))

    def unusual(self) -> list[tuple[Link, Link]]:
        """Pairs in force that stand in another order than is usual: (the earlier, the later)."""
        on = [link for link in self.links if link.on]
        return [(a, b) for i, a in enumerate(on) for b in on[i + 1 :] if a.usually_after(b)]

    def _become(self, links: tuple[Link, ...], stale_from: int) -> None:
        self._before = [*self._before[-_UNDO:], self.links]
        self.links = tuple(replace(k, known=None) if i >= stale_from and k.measures else k for i, k in enumerate(links))
