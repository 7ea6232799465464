"""The operator's connections to sinks of views: without a file nothing of them is even imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecs_release import app
from ecs_release.config import Settings
from ecs_release.github.adapter import GitHub
from ecs_release.outbound.connections import ConfigError
from tests.environment import plain


def test_without_a_file_nothing_is_imported() -> None:
    assert app.view_sinks(Settings(), None, "1") == {}
    costly = ("ecs_release.github", "ecs_release.slack", "slack_sdk", "cryptography")
    found = f"import sys, ecs_release.app; print([m for m in sys.modules if m.startswith({costly!r})])"
    said = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True, timeout=120, env=plain())
    assert said.stdout.strip() == "[]"


async def test_with_a_file_there_are_sinks(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text("github: [{name: main, tokenFile: /token}, {name: other, url: 'https://github.example/api/v3', tokenFile: /token}]")
    found = app.view_sinks(Settings(connections_file=path), None, "1")
    assert {key: sink.site for key, sink in found.items()} == {("github", "main"): "github.com", ("github", "other"): "github.example"}
    assert all(isinstance(sink, GitHub) for sink in found.values())


def test_a_test_server_needs_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text("github: [{name: main, url: 'http://127.0.0.1:1', tokenFile: /token}]")
    with pytest.raises(ConfigError, match="must begin with https"):
        app.view_sinks(Settings(connections_file=path), None, "1")
    assert app.view_sinks(Settings(connections_file=path, connections_allow_loopback=True), None, "1")
