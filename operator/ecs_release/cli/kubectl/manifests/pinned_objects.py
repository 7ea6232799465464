"""Objects with pinned images: what a promotion or a rollback writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecs_release.api.names import API_VERSION
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import wanted_hash
from ecs_release.domain.model.image_names import short_digest

Fields = dict[str, Any]
"""Fields of a spec to set; None removes one."""


def pinning(spec: Mapping[str, Any], pins: Mapping[str, Source], order: Sequence[str], *, whole: bool) -> Fields:
    """Give services the images of `pins`. `whole`: all services of the set, whose source then says nothing more, and goes.

    Else the others keep what they have. Overrides stand in the `order` of the Project's services.
    """
    kept = {} if whole else {o["service"]: o for o in spec.get("overrides") or ()}
    overrides = kept | {name: {"service": name, "source": source.to_kubernetes()} for name, source in pins.items()}
    listed = sorted(overrides.values(), key=lambda o: (order.index(o["service"]) if o["service"] in order else len(order), o["service"]))
    fields: Fields = {"overrides": listed}
    return {"source": None, **fields} if whole else fields


def change(said: Mapping[str, str | None]) -> Fields:
    """Say why and who: another release is another change, so that nothing of the former one's stays."""
    return {"change": {k: v for k, v in said.items() if v} or None}


def fresh(kind: str, name: str, namespace: str, identity: Mapping[str, Any], fields: Fields) -> dict[str, Any]:
    """Write an object that is not there yet."""
    spec = {**identity, **{k: v for k, v in fields.items() if v is not None}}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


_OURS = ("kubectl.kubernetes.io/last-applied-configuration",)


def of_live(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a live object as a manifest: without what the API server, requests and tools have written into it."""
    meta = body["metadata"]
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if not _is_of_the_cluster(k)}
    kept: dict[str, Any] = {"name": meta["name"], "namespace": meta["namespace"]}
    kept |= {"labels": dict(meta["labels"])} if meta.get("labels") else {}
    kept |= {"annotations": annotations} if annotations else {}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": dict(body["spec"])}


def _is_of_the_cluster(annotation: str) -> bool:
    """Tell whether an annotation is a request, a stamp, or a tool's note on the live object: none belongs in a manifest."""
    return annotation in _OURS or annotation.startswith(("ecs-release.dev/", "argocd.argoproj.io/tracking-id"))


def is_same(body: object, kind: str, namespace: str, identity: Mapping[str, Any]) -> bool:
    """Tell whether a document is the object of an identity; one without a namespace may be in any."""
    if not isinstance(body, Mapping) or body.get("kind") != kind or body.get("apiVersion") != API_VERSION:
        return False
    spec = body.get("spec") or {}
    there = (body.get("metadata") or {}).get("namespace")
    return there in (None, namespace) and all(spec.get(k) == v for k, v in identity.items())


def named(source: Source) -> str:
    """Name a source for people: its release hash, else its digests, shortened."""
    return wanted_hash(source) or "+".join(short_digest(i.digest) for i in source.images or ()) or "nothing"


def summary(pins: Mapping[str, Source]) -> str:
    """Name what some services get: the one hash, or how many there are."""
    names = sorted({named(s) for s in pins.values()})
    return names[0] if len(names) == 1 else f"{len(names)} release hashes"


def steps(pins: Mapping[str, Source], live: Mapping[str, Any] | None) -> list[str]:
    """Say for each service what it goes from and to: what whoever is asked agrees to."""
    status = (live or {}).get("status") or {}
    before = {str(s["name"]): str(s.get("hash") or "") for s in status.get("services") or ()}
    alone = str((status.get("summary") or {}).get("hash") or "") if "services" not in status else ""
    return [f"  {name}: {before.get(name) or alone or 'nothing known'} -> {named(source)}" for name, source in pins.items()]
