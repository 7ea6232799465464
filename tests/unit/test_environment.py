"""What processes of the tests know of whoever runs the tests."""

from __future__ import annotations

import pytest

from tests.environment import plain

NOBODYS = ("AWS_PROFILE", "ECS_RELEASE_SHARD", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "GIT_DIR", "GITHUB_SHA", "NO_COLOR")


def test_nothing_of_theirs_reaches_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NOBODYS, "PYTHONDONTWRITEBYTECODE", "PATH"):
        monkeypatch.setenv(name, "x")
    assert not set(NOBODYS) & plain().keys()
    assert {"PATH", "PYTHONDONTWRITEBYTECODE"} <= plain().keys()
    assert "PYTHONDONTWRITEBYTECODE" not in plain("PYTHONDONT")
