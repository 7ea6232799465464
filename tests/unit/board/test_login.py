"""Who looks, as headers of a login proxy say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from ecs_release.board.config import BoardSettings
from ecs_release.board.login import NoLogin, ProxyLogin
from ecs_release.board.viewer import UnknownViewerError, Viewer

HEADERS = BoardSettings(login="headers")


async def viewer(headers: Mapping[str, list[str]], settings: BoardSettings = HEADERS) -> Viewer:
    return await ProxyLogin(settings).viewer(lambda name: headers.get(name, []))


async def test_user_and_groups_are_what_the_proxy_says_and_what_the_api_server_adds() -> None:
    given = {"X-Forwarded-User": ["ben"], "X-Forwarded-Groups": ["org:team, org:ops", "more"]}
    assert await viewer(given) == Viewer("ben", ("more", "org:ops", "org:team", "system:authenticated"))


async def test_prefixes_are_those_of_the_clusters_own_login() -> None:
    settings = BoardSettings(login="headers", user_prefix="oidc:", groups_prefix="oidc:")
    assert await viewer({"X-Forwarded-User": ["ben"], "X-Forwarded-Groups": ["ops"]}, settings) == Viewer(
        "oidc:ben", ("oidc:ops", "system:authenticated")
    )


@pytest.mark.parametrize("users", [[], [""], ["  "], ["ben", "ada"], ["system:admin"], ["x" * 257]])
async def test_who_cannot_be_told_is_nobody(users: list[str]) -> None:
    with pytest.raises(UnknownViewerError):
        await viewer({"X-Forwarded-User": users, "X-Forwarded-Groups": ["ops"]})


async def test_no_login_makes_somebody_a_master_of_the_cluster() -> None:
    found = await viewer({"X-Forwarded-User": ["ben"], "X-Forwarded-Groups": ["system:masters,ops"]})
    assert "system:masters" not in found.groups


async def test_groups_are_bounded() -> None:
    found = await viewer({"X-Forwarded-User": ["ben"], "X-Forwarded-Groups": [",".join(f"g{n}" for n in range(5000))]})
    assert len(found.groups) == 501


async def test_without_a_login_nobody_is_asked() -> None:
    await NoLogin().viewer(lambda _: ["ben"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.com", ""])
@pytest.mark.parametrize("login", ["none", "headers"])
def test_it_listens_on_loopback_only_where_whoever_reaches_it_is_believed(host: str, login: str) -> None:
    with pytest.raises(ValidationError):
        BoardSettings.model_validate({"host": host, "login": login})
