"""What the chart's roles give a team in one namespace: an editor and a viewer, as real users, on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.api import MERGE, Refused
from tests.e2e.bed import Bed, Place
from tests.e2e.people import Person, body, grant, path_of

_AWS = {"accountID": "111122223333", "region": "eu-west-1"}


@pytest.fixture(scope="module")
def team(installed: Bed) -> tuple[Place, Place]:
    """The namespace of a team in which eve may edit and vic may view, and another one. Eva may edit in all of them."""
    ours, theirs = Place(installed), Place(installed)
    grant(installed.cluster, "edit", "eve", namespace=ours.name)
    grant(installed.cluster, "view", "vic", namespace=ours.name)
    grant(installed.cluster, "edit", "eva")
    theirs.project()
    theirs.release("v1", suspend=True)
    ours.until(
        lambda: _may(ours, "eve", "create") and _may(ours, "vic", "list") and _may(theirs, "eva", "create"),
        "the roles to include ours",
        show=dict,
    )
    return ours, theirs


def _may(place: Place, who: str, verb: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": place.name, "verb": verb, "group": "ecs-release.dev", "resource": "releases"}},
    }
    return bool(Person(place.bed, who).ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)["status"]["allowed"])


def _environment(name: str) -> dict[str, Any]:
    spec = {
        "aws": _AWS,
        "target": {"cluster": "c", "serviceName": "{service}"},
        "observation": {"eventQueueURL": "http://169.254.169.254/"},
    }
    return {"apiVersion": "ecs-release.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec}


ATTACKS: dict[str, tuple[str, Callable[[Person, Place, Place], object]]] = {
    "create in another namespace": ("eve", lambda who, _, theirs: who.ask("POST", path_of("Release", theirs.name), body(theirs))),
    "create an Environment": ("eve", lambda who, ours, _: who.ask("POST", path_of("Environment", ""), _environment(ours.name))),
    "create an Environment, as an editor of all namespaces": (
        "eva", lambda who, ours, _: who.ask("POST", path_of("Environment", ""), _environment(ours.name))
    ),
    "list another namespace": ("eve", lambda who, _, theirs: who.ask("GET", path_of("Release", theirs.name))),
    "list all namespaces": ("eve", lambda who, _ours, _theirs: who.ask("GET", "/apis/ecs-release.dev/v1alpha1/releases")),
    "patch in another namespace": (
        "eve", lambda who, _, theirs: who.ask("PATCH", path_of("Release", theirs.name, "web"), {"spec": {"suspend": False}}, MERGE)
    ),
    "write a status": (
        "eve", lambda who, ours, _: who.ask("PATCH", f"{path_of('Release', ours.name, 'mine')}/status", {"status": {"phase": "x"}}, MERGE)
    ),
    "a viewer creates": ("vic", lambda who, ours, _: who.ask("POST", path_of("Release", ours.name), body(ours))),
    "a viewer patches": (
        "vic", lambda who, ours, _: who.ask("PATCH", path_of("Release", ours.name, "mine"), {"spec": {"suspend": True}}, MERGE)
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_roles_end_at_the_namespace(team: tuple[Place, Place], attack: str) -> None:
    who, attempt = ATTACKS[attack]
    with pytest.raises(Refused, match=r"^403: .*forbidden"):
        attempt(Person(team[0].bed, who), *team)


def test_an_editor_may_create_in_their_own(team: tuple[Place, Place]) -> None:
    """Else the refusals would say nothing."""
    ours, _ = team
    assert Person(ours.bed, "eve").ask("POST", path_of("Release", ours.name), body(ours))["spec"]["service"] == "web"
