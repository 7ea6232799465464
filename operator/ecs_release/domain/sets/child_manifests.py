"""The objects of child Releases: names, labels, owner, spec."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from ecs_release.api.change import Change
from ecs_release.api.names import (
    API_VERSION,
    APPLIED_BY_ANNOTATION,
    LABEL_ENVIRONMENT,
    LABEL_PROJECT,
    LABEL_RELEASE_SET,
    LABEL_SERVICE,
    LABEL_SERVICE_SET,
    RELEASE,
    RELEASE_SET,
)
from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.artifacts.claimed_hash import given_hash

_NAME, _HASH = 63, 8


def child_name(release_set: str, service: str) -> str:
    """Return the name of a service's child Release: readable, and unique by a short hash of both names."""
    readable = re.sub(r"[^a-z0-9-]+", "-", f"{release_set}-{service}".lower())[: _NAME - _HASH - 1].strip("-")
    digest = hashlib.sha256(f"{release_set}\0{service}".encode()).hexdigest()[:_HASH]
    return f"{readable}-{digest}"


def is_child(release_set: str, place: tuple[str, str], name: str, its_place: tuple[str, str], service: str) -> bool:
    """Return whether a Release is the one that a ReleaseSet makes for a service. Places are the Project and the Environment.

    Whoever may write Releases may name any ReleaseSet of the namespace as the controller of one.
    """
    return its_place == place and name == child_name(release_set, service)


def labels(release_set: ReleaseSet, service: str) -> dict[str, str]:
    """Return the labels of a child. Those of the set itself, such as Argo CD's, are not copied."""
    spec = release_set.spec
    return {
        LABEL_PROJECT: spec.project_ref.name,
        LABEL_SERVICE_SET: spec.service_set,
        LABEL_SERVICE: service,
        LABEL_ENVIRONMENT: spec.environment_ref.name,
        LABEL_RELEASE_SET: release_set.metadata.name,
    }


def owner_reference(release_set: ReleaseSet) -> dict[str, Any]:
    """Return the controller reference: the garbage collector deletes the children, so that deleting a set never hangs (law 9)."""
    meta = release_set.metadata
    return {"apiVersion": API_VERSION, "kind": RELEASE_SET, "name": meta.name, "uid": meta.uid, "controller": True}


def on_behalf(release_set: ReleaseSet) -> dict[str, str | None]:
    """Return the annotation of who applied the set, for its children; with None, if the set has none, theirs is removed."""
    return {APPLIED_BY_ANNOTATION: (release_set.metadata.annotations or {}).get(APPLIED_BY_ANNOTATION) or None}


def source_of(images: list[PinnedImage]) -> dict[str, Any]:
    """Return images as a Release's source."""
    hashes = {i.container: given_hash(i.release_hash) for i in images}
    listed = [{"container": i.container, "digest": i.digest} | ({"releaseHash": h} if (h := hashes[i.container]) else {}) for i in images]
    return {"images": listed}


def new_child(release_set: ReleaseSet, service: str, images: list[PinnedImage], change: Change | None) -> dict[str, Any]:
    """Return the object of a child that does not exist yet."""
    spec = release_set.spec
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": RELEASE,
        "metadata": {
            "name": child_name(release_set.metadata.name, service),
            "namespace": release_set.metadata.namespace,
            "labels": labels(release_set, service),
            "ownerReferences": [owner_reference(release_set)],
            **_annotated({}, on_behalf(release_set)),
        },
        "spec": {
            "projectRef": {"name": spec.project_ref.name},
            "service": service,
            "environmentRef": {"name": spec.environment_ref.name},
            "source": source_of(images),
        },
    }
    if change is not None:
        body["spec"]["change"] = change.to_kubernetes()
    return body


def changed_child(
    body: Mapping[str, Any],
    release_set: ReleaseSet,
    service: str,
    images: list[PinnedImage] | None,
    change: Change | None,
    annotations: Mapping[str, str | None],
) -> dict[str, Any]:
    """Return a child with a new source (None: as it is), change, our labels and annotations; what others own stays, `suspend` too."""
    wanted = copy.deepcopy(dict(body))
    wanted["metadata"]["labels"] = {**(wanted["metadata"].get("labels") or {}), **labels(release_set, service)}
    wanted["metadata"] |= _annotated(wanted["metadata"].pop("annotations", None) or {}, annotations)
    if images is not None:
        wanted["spec"]["source"] = source_of(images)
        if change is not None:
            wanted["spec"]["change"] = change.to_kubernetes()
        else:
            wanted["spec"].pop("change", None)
    wanted.pop("status", None)
    return wanted


def _annotated(before: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, Any]:
    """Change annotations: None removes one. Empty if none are left."""
    left = {name: value for name, value in {**before, **changes}.items() if value is not None}
    return {"annotations": left} if left else {}
