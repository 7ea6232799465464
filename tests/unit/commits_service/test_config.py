"""The configuration of the commits service, its page, and what it makes of git's settings and messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecs_release.commits_service import remote
from ecs_release.commits_service.bindings import Location
from ecs_release.commits_service.config import Binding, ConfigError, Limits, ServiceConfig, load
from ecs_release.commits_service.git import Done
from ecs_release.domain.ports.commits import UnknownReason
from ecs_release.metrics.commits_service import CommitsMetrics
from tests.documentation.commits_page import PAGE, page

MINIMAL = "tokenFile: /token\n"
BOUND = "bindings: [{hosts: [git.example.com], repositories: [shop/*], namespaces: [shop]}]\n"


def test_the_page_lists_every_field() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.documentation.commits_page"


def test_the_page_lists_every_reason() -> None:
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", PAGE.read_text(), re.MULTILINE)) == {str(reason) for reason in UnknownReason}


def test_the_page_lists_every_metric() -> None:
    metrics = CommitsMetrics("1", "2")
    metrics.answered("relation", "Known", 0.1)
    metrics.fetched("ok", 0.1)
    served = set(re.findall(r"^# TYPE (ecs_release_\w+) (\w+)$", metrics.render(1, 2, 3).decode(), re.MULTILINE))
    assert set(re.findall(r"^\| `(ecs_release_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)) == served


def test_an_example_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path.write_text(example)
    assert load(path).bindings[0].credential is not None
    path.write_text(MINIMAL)
    assert load(path).bindings == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tokenFile"),
        ("[]", "dictionary"),
        ("tokenFile: [", "cannot read"),
        (MINIMAL + "hosts: []", "hosts"),
        (MINIMAL + BOUND.replace("git.example.com", "https://git.example.com"), r"bindings\.0\.hosts\.0"),
        (MINIMAL + BOUND.replace("git.example.com", "-git"), r"bindings\.0\.hosts\.0"),
        (MINIMAL + BOUND.replace("git.example.com", '"*"'), r"bindings\.0\.hosts\.0"),
        (MINIMAL + BOUND.replace("shop/*", "/shop"), r"bindings\.0\.repositories\.0"),
        (MINIMAL + BOUND.replace("shop/*", "shop/../x"), r"bindings\.0\.repositories\.0"),
        (MINIMAL + BOUND.replace("namespaces: [shop]", "namespaces: [Shop]"), r"bindings\.0\.namespaces\.0"),
        (MINIMAL + BOUND.replace("namespaces: [shop]", "namespaces: []"), r"bindings\.0\.namespaces"),
        (MINIMAL + "limits: {queries: 0}", r"limits\.queries"),
        (MINIMAL + "#" * 300_000, "larger than"),
    ],
)
def test_a_wrong_configuration_names_the_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load(path)


def test_hosts_are_few() -> None:
    bindings = [{"hosts": [f"h{n}.example.com"], "repositories": ["x"], "namespaces": ["x"]} for n in range(17)]
    with pytest.raises(ValueError, match="at most 16 hosts"):
        ServiceConfig.model_validate({"tokenFile": "/token", "bindings": bindings})


def settings_of(credential: Path | None) -> dict[str, str]:
    given = {"username": "ana", "passwordFile": str(credential)} if credential else None
    body = {"hosts": ["git.example.com"], "repositories": ["x"], "namespaces": ["x"], "credential": given}
    return dict(remote.fetch_settings(Location("git.example.com", "x"), Binding.model_validate(body), Limits()))


def test_a_credential_is_for_its_host_alone(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    found = settings_of(tmp_path / "password")
    assert {name: value for name, value in found.items() if "Basic" in value} == {
        "http.https://git.example.com/.extraHeader": "Authorization: Basic YW5hOnMzY3JldA=="
    }
    assert not [value for value in settings_of(None).values() if "Basic" in value]
    assert (found["http.followRedirects"], found["protocol.allow"], found["protocol.https.allow"]) == ("false", "never", "always")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff"])
def test_a_credential_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(remote.CredentialError, match=str(tmp_path / "password")):
        settings_of(tmp_path / "password")


@pytest.mark.parametrize(
    ("stderr", "is_branch", "reason"),
    [
        ("fatal: couldn't find remote ref refs/heads/x", True, UnknownReason.BRANCH_NOT_FOUND),
        ("fatal: remote error: upload-pack: not our ref 012", False, UnknownReason.COMMIT_NOT_FOUND),
        ("error: Server does not allow request for unadvertised object 012", False, UnknownReason.COMMIT_NOT_FOUND),
        ("fatal: remote error: upload-pack: not our ref 012", True, UnknownReason.UNREADABLE),
        ("error: index-pack died of signal 25", True, UnknownReason.TOO_LARGE),
        ("fatal: Out of memory, malloc failed", True, UnknownReason.TOO_LARGE),
        ("fatal: unable to access 'x': The requested URL returned error: 302", True, UnknownReason.UNREADABLE),
        ("", False, UnknownReason.UNREADABLE),
    ],
)
def test_what_gits_messages_mean(stderr: str, is_branch: bool, reason: UnknownReason) -> None:
    assert remote.fault(Done(128, b"", stderr), is_branch=is_branch) is reason


def test_a_message_is_one_line_without_a_credential_or_control() -> None:
    said = remote.message(Done(128, b"", "warning: x\nremote: \x1b[2Jsee https://ana:s3cret@x/ \u202eold\nfatal: no\n"))
    assert said == "remote:  [2Jsee https://[redacted]@x/  old"
    assert remote.message(Done(-9, b"", "")) == "git ended with -9"
    asked = "error: unable to read askpass response from '/bin/false'\nfatal: could not read Username for 'https://x': terminal prompts disabled"
    assert remote.message(Done(128, b"", asked)).startswith("the host refuses the credential of the repository's binding")
    assert len(remote.message(Done(1, b"", "fatal: " + "x" * 5000))) == 300
