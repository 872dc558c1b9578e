"""What the contract suites of all kinds of plugins have in common."""

from __future__ import annotations

from typing import ClassVar

import pytest

from microtome.errors import MicrotomeError
from microtome.plugin import Plugin, PluginKind
from microtome.registry import registry


class PluginContract:
    """What holds for every plugin: it is found, says what it is, and its settings are declared with legal defaults."""

    kind: ClassVar[PluginKind]
    name: ClassVar[str]

    @property
    def plugin(self) -> Plugin:
        """The plugin that is proved."""
        return registry().get(self.kind, self.name)

    def test_says_what_it_is(self) -> None:
        """It has a label, one sentence, and its file and the hash of its source go into a run's record."""
        assert self.plugin.label
        assert self.plugin.summary.endswith(".")
        assert self.plugin.file

    def test_its_defaults_are_legal(self) -> None:
        """Every setting's default passes the setting's own check."""
        for spec in self.plugin.fields.values():
            assert spec.check(spec.default) == spec.default

    def test_refuses_an_unknown_setting(self) -> None:
        """An unknown setting is a sentence, not a TypeError."""
        with pytest.raises(MicrotomeError, match="no_such_setting"):
            self.plugin.call(no_such_setting=1)
