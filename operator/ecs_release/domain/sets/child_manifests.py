"""Child Releases: their names, labels and owner, and the objects that are written."""

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

_NAME, _HASH = 63, 8


def child_name(release_set: str, service: str) -> str:
    """Name the child Release of a service: readable, and unique by a short hash of both where reading is not enough."""
    readable = re.sub(r"[^a-z0-9-]+", "-", f"{release_set}-{service}".lower())[: _NAME - _HASH - 1].strip("-")
    digest = hashlib.sha256(f"{release_set}\0{service}".encode()).hexdigest()[:_HASH]
    return f"{readable}-{digest}"


def labels(release_set: ReleaseSet, service: str) -> dict[str, str]:
    """Return the labels of a child. Those of the set itself, such as Argo CD's, are not its children's."""
    spec = release_set.spec
    return {
        LABEL_PROJECT: spec.project_ref.name,
        LABEL_SERVICE_SET: spec.service_set,
        LABEL_SERVICE: service,
        LABEL_ENVIRONMENT: spec.environment_ref.name,
        LABEL_RELEASE_SET: release_set.metadata.name,
    }


def owner_reference(release_set: ReleaseSet) -> dict[str, Any]:
    """Return the controller reference: the garbage collector takes the children, and nothing waits for that (law 9)."""
    meta = release_set.metadata
    return {"apiVersion": API_VERSION, "kind": RELEASE_SET, "name": meta.name, "uid": meta.uid, "controller": True}


def on_behalf(release_set: ReleaseSet) -> dict[str, str | None]:
    """Return the annotation that says who applied the set, for its children; None, where nobody stamped that, takes theirs away."""
    return {APPLIED_BY_ANNOTATION: (release_set.metadata.annotations or {}).get(APPLIED_BY_ANNOTATION) or None}


def source_of(images: list[PinnedImage]) -> dict[str, Any]:
    """Write images as a Release's source."""
    listed = [{"container": i.container, "digest": i.digest} | ({"releaseHash": i.release_hash} if i.release_hash else {}) for i in images]
    return {"images": listed}


def new_child(release_set: ReleaseSet, service: str, images: list[PinnedImage], change: Change | None) -> dict[str, Any]:
    """Make the object of a child that is not there yet."""
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
    """Return a child as it is to be: source (None: as it is), change, our labels and annotations; what others own stays, suspend too."""
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
    """Change annotations: None takes one away. Nothing where none are left."""
    left = {name: value for name, value in {**before, **changes}.items() if value is not None}
    return {"annotations": left} if left else {}
