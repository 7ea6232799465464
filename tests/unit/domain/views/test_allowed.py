"""Where a Project may be shown: a table."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.domain.model.errors import Blocked, Waiting
from ecs_release.domain.views.allowed import channel_of, repository_of
from tests.builders.objects import environment, project

GITHUB: dict[str, Any] = {
    "credentials": "main",
    "repositories": [
        {"namespaces": ["shop"], "repositories": ["acme/store", "acme/web-*"]},
        {"namespaces": ["team-*"], "repositories": ["teams/*"]},
    ],
}


def a_project(namespace: str = "shop", url: str = "", channel: str = "") -> Any:
    found = project()
    spec = found.spec.model_dump(by_alias=True, mode="json")
    spec |= {"git": {"url": url}} if url else {}
    spec |= {"notify": {"slackChannel": channel}} if channel else {}
    meta = found.metadata.model_copy(update={"namespace": namespace})
    return found.model_copy(update={"spec": type(found.spec).model_validate(spec), "metadata": meta})


@pytest.mark.parametrize(
    ("namespace", "url", "repository"),
    [
        ("shop", "https://github.com/acme/store", "acme/store"),
        ("shop", "https://github.com/Acme/Store.git", "acme/store"),
        ("shop", "https://github.com/acme/web-app/", "acme/web-app"),
        ("team-a", "https://github.com/teams/anything", "teams/anything"),
        ("team-a", "https://github.com/teams/.github", "teams/.github"),
        ("team-a", "https://github.com/teams/a..b_c", "teams/a..b_c"),
    ],
)
def test_allowed_repositories(namespace: str, url: str, repository: str) -> None:
    assert repository_of(environment(notify={"github": GITHUB}), a_project(namespace, url), "github.com") == repository


@pytest.mark.parametrize(
    ("namespace", "url", "why"),
    [
        ("shop", "https://github.com/acme/other", "does not list repository 'acme/other' for namespace 'shop'"),
        ("shop", "https://github.com/teams/anything", "does not list"),
        ("other", "https://github.com/acme/store", "does not list"),
        ("shop", "https://github.com/evil/acme/store", "no repository https://github.com/OWNER/NAME"),
        ("shop", "https://github.com.evil.example/acme/store", "no repository"),
        ("shop", "https://evil.example/acme/store", "no repository"),
        ("shop", "https://github.com:8443/acme/store", "no repository"),
        ("team-a", "https://github.com/teams", "no repository"),
        ("team-a", "https://github.com/teams/../acme", "no repository"),
        ("team-a", "https://github.com/teams/..", "no repository"),
        ("team-a", "https://github.com/teams/%2e%2e", "no repository"),
        ("team-a", "https://github.com/teams/.git", "no repository"),
        ("team-a", "https://github.com/teams/...git", "no repository"),
        ("team-a", "https://github.com/teams/a%2fb", "no repository"),
        ("team-a", "https://github.com/teams/\u0430", "no repository"),
        ("team-a", f"https://github.com/teams/{'x' * 101}", "no repository"),
    ],
)
def test_refused_repositories(namespace: str, url: str, why: str) -> None:
    with pytest.raises(Blocked, match=why) as caught:
        repository_of(environment(notify={"github": GITHUB}), a_project(namespace, url), "github.com")
    assert caught.value.reason == "TargetNotAllowed"


def test_no_repository_is_nothing_wrong() -> None:
    with pytest.raises(Waiting, match="names no repository"):
        repository_of(environment(notify={"github": GITHUB}), a_project(), "github.com")


@pytest.mark.parametrize(
    ("slack", "channel", "goes"),
    [
        ({"channel": "C01"}, "", "C01"),
        ({"channel": "C01"}, "C01", "C01"),
        ({"channel": "C01", "channels": [{"namespaces": ["shop"], "channels": ["C02"]}]}, "C02", "C02"),
        ({"channel": "C01", "channels": [{"namespaces": ["other"], "channels": ["C02"]}]}, "C02", Blocked),
        ({"channel": "C01"}, "C03", Blocked),
        ({"channels": [{"namespaces": ["*"], "channels": ["C02"]}]}, "", Waiting),
    ],
)
def test_channels(slack: dict[str, Any], channel: str, goes: Any) -> None:
    place = environment(notify={"slack": {"credentials": "main", **slack}})
    if isinstance(goes, str):
        assert channel_of(place, a_project(channel=channel)) == goes
    else:
        with pytest.raises(goes):
            channel_of(place, a_project(channel=channel))
