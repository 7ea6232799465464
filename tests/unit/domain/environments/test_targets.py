"""Where a Release goes, and what its Environment allows (law 12)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecs_release.domain.environments.targets import check_deployable, may_admit, namespace_allowed, refusal, resolve_target
from ecs_release.domain.model.errors import Blocked
from tests.builders.ecs import deployment, service
from tests.builders.objects import environment, project


def test_the_template_names_the_service() -> None:
    target = resolve_target(environment(), project(), "web")
    assert str(target.key) == "prod/prod-store-front-web in 111122223333/eu-west-1"
    assert target.registry_host == "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    assert target.tag_formats == ("ref.{releaseHash}", "{releaseHash}")


def test_a_template_with_the_namespace_keeps_teams_apart() -> None:
    place = environment(target={"cluster": "prod", "serviceName": "{namespace}-{service}"})
    assert resolve_target(place, project(), "web").key.service == "shop-web"


@pytest.mark.parametrize("template", ["{service}.x", "?watch=true&x={service}", "../{service}", "{service}\n", "{other}"])
def test_a_name_that_ecs_cannot_have_is_not_asked_for(template: str) -> None:
    place = environment(target={"cluster": "prod", "serviceName": template})
    with pytest.raises(Blocked, match="cannot be the name of an ECS service"):
        resolve_target(place, project(), "web")


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
    why = refusal(place, "shop", labels)
    assert said in why
    assert bool(said) == bool(why)
    if said:
        with pytest.raises(Blocked, match=re.escape(why)) as raised:
            resolve_target(place, project(), "web", labels)
        assert raised.value.reason == "TargetNotAllowed"


@pytest.mark.parametrize(
    ("allowed", "may"),
    [(None, False), ({"names": ["x", "shop"]}, True), ({"names": ["x"]}, False), (SELECTOR, True), ({"selector": {}}, True)],
)
def test_which_environments_may_admit_one_of_some_namespaces(allowed: Any, may: bool) -> None:
    assert may_admit(environment(allowedNamespaces=allowed), ("shop", "other")) is may


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (service(deployment(1)), ""),
        (service(deployment(1), controller=""), ""),
        (None, "ServiceNotFound"),
        (service(status="INACTIVE"), "ServiceNotFound"),
        (service(deployment(1), status="DRAINING"), "ServiceNotFound"),
        (service(deployment(1), controller="CODE_DEPLOY"), "UnsupportedController"),
        (service(deployment(1), controller="EXTERNAL"), "UnsupportedController"),
        (service(deployment(1), resource_management="ECS"), "UnsupportedController"),
    ],
)
def test_ecs_itself_must_roll_a_service_out(seen: Any, reason: str) -> None:
    key = resolve_target(environment(), project(), "web").key
    if not reason:
        assert check_deployable(key, seen) is seen
        return
    with pytest.raises(Blocked) as caught:
        check_deployable(key, seen)
    assert caught.value.reason == reason
