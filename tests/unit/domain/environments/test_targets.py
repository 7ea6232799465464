"""Where a Release goes, and what its Environment allows (law 12)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import hash_of_tags, lookups, source_hash, wanted_hash
from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.environments.claims import Claim, holder
from ecs_release.domain.environments.targets import ListedContainer, may_admit, namespace_allowed, refused, resolve_target
from ecs_release.domain.model.errors import Blocked
from tests.builders.ecs import NEW, NOW, OLD


def environment(**spec: Any) -> Environment:
    usual = {
        "allowedNamespaces": {"names": ["shop"]},
        "aws": {"accountID": "111122223333", "region": "eu-west-1", "roleARN": "arn:aws:iam::111122223333:role/r"},
        "target": {"cluster": "prod", "serviceName": "{environment}-{project}-{serviceSet}-{service}"},
    }
    return Environment.model_validate({"metadata": {"name": "prod"}, "spec": {**usual, **spec}})


def project(**service: Any) -> Project:
    services = [{"name": "web", "containers": [{"name": "app", "repository": "shop/web"}], **service}]
    return Project.model_validate(
        {"metadata": {"name": "store", "namespace": "shop"}, "spec": {"serviceSets": [{"name": "front", "services": services}]}}
    )


def test_the_template_names_the_service() -> None:
    target = resolve_target(environment(), project(), "web")
    assert str(target.key) == "prod/prod-store-front-web in 111122223333/eu-west-1"
    assert target.registry_host == "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert target.tag_formats == ("ref.{releaseHash}", "{releaseHash}")


def test_a_template_with_the_namespace_keeps_teams_apart() -> None:
    place = environment(target={"cluster": "prod", "serviceName": "{namespace}-{service}"})
    assert resolve_target(place, project(), "web").key.service == "shop-web"


def test_a_registry_elsewhere_is_read_with_its_own_role() -> None:
    artifacts = {"registryID": "444455556666", "region": "us-east-1", "roleARN": "arn:aws:iam::444455556666:role/read"}
    target = resolve_target(environment(artifacts=artifacts), project(), "web")
    assert (target.registry_access.role_arn, target.registry_access.region) == (artifacts["roleARN"], "us-east-1")
    assert target.access.role_arn == "arn:aws:iam::111122223333:role/r"


ALLOWED = [{"namespaces": ["shop"], "clusters": ["prod"], "serviceNames": ["web-*"]}]
TARGET = {"environment": "prod", "serviceName": "web-1"}


@pytest.mark.parametrize(
    ("allowed", "own", "fits"),
    [
        (ALLOWED, TARGET, True),
        (ALLOWED, {**TARGET, "serviceName": "db"}, False),
        (ALLOWED, {**TARGET, "cluster": "other"}, False),
        (None, TARGET, False),
        (None, {"environment": "prod", "serviceName": "prod-store-front-web"}, True),
        (None, {"environment": "elsewhere", "serviceName": "db"}, True),
        ([{**ALLOWED[0], "namespaces": ["others"]}], TARGET, False),
        ([{**ALLOWED[0], "clusters": ["*"]}], {**TARGET, "cluster": "any"}, True),
    ],
)
def test_a_target_of_its_own_must_be_allowed(allowed: Any, own: dict[str, str], fits: bool) -> None:
    place = environment(
        target={"cluster": "prod", "serviceName": "{environment}-{project}-{serviceSet}-{service}"}
        | ({"allowed": allowed} if allowed else {})
    )
    if fits:
        resolve_target(place, project(targets=[own]), "web")
    else:
        with pytest.raises(Blocked, match=r"spec\.target\.allowed") as refusal:
            resolve_target(place, project(targets=[own]), "web")
        assert refusal.value.reason == "TargetNotAllowed"


@pytest.mark.parametrize(
    ("allowed", "labels", "admitted"),
    [
        (None, {}, False),
        ({"names": ["shop", "x"]}, None, True),
        ({"names": ["x"]}, {"a": "b"}, False),
        ({"selector": {}}, None, True),
        ({"selector": {"matchLabels": {"a": "b"}}}, {"a": "b"}, True),
        ({"selector": {"matchLabels": {"a": "b"}}}, {"a": "c"}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, None, False),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}}, {"a": "b"}, True),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}}, {}, True),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}}, {"a": "b"}, False),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}, {"a": ""}, True),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}}, {"a": ""}, False),
    ],
)
def test_namespaces_are_admitted_by_name_or_label(allowed: Any, labels: dict[str, str] | None, admitted: bool) -> None:
    assert namespace_allowed(environment(allowedNamespaces=allowed), "shop", labels) is admitted


def test_an_unknown_service_is_told_with_those_there_are() -> None:
    with pytest.raises(Blocked, match="has no service 'wbe': add it there, or name one of: web"):
        resolve_target(environment(), project(), "wbe")


def test_a_repository_must_be_allowed() -> None:
    with pytest.raises(Blocked, match="allowedRepositories"):
        resolve_target(environment(artifacts={"allowedRepositories": ["other/*"]}), project(), "web")


def source(**spec: Any) -> Source:
    return Source.model_validate(spec)


APP, SIDE = ListedContainer("app", "shop/web"), ListedContainer("side", "shop/side")


def test_equal_sources_have_equal_hashes() -> None:
    one = [{"container": "app", "digest": NEW}, {"container": "side", "digest": OLD}]
    assert source_hash(source(images=one)) == source_hash(source(images=one[::-1]))
    assert source_hash(source(images=one)) == source_hash(source(images=[{**one[0], "releaseHash": "x"}, one[1]]))
    hashes = {source_hash(s) for s in (source(images=one), source(tag="a"), source(releaseHash="a"), source(tag="b"))}
    assert len(hashes) == 4


def test_tags_are_tried_in_order_and_for_each_container() -> None:
    found = lookups(source(releaseHash="1a2b3c4"), (APP, SIDE), ("ref.{releaseHash}", "{releaseHash}"))
    assert [(x.container, x.repository, x.tags) for x in found] == [
        ("app", "shop/web", ("ref.1a2b3c4", "1a2b3c4")),
        ("side", "shop/side", ("ref.1a2b3c4", "1a2b3c4")),
    ]


@pytest.mark.parametrize(("images", "why"), [(["app"], "no image for container side"), (["app", "side", "x"], "names container x")])
def test_images_must_name_each_container_exactly(images: list[str], why: str) -> None:
    with pytest.raises(Blocked, match=why):
        lookups(source(images=[{"container": c, "digest": NEW} for c in images]), (APP, SIDE), ())


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("latest", "ref.1a2b3c4"), "1a2b3c4"), (("latest", "1a2b3c4"), "1a2b3c4"), (("latest", "env.prod"), ""), ((), ""),
        (("ref.v2", "1a2b3c4"), "v2"),
    ],
)  # fmt: skip
def test_a_release_hash_is_read_off_tags(tags: tuple[str, ...], found: str) -> None:
    assert hash_of_tags(tags, ("ref.{releaseHash}", "{releaseHash}")) == found


def test_what_people_call_it() -> None:
    assert wanted_hash(source(releaseHash="a")) == "a"
    assert wanted_hash(source(images=[{"container": "app", "digest": NEW, "releaseHash": "h"}])) == "h"
    assert wanted_hash(source(images=[{"container": "app", "digest": NEW}])) == ""


CLAIMS = (Claim(NOW, "shop/young"), Claim(NOW.replace(year=2020), "shop/old"))


@pytest.mark.parametrize(
    ("running", "whose"),
    [
        (None, "shop/old"),
        (Ownership("default", "shop/young", "", ""), "shop/young"),
        (Ownership("default", "shop/gone", "", ""), "shop/old"),
        (Ownership("blue", "shop/young", "", ""), "shop/young of installation 'blue'"),
    ],
)
def test_who_holds_a_service(running: Ownership | None, whose: str) -> None:
    assert holder(CLAIMS, running, "default") == whose
    assert holder((), None, "default") == ""


@pytest.mark.parametrize(
    ("running", "namespaces", "whose"),
    [
        ("pay/gone", (), "shop/old"),
        ("pay/gone", ("shop", "pay"), "shop/old"),
        ("pay/web", ("shop",), "pay/web, in a namespace that this operator does not watch, or may not look into"),
        ("shop/gone", ("shop",), "shop/old"),
        ("", ("shop",), "shop/old"),
    ],
)
def test_what_is_not_watched_is_not_taken_for_gone(running: str, namespaces: tuple[str, ...], whose: str) -> None:
    assert holder(CLAIMS, Ownership("default", running, "", ""), "default", namespaces) == whose


SELECTOR = {"selector": {"matchLabels": {"a": "b"}}}


@pytest.mark.parametrize(
    ("allowed", "labels", "said"),
    [
        ({"names": ["shop"]}, None, ""),
        (SELECTOR, {"a": "b"}, ""),
        (SELECTOR, {"a": "c"}, "does not allow namespace 'shop'"),
        ({"names": ["x"]}, None, "does not allow namespace 'shop'"),
        (None, None, "does not allow namespace 'shop'"),
        (SELECTOR, None, "allows namespaces by label, and those of namespace 'shop' may not be read"),
    ],
)
def test_a_namespace_that_is_refused_is_told_why(allowed: Any, labels: dict[str, str] | None, said: str) -> None:
    place = environment(allowedNamespaces=allowed)
    why = refused(place, "shop", labels)
    assert said in why
    assert bool(said) == bool(why)
    if said:
        with pytest.raises(Blocked, match=re.escape(why)) as refusal:
            resolve_target(place, project(), "web", labels)
        assert refusal.value.reason == "TargetNotAllowed"


@pytest.mark.parametrize(
    ("allowed", "may"),
    [(None, False), ({"names": ["x", "shop"]}, True), ({"names": ["x"]}, False), (SELECTOR, True), ({"selector": {}}, True)],
)
def test_which_environments_may_admit_one_of_some_namespaces(allowed: Any, may: bool) -> None:
    assert may_admit(environment(allowedNamespaces=allowed), ("shop", "other")) is may
