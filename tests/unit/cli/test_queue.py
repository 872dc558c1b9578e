"""What `microtome run` refuses to combine."""

from __future__ import annotations

from pathlib import Path

import pytest

from microtome.cli import run_command


def test_a_run_of_the_queue_has_no_cluster_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever starts it later would not know of it, and it would silently train elsewhere."""
    project = tmp_path / "project"
    assert run_command(["run", "r.toml", "--project", str(project), "--queue", "--scheduler", "tcp://head:8786"]) == 2
    assert "cannot have a cluster of its own" in capsys.readouterr().err
    assert not project.exists()


def test_certificates_without_a_cluster_are_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "r.toml", "--project", str(tmp_path / "project"), "--tls-ca", "ca.pem"]) == 2
    assert "Add --scheduler" in capsys.readouterr().err
