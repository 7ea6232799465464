"""Specs that a team may write in its namespace: what the API server refuses, and what the operator does with the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.api import APPLY, Refused
from tests.e2e.bed import Bed, Place, condition
from tests.e2e.people import API, Person, body, path_of

HOMOGLYPH = "w\N{CYRILLIC SMALL LETTER IE}b"
ADMIN = ""
ODD_SERVICES = ("arn:aws:ecs:eu-west-1:111122223333:service/c/s", "a/b", "../x", "{namespace}", "", "x" * 64, HOMOGLYPH, "web\n", "web\0")
ODD_REPOSITORIES = (
    "..",
    "a//b",
    "../b",
    "shop/../other",
    f"shop/{HOMOGLYPH}",
    "evil.com:443/a",
    "shop/web:latest",
    "shop/web\n",
    "shop/web@x",
)


def project(place: Place, service: str = "web", repository: str = "shop/web", **target: str) -> dict[str, Any]:
    """Make a Project of one service."""
    its = {"name": service, "containers": [{"name": "app", "repository": repository}]}
    if target:
        its["targets"] = [{"environment": place.name, **target}]
    spec = {"serviceSets": [{"name": "all", "services": [its]}]}
    return {"apiVersion": API, "kind": "Project", "metadata": {"name": "odd", "namespace": place.name}, "spec": spec}


def refused(place: Place, wanted: dict[str, Any], query: str = "") -> str:
    """Send an object as an administrator does, whom no role stops. Returns why it is refused."""
    path = path_of(wanted["kind"], place.name)
    with pytest.raises(Refused) as refusal:
        Person(place.bed, ADMIN).ask("POST", f"{path}?dryRun=All{query}", wanted)
    return str(refusal.value)


@pytest.mark.parametrize("name", ODD_SERVICES)
def test_a_service_has_the_name_of_a_service(place: Place, name: str) -> None:
    assert refused(place, project(place, service=name)).startswith("422: ")
    assert refused(place, body(place, service=name)).startswith("422: ")
    assert refused(place, body(place, "ReleaseSet", services=[name])).startswith("422: ")


@pytest.mark.parametrize("name", ODD_REPOSITORIES)
def test_a_repository_has_the_name_of_one(place: Place, name: str) -> None:
    assert refused(place, project(place, repository=name)).startswith("422: ")


@pytest.mark.parametrize(
    "target", [{"cluster": "a/b"}, {"serviceName": "../x"}, {"cluster": "arn:aws:ecs:x"}, {"serviceName": "{service}"}]
)
def test_a_target_has_names_of_ecs(place: Place, target: dict[str, str]) -> None:
    assert refused(place, project(place, **target)).startswith("422: ")


def test_an_image_names_no_repository(place: Place) -> None:
    """The Project says where images are, and the Environment which of them; a Release gives digests only."""
    digest = f"sha256:{'a' * 64}"
    wanted = body(place, source={"images": [{"container": "app", "digest": digest, "repository": "other/web"}]})
    assert 'unknown field "spec.source.images[0].repository"' in refused(place, wanted, "&fieldValidation=Strict")
    kept = Person(place.bed, ADMIN).ask("POST", f"{path_of('Release', place.name)}?dryRun=All", wanted)
    assert kept["spec"]["source"]["images"] == [{"container": "app", "digest": digest}], "without that it is dropped"


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("bomb", "4"), ("deep", "4"), ("body", "413: "), ("annotation", "422: "),
    ],
)  # fmt: skip
def test_the_api_server_bounds_what_it_reads(place: Place, what: str, status: str) -> None:
    """Aliases that multiply, nesting without an end, a body of four megabytes, annotations of more than 256 KiB."""
    who, path = Person(place.bed, ADMIN), path_of("Release", place.name)
    if what == "bomb":
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
        said = _raw(place, f"{path}/bomb?fieldManager=x&force=true", "\n".join(lines).encode())
    elif what == "deep":
        said = _raw(place, f"{path}/deep?fieldManager=x&force=true", b'{"spec":' + b"[" * 9000 + b"]" * 9000 + b"}")
    else:
        size = 4_000_000 if what == "body" else 300_000
        with pytest.raises(Refused) as refusal:
            who.ask("POST", f"{path}?dryRun=All", body(place, annotations={"example.com/x": "x" * size}))
        said = str(refusal.value)
    assert said.startswith(status), said


def _raw(place: Place, path: str, data: bytes) -> str:
    """Apply bytes as they are. Returns the status of the answer, and its message."""
    api = place.bed.api.api_client
    token = api.configuration.auth_settings().get("BearerToken", {}).get("value")
    headers = {"Content-Type": APPLY} | ({"Authorization": token} if token else {})
    url = api.configuration.host + path
    answer = api.rest_client.pool_manager.request("PATCH", url, headers=headers, body=data, timeout=60)
    return f"{answer.status}: {json.loads(answer.data).get('message', '')}"


def test_a_registry_in_front_of_an_allowed_repository_is_another_repository(shop: Place) -> None:
    """`*` crosses slashes, but begins where it stands."""
    shop.environment(artifacts={"allowedRepositories": [f"{shop.name}/*"]})
    for repository in (f"evil.com/{shop.name}/web", f"111122223333.dkr.ecr.eu-west-1.amazonaws.com/{shop.name}/web"):
        shop.project(containers={"app": repository})
        shop.release("v1")
        message = shop.until(
            lambda repository=repository: (m := str(condition(shop.status(), "Ready").get("message"))) and repository in m and m,
            "the refusal",
        )
        assert "allowedRepositories" in message and condition(shop.status(), "Ready")["reason"] == "TargetNotAllowed"
    assert not [c for c in shop.aws.calls(since=shop.begun) if "evil.com" in str(c)]
    shop.project()
    shop.wait("Succeeded")


def test_a_digest_of_another_repository_is_none_of_this_one(shop: Place) -> None:
    digest = shop.aws.push_image(f"{shop.name}/theirs", ["v9"], account=shop.account, region=shop.region)
    shop.release({"images": [{"container": "app", "digest": digest}]})
    shop.wait("ArtifactNotFound")
    assert shop.mutations() == []


@pytest.mark.parametrize("case", ["a dot", "too long"])
def test_a_service_that_ecs_has_no_such_name_for_deploys_nothing(place: Place, case: str) -> None:
    name = "a.b" if case == "a dot" else "x" * 63
    if case == "a dot":
        place.environment()
    else:
        place.environment(target={"cluster": place.name, "serviceName": "-".join(["{service}"] * 5)})
    place.push("v1", service=name)
    place.project(name)
    place.release("v1", name, name="odd")
    status = place.until(lambda: (s := place.status("odd")) and condition(s, "Stalled").get("status") == "True" and s, "the refusal", "odd")
    assert condition(status, "Ready")["reason"] == "InvalidSpec"
    assert place.mutations() == []
    assert [c for c in place.aws.calls(since=place.begun, service="ecs") if name in str(c["parameters"])] == []


def test_neither_a_cluster_nor_a_set_reaches_an_environment_that_does_not_admit_the_namespace(shop: Place, bed: Bed) -> None:
    """No call to AWS on its behalf, and no children."""
    shop.environment(allowedNamespaces={"names": ["somebody-else"]})
    mark = shop.aws.mark()
    shop.release("v1")
    shop.release_set("v1")
    shop.wait("TargetNotAllowed")
    shop.wait_set("TargetNotAllowed")
    assert shop.children() == {}
    assert [c for c in shop.aws.calls(mutating=True, since=mark) if shop.name in str(c)] == []
    assert bed.operator.probe("/healthz") == 200
