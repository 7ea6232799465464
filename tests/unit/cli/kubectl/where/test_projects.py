"""The Projects of a clone: by host and path of their repository, whatever the protocol."""

from __future__ import annotations

import pytest

from ecs_release.api.project import Project
from ecs_release.cli.kubectl.where.projects import choose

URL = "https://git.example.com/shop/storefront"


def project(name: str, url: str = "", repository: str = "", namespace: str = "shop") -> Project:
    service = {"name": "web", "containers": [{"name": "app", "repository": "shop/web"}]}
    spec: dict[str, object] = {"serviceSets": [{"name": "all", "services": [service]}]}
    spec |= {"git": {"url": url}} if url else {}
    spec |= {"repository": repository} if repository else {}
    return Project.model_validate({"metadata": {"name": name, "namespace": namespace, "generation": 1}, "spec": spec})


@pytest.mark.parametrize(
    "remote",
    [
        URL, f"{URL}.git", f"{URL}/", "https://ben@git.example.com/shop/storefront", "git@git.example.com:shop/storefront.git",
        "ssh://git@git.example.com/shop/storefront.git", "https://GIT.example.com/shop/storefront", "git@GIT.example.com:shop/storefront",
    ],
)  # fmt: skip
def test_the_same_repository_by_another_url(remote: str) -> None:
    choice = choose([project("shop", f"{URL}.git")], ["https://git.example.com/me/fork", remote], None)
    assert list(choice.projects) == [("shop", "shop")] and choice.notes == ()


@pytest.mark.parametrize(
    "remote",
    ["https://git.example.com/shop/other", "https://other.example.com/shop/storefront", "/srv/git/storefront", "file:///srv/x", ""],
)
def test_another_repository_is_left_out_and_named(remote: str) -> None:
    choice = choose([project("shop", URL), project("plain"), project("plain", namespace="b")], [remote], None)
    assert choice.projects == {}
    assert choice.notes == (
        "left out, without spec.git: b/plain, shop/plain; --project asks about one nevertheless",
        "left out, built from another repository: shop/shop; --project asks about one nevertheless",
    )


def test_without_git_the_repository_for_people_counts() -> None:
    choice = choose([project("a", repository=URL), project("b", "https://git.example.com/x/y", repository=URL)], [URL], None)
    assert list(choice.projects) == [("shop", "a")]


def test_a_project_that_is_named_counts_whatever_its_repository_is() -> None:
    choice = choose([project("shop", URL), project("shop", namespace="b"), project("other", URL)], ["https://git.example.com/x/y"], "shop")
    assert sorted(choice.projects) == [("b", "shop"), ("shop", "shop")]
    assert choice.notes == (f"warning: Project shop is built from {URL}, which is no remote of this clone",)
    assert choose([project("shop", URL)], [URL], "shop").notes == ()
    assert choose([project("shop", URL)], [URL], "none").projects == {}


def test_many_are_counted() -> None:
    notes = choose([project(f"p{n:02}") for n in range(30)], [URL], None).notes
    assert notes[0].startswith("left out, without spec.git: shop/p00, ") and "shop/p09 and 20 more;" in notes[0]
