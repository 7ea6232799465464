"""Whom a kubeconfig acts as: kubectl reads it there, and the Python client does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client.connection import connect

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
    arguments, _ = main.read(["version", *words])
    found = connect(arguments, {"KUBECONFIG": str(file)})
    assert (found.namespace, found.impersonation) == ("shop", expected)
