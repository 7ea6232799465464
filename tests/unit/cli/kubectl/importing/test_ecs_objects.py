"""A live cluster becomes objects: only what is proven is pinned, and a note names all that is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.cli.kubectl.importing.ecs_objects import (
    ImportableService,
    ObservedService,
    Options,
    convert,
    find_importable,
    preferred_image,
    wanted_images,
)
from ecs_release.cli.kubectl.importing.weco_manifest import Notes
from ecs_release.domain.ecs.service import Access, Container, Deployment, RegistryImage, Service, Task, TaskDefinition
from tests.unit.cli.kubectl.importing.conversion import check

NOW = datetime(2026, 5, 4, tzinfo=UTC)
HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ACCESS = Access("444455556666", "eu-west-1", "arn:aws:iam::444455556666:role/releases")


def options(**more: Any) -> Options:
    usual = {"namespace": "shop", "project": "shop", "service_set": "all", "environment": "prod", "cluster": "prod", "access": ACCESS}
    return Options(**{**usual, **more})


def seen(name: str, images: dict[str, str], *tasks: dict[str, str], controller: str = "ECS", deployments: int = 1) -> ObservedService:
    listed = tuple(Deployment(f"ecs-svc/{n}", "PRIMARY", "r", 1, 0, 1, 0, NOW) for n in range(deployments))
    running = tuple(
        Task(f"t{n}", "r", "ecs-svc/0", "RUNNING", "RUNNING", tuple(Container(c, digest=d) for c, d in task.items()))
        for n, task in enumerate(tasks)
    )
    service = Service(f"arn/{name}", name, "ACTIVE", NOW, "r", controller, 1, len(tasks), 0, listed, tasks=running)
    content = {"containerDefinitions": [{"name": c, "image": i} for c, i in images.items()]}
    return ObservedService(service, TaskDefinition("r", "f", 1, "ACTIVE", content))


def imported(*services: ObservedService, hashes: Any = None, **more: Any) -> tuple[list[dict[str, Any]], list[str]]:
    notes, wanted = Notes(), options(**more)
    host, found = find_importable(services, wanted, notes)
    assert host is not None
    documents = convert(host, found, hashes or {}, wanted, notes)
    check([d for d in documents if d["kind"] != "Release"])
    for document in documents:
        if document["kind"] == "Release":
            Release.model_validate(document)
    return documents, notes.lines


def releases(documents: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    return {d["spec"]["service"]: d["spec"]["source"]["images"] for d in documents if d["kind"] == "Release"}


def test_what_runs_is_pinned() -> None:
    web = seen("web", {"app": f"{HOST}/shop/web:latest", "log": "public.ecr.aws/fluent-bit:1"}, {"app": A, "log": B}, {"app": A, "log": B})
    documents, notes = imported(web, hashes={("shop/web", A): (A, "1a2b3c4")})
    assert [d["kind"] for d in documents] == ["Project", "Environment", "Release"]
    assert releases(documents) == {"web": [{"container": "app", "digest": A, "releaseHash": "1a2b3c4"}]}
    environment = documents[1]["spec"]
    assert environment["mode"] == "Observe"
    assert environment["aws"] == {"accountID": "444455556666", "region": "eu-west-1", "roleARN": ACCESS.role_arn}
    assert environment["artifacts"]["registryID"] == "111122223333" and environment["artifacts"]["allowedRepositories"] == ["shop/*"]
    assert documents[2]["metadata"]["name"] == "web-prod"
    assert any("left alone: container log" in n for n in notes)


@pytest.mark.parametrize(
    ("service", "note"),
    [
        (seen("web", {"app": f"{HOST}/web:x"}), "no task runs"),
        (seen("web", {"app": f"{HOST}/web:x"}, {"app": A}, {"app": B}), "do not show one digest"),
        (seen("web", {"app": f"{HOST}/web:x"}, {"app": A}, {"app": ""}), "do not show one digest"),
        (seen("web", {"app": f"{HOST}/web:x"}, {"app": A}, deployments=2), "a deployment is under way"),
    ],
)
def test_what_is_not_proven_has_no_release(service: ObservedService, note: str) -> None:
    documents, notes = imported(service)
    assert [d["kind"] for d in documents] == ["Project", "Environment"] and any(note in n for n in notes)


@pytest.mark.parametrize(
    ("service", "note"),
    [
        (seen("other", {"app": "nginx:1"}, {"app": A}), "none of its images"),
        (seen("other", {"app": f"{HOST}/other:x"}, {"app": A}, controller="CODE_DEPLOY"), "CODE_DEPLOY"),
        (seen("other", {f"c{n}": f"{HOST}/other:x" for n in range(11)}, {f"c{n}": A for n in range(11)}), "more than 10 containers"),
    ],
)
def test_what_cannot_be_released_is_left_out_and_said(service: ObservedService, note: str) -> None:
    documents, notes = imported(
        service, *(seen(f"web{n}", {f"c{i}": f"{HOST}/ww:x" for i in range(10)}, {f"c{i}": A for i in range(10)}) for n in (1, 2))
    )
    assert list(releases(documents)) == ["web1", "web2"] and any(note in n for n in notes)


def test_a_template_gives_names_that_are_the_same_everywhere() -> None:
    services = [seen(f"storage-prod-{n}", {"app": f"{HOST}/{n}:x"}, {"app": A}) for n in ("bag_register", "notifier")]
    _, notes = imported(*services)
    assert any("--service-name 'storage-prod-{service}'" in n for n in notes)
    documents, notes = imported(*services, seen("odd", {"app": f"{HOST}/odd:x"}, {"app": A}), service_name="storage-prod-{service}")
    members = {s["name"]: s.get("targets") for s in documents[0]["spec"]["serviceSets"][0]["services"]}
    assert members == {"bag_register": None, "notifier": None, "odd": [{"environment": "prod", "cluster": "prod", "serviceName": "odd"}]}
    assert documents[1]["spec"]["target"]["allowed"] == [{"namespaces": ["shop"], "clusters": ["prod"], "serviceNames": ["odd"]}]
    assert any("does not fit" in n for n in notes)


def test_an_environment_has_one_registry() -> None:
    other = "000011112222.dkr.ecr.us-east-1.amazonaws.com"
    services = [seen(n, {"app": f"{HOST}/{n}{n}:x", "side": f"{other}/side:x"}, {"app": A, "side": B}) for n in ("a", "b")]
    documents, notes = imported(*services, seen("c", {"app": f"{HOST}/cc:x"}, {"app": A}))
    assert releases(documents)["a"] == [{"container": "app", "digest": A}]
    assert documents[1]["spec"]["artifacts"]["registryID"] == "111122223333" and any("side" in n for n in notes)


def test_repositories_may_be_left_alone() -> None:
    documents, _ = imported(seen("a", {"app": f"{HOST}/aa:x", "log": f"{HOST}/log_router:x"}, {"app": A, "log": B}), without=("log_*",))
    assert releases(documents)["a"] == [{"container": "app", "digest": A}]


def test_many_services_are_split() -> None:
    documents, _ = imported(*(seen(f"s{n:03}", {"app": f"{HOST}/ss:x"}, {"app": A}) for n in range(60)))
    assert [(g["name"], len(g["services"])) for g in documents[0]["spec"]["serviceSets"]] == [("all", 50), ("all-2", 10)]
    assert len(releases(documents)) == 60


def test_manifest_lists_are_what_is_released() -> None:
    platform, naming = RegistryImage(A), RegistryImage(B, ("ref.v1",), (A,))
    assert preferred_image(platform, naming) is naming and preferred_image(platform, None) is platform
    tagged = RegistryImage(A, ("ref.v1",))
    assert preferred_image(tagged, naming) is tagged


def test_hashes_are_asked_for_once_a_repository() -> None:
    found = [
        ImportableService("a", "a", {"app": "r"}, {"app": A}),
        ImportableService("b", "b", {"app": "r", "x": "s"}, {"app": B, "x": A}),
        ImportableService("c", "c", {"app": "r"}),
    ]
    assert wanted_images(found) == {"r": {A, B}, "s": {A}}
