"""Manifests that are changed in place: only what is meant changes, comments stay, and every reader reads the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.api.names import RELEASE_SET
from ecs_release.api.source import Source, SourceImage
from ecs_release.cli.kubectl.manifests import pinned_objects as pinned
from ecs_release.cli.kubectl.manifests.yaml_edit import edited, replacing
from ecs_release.cli.kubectl.manifests.yaml_text import dump, dump_documents, load_documents

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64

TWO = """\
# Staging.
kind: ReleaseSet
spec:
  source: {tag: latest}
---
# Production: ask before you touch it.
apiVersion: ecs-release.dev/v1alpha1
kind: ReleaseSet
metadata:
  name: all-production   # the name
  annotations: {argocd.argoproj.io/sync-options: "Prune=confirm"}
spec:
  projectRef: {name: shop}
  serviceSet: all
  environmentRef: {name: production}
  # What runs.
  source:
    releaseHash: 1a2b3c4
  change:
    description: |
      two
      lines
    requestedBy: ana

  # How.
  strategy:
    onFailure: RollBack # all or nothing
"""


def source(*images: tuple[str, str, str | None]) -> Source:
    return Source(images=[SourceImage(container=c, digest=d, release_hash=h) for c, d, h in images])


def test_an_edit_keeps_every_other_line() -> None:
    result = edited(TWO, 1, {"source": None, "overrides": [{"service": "web"}], "change": {"description": "promote"}})
    assert result.kept
    assert result.text == TWO.replace("  source:\n    releaseHash: 1a2b3c4\n", "").replace(
        "    description: |\n      two\n      lines\n    requestedBy: ana\n", "    description: promote\n"
    ) + ("  overrides:\n    - service: web\n")


def test_an_edit_in_flow_style_is_right_too() -> None:
    result = edited(
        "# lost\nkind: ReleaseSet\nspec: {source: {tag: a}, suspend: true}\n", 0, {"source": None, "overrides": [{"service": "w"}]}
    )
    assert not result.kept
    assert load_documents(result.text) == [{"kind": "ReleaseSet", "spec": {"suspend": True, "overrides": [{"service": "w"}]}}]


@pytest.mark.parametrize(
    "text", [TWO.rstrip("\n"), TWO + "\n# the end\n", TWO.replace("\n", "\r\n")], ids=["no newline", "comment", "CRLF"]
)
def test_ends_of_files(text: str) -> None:
    documents = load_documents(text)
    documents[1]["spec"] |= {"change": {"description": "x"}, "overrides": [{"service": "web"}]}
    assert load_documents(edited(text, 1, {"change": {"description": "x"}, "overrides": [{"service": "web"}]}).text) == documents


SCALARS = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.sampled_from(["12e4567", "1e3", "0x1f", "y", "2022-10-03", "a: b", "# c"])
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text("abc", min_size=1, max_size=3), v, max_size=3)),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["source", "overrides", "change", "strategy", "suspend"]), VALUES, max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    before=FIELDS,
    after=st.dictionaries(st.sampled_from(["source", "overrides", "change"]), st.one_of(st.none(), VALUES), max_size=3),
    flow=st.booleans(),
)
def test_any_edit_gives_what_was_meant(before: dict[str, Any], after: dict[str, Any], flow: bool) -> None:
    documents = [{"kind": "Other"}, {"kind": "ReleaseSet", "spec": before}]
    text = yaml.safe_dump_all(documents, default_flow_style=flow, sort_keys=False, explicit_start=True)
    expected = {k: v for k, v in (before | after).items() if v is not None}
    assert load_documents(edited(text, 1, after).text) == [documents[0], {"kind": "ReleaseSet", "spec": expected}]


@pytest.mark.parametrize(
    "text", ["12e4567", "1234567", "0x1f", "1_000", "2022-10-03", "12:30:45", "y", "on", "~", "-", "=", "null", ".5", "+1"]
)
def test_strings_are_read_as_strings(text: str) -> None:
    """Kubernetes reads 12e4567, a release hash, as a number unless it is quoted; PyYAML does not."""
    assert dump({"releaseHash": text}) == f'releaseHash: "{text}"\n'


def test_keys_that_come_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="'a' comes twice"):
        load_documents("a: 1\na: 2\n")


@pytest.mark.parametrize(
    ("spec", "whole", "expected"),
    [
        ({"source": {"tag": "latest"}}, True, {"source": None, "overrides": ["api", "web"]}),
        ({"overrides": [{"service": "old", "source": {"tag": "x"}}]}, True, {"source": None, "overrides": ["api", "web"]}),
        ({"overrides": [{"service": "old", "source": {"tag": "x"}}]}, False, {"overrides": ["api", "web", "old"]}),
        ({"overrides": [{"service": "web", "source": {"tag": "x"}}]}, False, {"overrides": ["api", "web"]}),
    ],
    ids=["source goes", "overrides are replaced", "others stay", "an own one is replaced"],
)
def test_pinning(spec: dict[str, Any], whole: bool, expected: dict[str, Any]) -> None:
    pins = {"web": source(("app", A, "1a2b3c4")), "api": source(("app", B, None))}
    fields = pinned.pinning(spec, pins, ["api", "web"], whole=whole)
    assert {**fields, "overrides": [o["service"] for o in fields["overrides"]]} == expected
    by_service = {o["service"]: o["source"] for o in fields["overrides"]}
    assert by_service["web"] == {"images": [{"container": "app", "digest": A, "releaseHash": "1a2b3c4"}]}


@settings(max_examples=100, deadline=None)
@given(before=FIELDS, fields=st.dictionaries(st.sampled_from(["source", "overrides", "change"]), st.one_of(st.none(), VALUES), max_size=3))
def test_a_merge_patch_gives_just_what_was_meant(before: dict[str, Any], fields: dict[str, Any]) -> None:
    """A former change's ticket must not stay, nor a tag beside digests."""

    def merged(target: Any, patch: Any) -> Any:
        """RFC 7386, section 2."""
        if not isinstance(patch, dict):
            return patch
        target = dict(target) if isinstance(target, dict) else {}
        for key, value in patch.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = merged(target.get(key), value)
        return target

    assert merged(before, replacing(before, fields)) == {k: v for k, v in (before | fields).items() if v is not None}


def test_a_live_object_becomes_a_manifest() -> None:
    body = {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "ReleaseSet",
        "metadata": {
            "name": "all",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 3,
            "managedFields": [{}],
            "labels": {"team": "shop"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "ecs-release.dev/retry": "1",
                "ecs-release.dev/applied-by": "ana",
                "argocd.argoproj.io/tracking-id": "x",
                "argocd.argoproj.io/sync-options": "Prune=confirm",
            },
        },
        "spec": {"serviceSet": "all"},
        "status": {"phase": "Ready"},
    }
    assert pinned.of_live(body) == {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "ReleaseSet",
        "metadata": {
            "name": "all",
            "namespace": "shop",
            "labels": {"team": "shop"},
            "annotations": {"argocd.argoproj.io/sync-options": "Prune=confirm"},
        },
        "spec": {"serviceSet": "all"},
    }


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"metadata": {}}, True),
        ({"metadata": {"namespace": "other"}}, False),
        ({"kind": "Release"}, False),
        ({"spec": {}}, False),
    ],
)
def test_the_same_set_is_found_by_its_identity(change: dict[str, Any], same: bool) -> None:
    identity = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": "production"}}
    body = load_documents(TWO)[1]
    body["metadata"]["namespace"] = "shop"
    assert pinned.is_same({**body, **change}, RELEASE_SET, "shop", identity) is same


def test_documents_are_parted() -> None:
    assert dump_documents([{"a": 1}, {"b": 2}]) == "a: 1\n---\nb: 2\n"


def test_steps_say_from_what_to_what() -> None:
    pins = {"web": source(("app", A, "v2")), "api": source(("app", B, None))}
    live = {"status": {"services": [{"name": "web", "hash": "v1"}]}}
    assert pinned.steps(pins, live) == ["  web: v1 -> v2", f"  api: nothing known -> {'b' * 12}"]
    alone = {"status": {"summary": {"hash": "v1"}}}
    assert pinned.steps({"web": pins["web"]}, alone) == ["  web: v1 -> v2"] and pinned.steps({}, None) == []
