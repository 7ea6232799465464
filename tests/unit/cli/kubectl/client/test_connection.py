"""Which API server is reached, and as which user, as kubectl reads kubeconfig files and flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client.connection import connect
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.terminal import errors
from tests.unit.cli.kubectl.client.http_server import Server

ANA = {"as": "ana", "as-groups": ["team", "on-call"], "as-uid": "7", "as-user-extra": {"example.com/why": ["audit"]}}
AS_ANA = (
    ("Impersonate-User", "ana"),
    ("Impersonate-Group", "team"),
    ("Impersonate-Group", "on-call"),
    ("Impersonate-Uid", "7"),
    ("Impersonate-Extra-example.com/why".replace("/", "%2F"), "audit"),
)


@pytest.mark.parametrize(
    ("user", "words", "expected"),
    [
        ({}, [], ()),
        (ANA, [], AS_ANA),
        # A flag replaces its own field, as with kubectl.
        (ANA, ["--as", "ben"], (("Impersonate-User", "ben"), *AS_ANA[1:])),
        (ANA, ["--as-group", "one"], (AS_ANA[0], ("Impersonate-Group", "one"), *AS_ANA[3:])),
        (ANA, ["--as-uid", "8"], (*AS_ANA[:3], ("Impersonate-Uid", "8"), AS_ANA[4])),
        ({}, ["--as", "ben", "--as-group", "one"], (("Impersonate-User", "ben"), ("Impersonate-Group", "one"))),
        (ANA, ["--user", "plain"], ()),
    ],
)
def test_a_kubeconfig_may_act_as_somebody(tmp_path: Path, user: dict[str, object], words: list[str], expected: tuple[object, ...]) -> None:
    file = tmp_path / "config"
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t", **user}}, {"name": "plain", "user": {"token": "p"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
            }
        )
    )  # fmt: skip
    arguments, _ = main.parse(["version", *words])
    found = connect(arguments, {"KUBECONFIG": str(file)})
    assert (found.namespace, found.impersonation) == ("shop", expected)


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"as": "ana", "as-groups": 7}, "as-groups of the user: Input should be a valid list"),
        ({"as": ["ana"]}, "as of the user: Input should be a valid string"),
        ({"as": "ana", "as-user-extra": {"why": "audit"}}, "as-user-extra.why of the user: Input should be a valid list"),
        ({"token": "\u0100secret"}, "a header cannot be sent"),
    ],
)
def test_a_kubeconfig_whose_user_is_odd_is_an_error_for_people(
    tmp_path: Path, user: dict[str, object], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "config", "c", "http://127.0.0.1:1", **user)))

    assert main.run(["status", "release/web"]) == 1
    error = capsys.readouterr().err
    assert said in error and "secret" not in error and "defect" not in error and len(error.splitlines()) == 1


def test_an_address_without_a_scheme_is_an_error_for_people(tmp_path: Path) -> None:
    arguments, _ = main.parse(["version", "--server", "127.0.0.1:1"])
    with pytest.raises(errors.CommandError, match=r"'127\.0\.0\.1:1' does not begin with https://"):
        connect(arguments, {"KUBECONFIG": str(kubeconfig(tmp_path / "config", "c", "http://127.0.0.1:1"))})


WEB = "/apis/ecs-release.dev/v1alpha1/namespaces/shop/releases/web"


def kubeconfig(path: Path, name: str, url: str, **user: Any) -> Path:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))
    return path


def test_kubeconfig_files_are_merged_and_flags_choose(server: Server, tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", "one", server.url, token="first")
    two = kubeconfig(tmp_path / "two", "two", "http://127.0.0.1:1", token="second")
    files = f"{one}:{tmp_path / 'none'}:{two}"
    server.answers[WEB] = (200, b"{}")

    def opened(*words: str) -> Session:
        return Session(main.parse(["version", *words])[0], {"KUBECONFIG": files})

    assert opened("--context=one").namespace == "ns-one"
    assert opened("--context=one", "-n", "mine").namespace == "mine"
    with opened("--context=two", "--cluster=one") as mixed:
        mixed.api.get("Release", "web", "shop")
        assert mixed.namespace == "ns-two"
    assert server.requests[-1][2][0]["Authorization"] == "Bearer second"
    with opened("--context=one", "--user=two") as mixed:
        mixed.api.get("Release", "web", "shop")
    assert server.requests[-1][2][0]["Authorization"] == "Bearer second"
    for words, message in (
        (("--context=three",), "there is no context 'three' in the kubeconfig (there are: one, two)"),
        (("--user=three", "--context=one"), "there is no user 'three'"),
        (("--cluster=three", "--context=one"), "three"),
        (("--kubeconfig=/nowhere",), "there is no file /nowhere"),
        (("--as-group=a", "--context=one"), "--as-group and --as-uid need --as"),
    ):
        with pytest.raises(errors.CommandError) as raised:
            _ = opened(*words).connection
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_program_may_log_in(server: Server, tmp_path: Path) -> None:
    plugin = tmp_path / "login"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o700)
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    config = kubeconfig(tmp_path / "config", "one", server.url, exec=login)
    server.answers[WEB] = (200, b"{}")
    with Session(main.parse(["version", f"--kubeconfig={config}"])[0], {}) as opened:
        opened.api.get("Release", "web", "shop")
    assert server.requests[0][2][0]["Authorization"] == "Bearer made"


def test_no_cluster_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(errors.CommandError, match="set KUBECONFIG or give --kubeconfig"):
        _ = Session(main.parse(["version"])[0], {}).connection
    with pytest.raises(errors.CommandError, match="the pod's service account cannot be used"):
        _ = Session(main.parse(["version"])[0], {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).connection
