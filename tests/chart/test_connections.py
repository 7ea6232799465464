"""Connections to GitHub and Slack: the operator finds the file that the chart writes, and the Secret that it mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecs_release.config import Settings
from ecs_release.outbound.connections import load
from tests.chart.helm import CONNECTIONS, objects, render

OPERATOR = "ecs-release-operator"


@pytest.fixture(scope="module")
def rendered() -> dict[tuple[str, str], dict[str, Any]]:
    return objects(render(CONNECTIONS))


def test_the_operator_reads_what_the_chart_writes(
    rendered: dict[tuple[str, str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod = rendered["Deployment", OPERATOR]["spec"]["template"]["spec"]
    for entry in pod["containers"][0]["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    settings = Settings()
    assert settings.connections_file == Path("/etc/ecs-release-connections/connections.yaml")
    assert settings.connections_allow_loopback is False
    path = tmp_path / "connections.yaml"
    path.write_text(rendered["ConfigMap", f"{OPERATOR}-connections"]["data"]["connections.yaml"])
    found = load(path, allow_loopback=False)
    assert found.github[0].app is not None and found.github[0].app.id == 4711
    mounts = {m["name"]: (m["mountPath"], m["readOnly"]) for m in pod["containers"][0]["volumeMounts"] if m["name"] != "tmp"}
    assert mounts == {
        "connections": ("/etc/ecs-release-connections", True),
        "connections-secret": ("/var/run/ecs-release-connections", True),
    }
    for file in (found.github[0].app.private_key_file, found.slack[0].token_file):
        assert file.is_relative_to("/var/run/ecs-release-connections")
    secret = next(v for v in pod["volumes"] if v["name"] == "connections-secret")
    assert secret["secret"]["secretName"] == "ecs-release-connections"


def test_a_change_restarts_the_operator(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    def annotations(**connections: Any) -> dict[str, str]:
        values = {**CONNECTIONS, "connections": {**CONNECTIONS["connections"], **connections}}
        its: dict[str, str] = objects(render(values))["Deployment", OPERATOR]["spec"]["template"]["metadata"]["annotations"]
        return its

    assert annotations() == rendered["Deployment", OPERATOR]["spec"]["template"]["metadata"]["annotations"]
    assert annotations(slack=[]) != annotations()
    assert annotations()["example.com/x"] == "y"


def test_no_right_to_read_secrets(rendered: dict[tuple[str, str], dict[str, Any]]) -> None:
    rules = [rule for (kind, _), o in rendered.items() if kind in ("Role", "ClusterRole") for rule in o["rules"]]
    assert not [rule for rule in rules if "secrets" in rule.get("resources", ())]
