"""Whole objects that pages show: kept packed, and marked when they change."""

from __future__ import annotations

import copy

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.documents import Documents, Names
from tests.builders.board_objects import SHOP, rolled_back, storefront
from tests.unit.cli.kubectl.objects import environment, release


def filled() -> Documents:
    made = Documents()
    for kind, body in ((RELEASE, rolled_back()), (RELEASE_SET, storefront()), (PROJECT, SHOP), (ENVIRONMENT, environment())):
        made.changed(kind, body)
    return made


def test_what_is_taken_in_is_there_but_for_what_no_page_shows() -> None:
    documents = filled()
    found, given = documents.get(RELEASE, "shop", "checkout-staging"), rolled_back()
    assert found is not None
    assert (found["spec"], found["status"], found["metadata"]["labels"]) == (given["spec"], given["status"], given["metadata"]["labels"])
    assert "resourceVersion" not in found["metadata"]
    assert documents.get(ENVIRONMENT, "", "staging") is None
    assert documents.get(RELEASE, "vault", "checkout-staging") is None
    assert documents.namespaces == ["shop"]


def test_metadata_that_no_page_shows_takes_no_memory() -> None:
    """Kubernetes bounds it by the size of an object alone: a tenant could fill the memory of a board for all."""
    documents = filled()
    before, mark = documents.packed(RELEASE, "shop", "checkout-staging"), documents.mark(RELEASE, "shop", "checkout-staging")
    body = copy.deepcopy(rolled_back())
    body["metadata"]["labels"] |= {f"ecs-release.dev/{n}": f"{n * 7919:x}" for n in range(10_000)}
    body["metadata"]["annotations"] = {"ecs-release.dev/more": "x" * 200_000}
    documents.changed(RELEASE, body)
    assert documents.packed(RELEASE, "shop", "checkout-staging") == before
    assert documents.mark(RELEASE, "shop", "checkout-staging") == mark


def test_what_an_object_names_is_known_without_unpacking_it() -> None:
    documents = filled()
    names = documents.names(RELEASE_SET, "shop", "storefront-staging")
    assert (names.project, names.environment, "checkout-staging" in names.children) == ("shop", "staging", True)
    assert documents.names(RELEASE, "shop", "checkout-staging").release_set == "storefront-staging"
    assert documents.names(RELEASE_SET, "shop", "nothing") == Names()


def test_a_mark_is_another_after_each_change_and_the_same_after_none() -> None:
    documents = filled()
    changes: list[int] = []
    documents.on_change = lambda: changes.append(1)
    before = documents.mark(RELEASE, "shop", "checkout-staging")
    same = copy.deepcopy(rolled_back())
    same["metadata"] |= {"resourceVersion": "8", "managedFields": [{"manager": "x"}]}
    documents.changed(RELEASE, same)
    assert (documents.mark(RELEASE, "shop", "checkout-staging"), changes) == (before, [])
    same["status"]["phase"] = "Ready"
    documents.changed(RELEASE, same)
    after = documents.mark(RELEASE, "shop", "checkout-staging")
    assert (after != before, changes) == (True, [1])
    documents.deleted(RELEASE, "shop", "checkout-staging")
    assert documents.mark(RELEASE, "shop", "checkout-staging") == 0
    documents.changed(RELEASE, same)
    assert documents.mark(RELEASE, "shop", "checkout-staging") not in (0, before, after), "one of the same name is another"


def test_what_a_list_does_not_have_is_forgotten() -> None:
    documents = filled()
    documents.changed(RELEASE, release("web"))
    documents.retain(RELEASE, set(), "vault")
    assert documents.get(RELEASE, "shop", "checkout-staging") is not None
    documents.retain(RELEASE, {("shop", "web-staging")})
    assert documents.get(RELEASE, "shop", "checkout-staging") is None
    assert documents.get(RELEASE, "shop", "web-staging") is not None
    documents.retain(RELEASE_SET, set())
    documents.deleted(RELEASE_SET, "shop", "storefront-staging")
    assert documents.namespaces == []


def test_a_fleet_takes_little_memory() -> None:
    documents = Documents()
    for number in range(200):
        body = rolled_back()
        body["metadata"]["name"] = f"service-{number}"
        documents.changed(RELEASE, body)
    kept = sum(len(one.packed) for one in documents._documents.values())
    assert kept < 200 * 2500
