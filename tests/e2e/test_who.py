"""Who applied it, as the API server knows: forged, edited or removed, the annotation is true again (docs/how-to/who.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ecs_release.api.names import REQUEST_ANNOTATIONS
from tests.e2e.api import JSON_PATCH, MERGE, Refused
from tests.e2e.bed import GROUP, ROOT, Place, condition
from tests.e2e.people import API, APPLIED_BY, FORGED, Person, body, made, path_of, user

POINTER = f"/metadata/annotations/{APPLIED_BY.replace('/', '~1')}"
KINDS = ("Release", "ReleaseSet")


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_makes_it_is_named(desk: Place, kind: str) -> None:
    ana, forged = Person(desk.bed, "ana"), {APPLIED_BY: "admin"}
    path = path_of(kind, desk.name)
    for given in (None, {}, {"example.com/x": "y"}, forged, {APPLIED_BY: ""}):
        created = ana.ask("POST", path, body(desk, kind, annotations=given))
        assert user(created) == "ana"
        assert created["metadata"]["annotations"] == {**(given or {}), APPLIED_BY: "ana"}
    applied = body(desk, kind, annotations=forged)
    assert user(ana.apply(f"{path}/{applied['metadata']['name']}", applied)) == "ana"
    generated = body(desk, kind, annotations=forged)
    generated["metadata"] |= {"generateName": "made-"}
    del generated["metadata"]["name"]
    assert user(ana.ask("POST", path, generated)) == "ana"


def test_environments_say_that_it_is_authenticated(desk: Place) -> None:
    """With no more rights than the example gives."""
    name = desk.environment(f"{desk.name}-looked-at", mode="Observe")
    kind = "AppliedByAuthenticated"
    found = desk.until(
        lambda: condition(desk.get_environment(name).get("status") or {}, kind), kind, show=lambda: desk.get_environment(name)
    )
    assert (found["status"], found["reason"]) == ("True", "Stamped"), found


def test_a_dry_run_says_the_same(desk: Place) -> None:
    path, _ = made(desk, "ana")
    ben, edit = Person(desk.bed, "ben"), {**FORGED, "spec": {"suspend": True}}
    assert user(ben.ask("PATCH", f"{path}?dryRun=All", edit, MERGE)) == "ben"
    assert user(ben.ask("GET", path)) == "ana"


def test_who_makes_it_again_is_named(desk: Place) -> None:
    path, wanted = made(desk, "ana")
    ben = Person(desk.bed, "ben")
    ben.ask("DELETE", path)
    wanted["metadata"]["annotations"] = {APPLIED_BY: "ana"}
    assert user(ben.ask("POST", path_of("Release", desk.name), wanted)) == "ben"


def let_go(who: Person, path: str, wanted: dict[str, Any]) -> None:
    """Own the annotation by server-side apply, and then leave it out."""
    meta = wanted["metadata"]
    who.apply(path, {**wanted, "metadata": {**meta, "annotations": {APPLIED_BY: "admin"}}})
    who.apply(path, {**wanted, "metadata": {**meta, "labels": {"a": "b"}}})


def owned(who: Person, path: str) -> None:
    """Make it look like a ReleaseSet's child."""
    made_by, _, name = path.rpartition("/releases/")
    spec = {"projectRef": {"name": "shop"}, "environmentRef": {"name": "none"}, "serviceSet": "all", "source": {"releaseHash": "v1"}}
    wanted = {"apiVersion": API, "kind": "ReleaseSet", "metadata": {"name": f"{name}-owner"}, "spec": spec}
    owner = {"apiVersion": API, "kind": "ReleaseSet", "name": f"{name}-owner", "controller": True}
    owner["uid"] = who.ask("POST", f"{made_by}/releasesets", wanted)["metadata"]["uid"]
    labels = {f"{GROUP}/release-set": f"{name}-owner"}
    who.ask("PATCH", path, {"metadata": {"ownerReferences": [owner], "labels": labels, **FORGED["metadata"]}}, MERGE)


def forge(meta: dict[str, Any]) -> None:
    meta["annotations"][APPLIED_BY] = "admin"


def unmanage(meta: dict[str, Any]) -> None:
    forge(meta)
    meta["managedFields"] = [{}]


FORGERIES: dict[str, Callable[[Person, str, dict[str, Any]], object]] = {
    "patch": lambda who, path, _: who.ask("PATCH", path, FORGED, MERGE),
    "with a label": lambda who, path, _: who.ask("PATCH", path, {"metadata": {"labels": {"a": "b"}, **FORGED["metadata"]}}, MERGE),
    "label": lambda who, path, _: who.ask("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE),
    "json patch": lambda who, path, _: who.ask("PATCH", path, [{"op": "add", "path": POINTER, "value": "admin"}], JSON_PATCH),
    "removal": lambda who, path, _: who.ask("PATCH", path, [{"op": "remove", "path": POINTER}], JSON_PATCH),
    "emptied": lambda who, path, _: who.ask("PATCH", path, {"metadata": {"annotations": {APPLIED_BY: ""}}}, MERGE),
    "removal of all": lambda who, path, _: who.ask("PATCH", path, {"metadata": {"annotations": None}}, MERGE),
    "apply": lambda who, path, wanted: who.apply(path, {**wanted, "metadata": {**wanted["metadata"], **FORGED["metadata"]}}),
    "apply the same": lambda who, path, wanted: who.apply(path, wanted),
    "apply and let go": let_go,
    "replace": lambda who, path, _: who.put(path, lambda found: forge(found["metadata"])),
    "replace without": lambda who, path, _: who.put(path, lambda found: found["metadata"].pop("annotations")),
    "replace with null": lambda who, path, _: who.put(path, lambda found: found["metadata"].update(annotations=None)),
    "managed fields": lambda who, path, _: who.put(path, lambda found: unmanage(found["metadata"])),
    "owner": lambda who, path, _: owned(who, path),
}


@pytest.mark.parametrize("way", FORGERIES)
def test_what_changes_no_spec_changes_no_user(desk: Place, way: str) -> None:
    path, wanted = made(desk, "ana")
    FORGERIES[way](Person(desk.bed, "mallory"), path, wanted)
    found = Person(desk.bed, "ana").ask("GET", path)
    assert (user(found), found["metadata"]["generation"]) == ("ana", 1)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Release", {"source": {"releaseHash": "v2"}}),
        ("Release", {"change": {"requestedBy": "ana"}}),
        ("Release", {"suspend": True}),
        ("ReleaseSet", {"source": {"releaseHash": "v2"}}),
        ("ReleaseSet", {"strategy": {"maxParallel": 3}}),
        ("ReleaseSet", {"change": {"requestedBy": "ana"}}),
    ],
)
def test_who_changes_the_spec_is_named(desk: Place, kind: str, spec: dict[str, Any]) -> None:
    ways: list[Callable[[str, dict[str, Any]], object]] = [
        lambda path, _: ben.ask("PATCH", path, {"spec": spec}, MERGE),
        lambda path, _: ben.ask("PATCH", path, {"spec": spec, **FORGED}, MERGE),
        lambda path, _: ben.put(path, lambda found: found["spec"].update(spec)),
        lambda path, _: ben.put(path, lambda found: (found["spec"].update(spec), forge(found["metadata"]))),
        lambda path, w: ben.apply(path, {**w, "metadata": {**w["metadata"], **FORGED["metadata"]}, "spec": {**w["spec"], **spec}}),
        lambda path, _: ben.ask("PATCH", path, {"spec": spec, "metadata": {"annotations": None}}, MERGE),
    ]
    ben = Person(desk.bed, "ben")
    for way in ways:
        path, wanted = made(desk, "ana", kind)
        way(path, wanted)
        assert user(ben.ask("GET", path)) == "ben"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("request_", REQUEST_ANNOTATIONS)
def test_who_asks_for_something_is_named(desk: Place, kind: str, request_: str) -> None:
    path, _ = made(desk, "ben", kind)
    ana, ben = (Person(desk.bed, name) for name in ("ana", "ben"))

    def after(who: Person, value: str | None) -> str | None:
        return user(who.ask("PATCH", path, {"metadata": {"annotations": {request_: value, **FORGED["metadata"]["annotations"]}}}, MERGE))

    assert after(ana, "1/why") == "ana"
    assert after(ben, "1/why") == "ana", "the token stands already"
    assert after(ben, None) == "ben", "to take a request away is to change it"


def test_with_kubectl_as_people_use_it(desk: Place) -> None:
    ana, ben = (Person(desk.bed, name) for name in ("ana", "ben"))
    wanted = body(desk, name="by-kubectl")

    def after(who: Person, *arguments: str, stdin: dict[str, Any] | None = None) -> str | None:
        who.kubectl("-n", desk.name, *arguments, stdin=yaml.safe_dump(stdin) if stdin else None)
        return user(desk.get("by-kubectl"))

    assert after(ana, "apply", "-f", "-", stdin={**wanted, "metadata": {**wanted["metadata"], **FORGED["metadata"]}}) == "ana"
    assert after(ben, "annotate", "--overwrite", "release", "by-kubectl", f"{APPLIED_BY}=ben") == "ana"
    assert after(ben, "annotate", "release", "by-kubectl", f"{APPLIED_BY}-") == "ana"
    assert after(ben, "label", "release", "by-kubectl", "team=b") == "ana"
    assert after(ben, "apply", "-f", "-", stdin=wanted) == "ana"
    assert after(ben, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=wanted) == "ana"
    assert after(ben, "replace", "-f", "-", stdin={**wanted, "spec": {**wanted["spec"], "source": {"tag": "latest"}}}) == "ben"
    assert after(ana, "annotate", "release", "by-kubectl", f"{GROUP}/refresh=1") == "ana"


def test_a_webhook_cannot_forge_it_either(desk: Place) -> None:
    """As before Kubernetes 1.36: without what stamps, what checks lets nobody be named but who writes."""
    cluster, mallory = desk.bed.cluster, Person(desk.bed, "mallory")
    path, _ = made(desk, "ana")
    again = f"{path_of('Release', desk.name)}?dryRun=All"
    cluster.kubectl("delete", "mutatingadmissionpolicybinding", "ecs-release-applied-by")
    try:
        desk.until(lambda: user(mallory.ask("POST", again, body(desk))) is None, "nothing to be stamped", show=dict)
        with pytest.raises(Refused, match="may not say ana"):
            mallory.ask("POST", again, body(desk, annotations={APPLIED_BY: "ana"}))
        mallory.ask("POST", again, body(desk, annotations={APPLIED_BY: "mallory"}))
        with pytest.raises(Refused, match="neither spec nor a request is changed"):
            mallory.ask("PATCH", path, FORGED, MERGE)
        with pytest.raises(Refused, match="is changed by mallory; leave the annotation out"):
            mallory.ask("PATCH", path, {"spec": {"suspend": True}}, MERGE)
        mallory.ask("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
        mallory.ask("PATCH", path, {"spec": {"suspend": True}, "metadata": {"annotations": {APPLIED_BY: None}}}, MERGE)
    finally:
        cluster.kubectl("apply", "-f", str(ROOT / "examples" / "policies" / "applied-by.yaml"))
        desk.until(lambda: user(mallory.ask("POST", again, body(desk))) == "mallory", "it to be stamped again", show=dict)


def test_somebody_who_fakes_a_child_is_named(desk: Place) -> None:
    path, _ = made(desk, "mallory", annotations={APPLIED_BY: "ana"})
    mallory = Person(desk.bed, "mallory")
    owned(mallory, path)
    assert user(mallory.ask("GET", path)) == "mallory"
    mallory.ask("PATCH", path, {"spec": {"suspend": True}, "metadata": {"annotations": {APPLIED_BY: "ana"}}}, MERGE)
    assert user(mallory.ask("GET", path)) == "mallory"
