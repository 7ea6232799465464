"""What is known of code: by Release and by Project."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.commits.records import Code, Records
from ecs_release.domain.ports.commits import Repository
from ecs_release.pages.comparison.differences import Seen, Side
from tests.builders.board import elsewhere
from tests.unit.cli.kubectl.objects import digest, project, release, release_set

GIT = {"url": "https://git.example.com/shop", "branch": "trunk"}


def with_git(body: dict[str, Any], **git: str) -> dict[str, Any]:
    return {**body, "spec": {**body["spec"], "git": git}}


def test_what_a_release_runs() -> None:
    records = Records()
    records.changed(RELEASE, release("web", runs={"a": 2}))
    assert records.sides == {("shop", "web-staging"): Side("aaaaaaa", (("app", digest("a")),), "", Seen.ALL, is_listed=True)}
    version = records.version
    records.changed(RELEASE, release("web", runs={"a": 2}))
    assert records.version == version, "nothing has changed"
    records.changed(RELEASE, release("web", runs={"b": 2}))
    assert records.version > version
    records.deleted(RELEASE, "shop", "web-staging")
    assert records.sides == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (project(), Code()),
        (project(repository="https://github.com/example/shop"), Code("https://github.com/example/shop")),
        (with_git(project(), **GIT), Code(GIT["url"], Repository("shop", GIT["url"], "trunk"))),
        (
            with_git(project(repository="https://github.com/example/shop"), url=GIT["url"]),
            Code("https://github.com/example/shop", Repository("shop", GIT["url"], "main")),
        ),
    ],
)
def test_where_the_code_of_a_project_is(body: dict[str, Any], expected: Code) -> None:
    records = Records()
    records.changed(PROJECT, body)
    assert records.code == {("shop", "shop"): expected}


def test_only_what_is_still_there_is_kept() -> None:
    records = Records()
    for namespace in ("shop", "vault"):
        records.changed(RELEASE, elsewhere(release("web"), namespace))
        records.changed(PROJECT, elsewhere(project(), namespace))
    records.retain(RELEASE, {("vault", "web-staging")})
    records.retain(PROJECT, set(), "shop")
    assert list(records.code) == [("vault", "shop")]
    records.retain(PROJECT, set())
    assert list(records.sides) == [("vault", "web-staging")]
    assert records.code == {}


def test_which_sets_a_project_has() -> None:
    records = Records()
    records.changed(RELEASE_SET, release_set())
    records.changed(RELEASE_SET, elsewhere(release_set(name="other"), "vault"))
    assert records.sets_of("shop", "shop") == ["storefront-staging"]
    assert records.sets_of("vault", "other") == []
    records.deleted(RELEASE_SET, "shop", "storefront-staging")
    assert records.sets_of("shop", "shop") == []


def test_one_that_cannot_be_read_hides_no_other() -> None:
    records = Records()
    records.changed(RELEASE, release("search"))
    for running in ("text", {"containers": [{"digests": [{"digest": "x"}]}]}, {"containers": [{"name": "app", "digests": [7]}]}):
        records.changed(RELEASE, release("web"))
        records.changed(RELEASE, {**release("web"), "status": {"running": running}})
        assert list(records.sides) == [("shop", "search-staging")]
    records.changed(PROJECT, project())
    records.changed(PROJECT, {**project(), "spec": {"git": "text"}})
    assert records.code == {}
