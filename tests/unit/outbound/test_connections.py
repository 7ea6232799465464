"""The file of connections: what is taken, and what is refused, by the field's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecs_release.outbound.connections import ConfigError, load, read_secret

APP = "app: {id: 1, installationID: 2, privateKeyFile: /keys/a.pem}"


def written(folder: Path, text: str) -> Path:
    path = folder / "connections.yaml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"""
        github:
        - {{name: main, {APP}}}
        - {{name: enterprise, url: "https://github.example/api/v3/", tokenFile: /keys/token, caFile: /keys/ca.pem}}
        - {{name: cloud, url: "https://api.acme.ghe.com", tokenFile: /keys/token}}
        slack:
        - {{name: main, tokenFile: /keys/slack}}
        """,
    )
    found = load(path, allow_loopback=False)

    assert [(one.name, one.url, one.host) for one in found.github] == [
        ("main", "https://api.github.com", "github.com"),
        ("enterprise", "https://github.example/api/v3", "github.example"),
        ("cloud", "https://api.acme.ghe.com", "acme.ghe.com"),
    ]
    assert found.slack[0].url == "https://slack.com/api"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("github: [{name: main}]", "github.0: .*give app or tokenFile"),
        (f"github: [{{name: main, tokenFile: /t, {APP}}}]", "give app or tokenFile"),
        ("github: [{name: Main, tokenFile: /t}]", "github.0.name"),
        ("github: [{name: a, tokenFile: /t}, {name: a, tokenFile: /t}]", "name 'a' is there twice"),
        ("github: [{name: a, tokenFile: /t, url: 'http://github.example'}]", "must begin with https"),
        ("github: [{name: a, tokenFile: /t, url: 'http://127.0.0.1:80'}]", "must begin with https"),
        ("github: [{name: a, tokenFile: /t, url: 'https://user:pw@github.example'}]", "github.0.url"),
        ("slack: [{name: a, tokenFile: /t, proxy: x}]", "slack.0.proxy"),
        ("slack: [{name: a}]", "slack.0.tokenFile"),
        ("[", "cannot read"),
    ],
)
def test_refused(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        load(written(tmp_path, text), allow_loopback=False)


def test_loopback_by_a_setting_only(tmp_path: Path) -> None:
    path = written(tmp_path, "slack: [{name: a, tokenFile: /t, url: 'http://127.0.0.1:8080/api'}]")

    assert load(path, allow_loopback=True).slack[0].url == "http://127.0.0.1:8080/api"
    with pytest.raises(ConfigError):
        load(written(tmp_path, "slack: [{name: a, tokenFile: /t, url: 'http://127.0.0.2'}]"), allow_loopback=True)


def test_a_secret_is_never_in_a_message(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("se cret\n")

    with pytest.raises(ConfigError) as caught:
        read_secret(path)
    assert "se cret" not in str(caught.value) and str(path) in str(caught.value)
    path.write_text(" xoxb-1 \n")
    assert read_secret(path) == "xoxb-1"
    with pytest.raises(ConfigError, match="cannot read"):
        read_secret(tmp_path / "missing")
