"""Objects with pinned images, as a promotion or a rollback writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecs_release.api.names import API_VERSION
from ecs_release.api.source import Source
from ecs_release.domain.model.image_names import short_digest

Fields = dict[str, Any]
"""Fields of a spec to set; None removes one."""


def pin_fields(spec: Mapping[str, Any], pins: Mapping[str, Source], order: Sequence[str], *, whole: bool) -> Fields:
    """Return the fields that pin services to the images of `pins`. `whole`: all services of the set, whose own source is removed then.

    Else the others keep what they have. Overrides are in the `order` of the Project's services.
    """
    kept = {} if whole else {o["service"]: o for o in spec.get("overrides") or ()}
    overrides = kept | {name: {"service": name, "source": source.to_kubernetes()} for name, source in pins.items()}
    listed = sorted(overrides.values(), key=lambda o: (order.index(o["service"]) if o["service"] in order else len(order), o["service"]))
    fields: Fields = {"overrides": listed}
    return {"source": None, **fields} if whole else fields


def change_fields(said: Mapping[str, str | None]) -> Fields:
    """Return spec.change: who and why. It replaces the former change as a whole, for this is another release."""
    return {"change": {k: v for k, v in said.items() if v} or None}


def new_object(kind: str, name: str, namespace: str, identity: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Return an object that does not exist yet."""
    spec = {**identity, **{k: v for k, v in fields.items() if v is not None}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


_OURS = ("kubectl.kubernetes.io/last-applied-configuration",)


def manifest_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a live object as a manifest, without what the API server, requests and tools have added."""
    meta = body["metadata"]
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if not _is_written_by_cluster(k)}
    kept: dict[str, Any] = {"name": meta["name"], "namespace": meta["namespace"]}
    kept |= {"labels": dict(meta["labels"])} if meta.get("labels") else {}
    kept |= {"annotations": annotations} if annotations else {}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": dict(body["spec"])}


def _is_written_by_cluster(annotation: str) -> bool:
    """Return whether an annotation was written to the live object by us or by a tool: none belongs in a manifest."""
    return annotation in _OURS or annotation.startswith(("ecs-release.dev/", "argocd.argoproj.io/tracking-id"))


def has_identity(body: object, kind: str, namespace: str, identity: Mapping[str, Any]) -> bool:
    """Return whether a document is the object with an identity; one without a namespace matches any."""
    if not isinstance(body, Mapping) or body.get("kind") != kind or body.get("apiVersion") != API_VERSION:
        return False
    spec = body.get("spec") or {}
    there = (body.get("metadata") or {}).get("namespace")
    return there in (None, namespace) and all(spec.get(k) == v for k, v in identity.items())


def source_text(source: Source) -> str:
    """Return a source that was made here as text: its release hash, which is a confirmed one, else its shortened digests."""
    hashes = {i.release_hash for i in source.images or ()}
    only = hashes.pop() if len(hashes) == 1 else None
    digests = "+".join(short_digest(i.digest) for i in source.images or ())
    return only or source.release_hash or source.tag or digests or "nothing"


def summary(pins: Mapping[str, Source]) -> str:
    """Return the hash that all services get, or how many hashes there are."""
    names = sorted({source_text(s) for s in pins.values()})
    return names[0] if len(names) == 1 else f"{len(names)} release hashes"


def steps(pins: Mapping[str, Source], live: Mapping[str, Any] | None) -> list[str]:
    """Return a line for each service with what it runs and will run, for confirmation."""
    status = (live or {}).get("status") or {}
    before = {str(s["name"]): str(s.get("hash") or "") for s in status.get("services") or ()}
    alone = str((status.get("summary") or {}).get("hash") or "") if "services" not in status else ""
    return [f"  {name}: {before.get(name) or alone or 'nothing known'} -> {source_text(source)}" for name, source in pins.items()]
