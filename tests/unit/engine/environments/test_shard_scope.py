"""What a process acts on: nothing before it leads, then its shard's objects, those under way first."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.domain.environments.sharding import shards_of
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.environments.shard_scope import ShardScope
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store
from tests.builders.objects import environment_object, metadata, project_object, release_object, release_set_object

SHARDS = shards_of({"prod": ["111122223333"]})
ACCOUNTS = {"prod": "111122223333", "stage": "444455556666"}


def environment(name: str, account: str, **spec: Any) -> dict[str, Any]:
    return environment_object(name, aws={"accountID": account, "region": "eu-west-1"}, **spec)


def into(environment: str, name: str = "web", **status: Any) -> dict[str, Any]:
    return release_object(name, environmentRef={"name": environment}, status=status)


@pytest.fixture
def store() -> Store:
    store = Store()
    for name, account in ACCOUNTS.items():
        store.changed(ENVIRONMENT, environment(name, account))
    store.changed(ENVIRONMENT, {"metadata": metadata("broken"), "spec": {}})
    store.changed(PROJECT, project_object())
    store.changed(RELEASE_SET, release_set_object("all-prod"))
    store.changed(RELEASE_SET, release_set_object("all-stage", environmentRef={"name": "stage"}))
    for name in ("prod", "stage", "broken", "missing"):
        store.changed(RELEASE, into(name, f"a-{name}"))
        store.changed(RELEASE, into(name, f"b-{name}", rollout={"attemptID": "1"}))
    return store


def scope(store: Store, shard: str) -> ShardScope:
    return ShardScope(store, EngineSettings(shard=shard, shards=SHARDS))


def named(keys: list[ObjectKey]) -> list[str]:
    return list(dict.fromkeys(f"{key.kind}/{key.name}" for key in keys))


def test_each_shard_acts_on_its_own_and_what_is_under_way_comes_first(store: Store) -> None:
    prod, rest = (named(list(scope(store, shard).begin())) for shard in ("prod", "default"))
    assert prod == ["Release/b-prod", "ReleaseSet/all-prod", "Release/a-prod", "Environment/prod"]
    assert rest[:3] == ["Release/b-stage", "Release/b-broken", "Release/b-missing"]
    assert set(rest[3:]) == {
        "ReleaseSet/all-stage", "Release/a-stage", "Release/a-broken", "Release/a-missing", "Environment/stage", "Environment/broken",
        "Project/store",
    }  # fmt: skip


def test_all_shards_together_cover_each_object_once(store: Store) -> None:
    scopes = [scope(store, shard) for shard in SHARDS.names]
    covered = [named(list(each.begin())) for each in scopes]
    everything = [f"{kind}/{name}" for kind in (RELEASE, RELEASE_SET, ENVIRONMENT, PROJECT) for _, name, _ in store.known(kind)]
    assert sorted(name for names in covered for name in names) == sorted(everything)


def test_a_standby_covers_nothing(store: Store) -> None:
    assert not any(scope(store, shard).covers(ObjectKey(RELEASE, "shop", "a-prod")) for shard in SHARDS.names)


def test_one_that_ends_covers_nothing_any_more(store: Store) -> None:
    prod, key = scope(store, "prod"), ObjectKey(RELEASE, "shop", "a-prod")
    list(prod.begin())
    prod.end()
    assert not prod.covers(key)


def test_an_environment_that_is_made_again_elsewhere_changes_hands(store: Store) -> None:
    prod, key = scope(store, "prod"), ObjectKey(RELEASE, "shop", "a-prod")
    list(prod.begin())
    assert prod.covers(key)
    store.deleted(ObjectKey(ENVIRONMENT, "", "prod"))
    assert not prod.covers(key)
    store.changed(ENVIRONMENT, environment("prod", ACCOUNTS["stage"]) | {"metadata": metadata("prod", uid="new")})
    assert not prod.covers(key)


@pytest.mark.parametrize(
    ("allowed", "namespaces", "covered"),
    [
        ({"names": ["shop"]}, (), True),
        (None, (), True),
        ({"names": ["shop", "other"]}, ("shop",), True),
        ({"names": ["other"]}, ("shop",), False),
        (None, ("shop",), False),
        ({"selector": {"matchLabels": {"a": "b"}}}, ("shop",), True),
    ],
)
def test_an_environment_that_admits_no_watched_namespace_is_anothers(
    allowed: Any, namespaces: tuple[str, ...], covered: bool, store: Store
) -> None:
    """Nobody else writes its status; but a Release that names it is told so."""
    store.changed(ENVIRONMENT, environment("shared", ACCOUNTS["stage"], allowedNamespaces=allowed))
    store.changed(RELEASE, into("shared"))
    its = ShardScope(store, EngineSettings(namespaces=namespaces))
    list(its.begin())
    assert its.covers(ObjectKey(ENVIRONMENT, "", "shared")) is covered
    assert its.keeps_record("shared"), "it may have been ours until now"
    assert its.covers(ObjectKey(RELEASE, "shop", "web"))
