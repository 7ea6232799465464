"""Who applied a set goes along to its children: with what the set wants of them, never for itself, and never over somebody's own request."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import APPLIED_BY_ANNOTATION, LABEL_SERVICE
from ecs_release.api.release import Release
from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.conditions import kstatus_conditions, merge, stalled
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Create, Replace
from ecs_release.domain.sets.facts import Child, Resolved, SetFacts, set_source_hash
from tests.builders.ecs import NEW, NOW, OLD
from tests.builders.objects import release_set_object

RETRY, OVERRIDE = "ecs-release.dev/retry", "ecs-release.dev/override-window"


class Shop:
    """A set of one service, and the child that its decisions make."""

    def __init__(self, user: str | None) -> None:
        self.digest, self.writes = NEW, 0
        self.child: dict[str, Any] | None = None
        self.body = release_set_object("all", change={"requestedBy": "ana"})
        self.apply(user)

    def apply(self, user: str | None, **spec: Any) -> None:
        self.body["spec"] |= spec
        self.annotate(self.body, **{APPLIED_BY_ANNOTATION: user})
        self.passes()

    @staticmethod
    def annotate(body: dict[str, Any], **values: str | None) -> None:
        left = {**(body["metadata"].get("annotations") or {}), **values}
        body["metadata"]["annotations"] = {k: v for k, v in left.items() if v is not None}

    def passes(self) -> None:
        for _ in range(4):
            decision = decide_set(self.facts())
            self.body["status"] = decision.status.to_kubernetes()
            for write in (*decision.requests, *decision.writes):
                assert isinstance(write, Create | Replace)
                status = (self.child or {}).get("status")
                self.child = copy.deepcopy(dict(write.body)) | ({"status": status} if status else {})
                self.child["metadata"] |= {"uid": "c1", "generation": 1}
                self.writes += 1

    def facts(self) -> SetFacts:
        release_set = ReleaseSet.model_validate(self.body)
        image = PinnedImage(container="app", digest=self.digest)
        known = release_set.status.source_hash if release_set.status else None
        resolved = None if known == set_source_hash(release_set.spec) else (Resolved("web", (image,)),)
        children = {child_name("all", "web"): Child(Release.model_validate(self.child), self.child)} if self.child else {}
        return SetFacts(release_set=release_set, now=NOW, new_id="b", members=("web",), children=children, resolved=resolved)

    def fails(self) -> None:
        """The child's attempt failed."""
        assert self.child is not None
        conditions = merge(None, kstatus_conditions(stalled("RolloutFailed", "crashed")), 1, NOW)
        images = [{"container": "app", "digest": self.digest}]
        said = [c.to_kubernetes() for c in conditions]
        self.child["status"] = {"observedGeneration": 1, "conditions": said, "pin": {"sourceHash": "x", "images": images}}
        self.passes()

    @property
    def user(self) -> str | None:
        """Whom the child says."""
        assert self.child is not None
        return applied_by(Release.model_validate(self.child).metadata)


def test_a_new_child_has_the_sets_user() -> None:
    shop = Shop("ben")
    assert (shop.user, shop.writes) == ("ben", 1)


def test_without_a_stamp_children_have_none() -> None:
    shop = Shop(None)
    assert shop.child is not None and "annotations" not in shop.child["metadata"]


def test_a_new_source_brings_its_user() -> None:
    shop = Shop("ben")
    shop.digest = OLD
    shop.apply("eve", source={"releaseHash": "aaaaaaa"})
    assert (shop.user, shop.writes) == ("eve", 2)


def test_another_change_brings_its_user() -> None:
    shop = Shop("ben")
    shop.apply("eve", change={"description": "better words"})
    assert (shop.user, shop.writes) == ("eve", 2)


def test_a_user_alone_is_never_written() -> None:
    shop = Shop("ben")
    shop.apply("eve", strategy={"maxParallel": 3})
    assert (shop.user, shop.writes) == ("ben", 1)


def test_a_request_of_the_set_brings_its_user() -> None:
    shop = Shop("ben")
    shop.fails()
    shop.annotate(shop.body, **{RETRY: "1"})
    shop.apply("eve")
    assert shop.child is not None and shop.child["metadata"]["annotations"][RETRY] == "1"
    assert shop.user == "eve"


@pytest.mark.parametrize("request_", [None, RETRY, OVERRIDE])
def test_who_asks_something_of_a_child_stays_its_user(request_: str | None) -> None:
    """An edit in the same write would otherwise have the operator say that the set's user asked."""
    shop = Shop("ben")
    assert shop.child is not None
    del shop.child["metadata"]["labels"][LABEL_SERVICE]
    shop.annotate(shop.child, **{APPLIED_BY_ANNOTATION: "mallory"} | ({request_: "9/x"} if request_ else {}))
    shop.passes()
    assert shop.child["metadata"]["labels"][LABEL_SERVICE] == "web", "the label is put back in any case"
    assert shop.user == ("mallory" if request_ else "ben")


def test_a_stamp_that_the_set_has_not_got_is_taken_away() -> None:
    shop = Shop(None)
    assert shop.child is not None
    shop.annotate(shop.child, **{APPLIED_BY_ANNOTATION: "mallory", "example.com/kept": "yes"})
    shop.apply(None, change={"description": "other words"})
    assert shop.child["metadata"]["annotations"] == {"example.com/kept": "yes"}


@pytest.mark.parametrize(("value", "found"), [("ben", "ben"), ("", None), ("x" * 300, "x" * 256)])
def test_a_user_is_cut_to_what_a_status_holds(value: str, found: str | None) -> None:
    assert applied_by(ObjectMeta(annotations={APPLIED_BY_ANNOTATION: value})) == found
    assert applied_by(ObjectMeta()) is None
