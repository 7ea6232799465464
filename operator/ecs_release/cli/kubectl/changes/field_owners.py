"""Other writers of an object: GitOps tools, Helm, a ReleaseSet. They would revert what the plugin changes there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.api.names import GROUP, RELEASE_SET

_TRACKING, _INSTANCE = "argocd.argoproj.io/tracking-id", "app.kubernetes.io/instance"
_ARGO_MANAGERS = ("argocd-controller", "argocd-application-controller")
"""Argo CD's field managers: of server-side apply, and of client-side apply (argo-cd, ArgoCDSSAManager)."""
_KUSTOMIZE, _HELM_FLUX = "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Owner:
    """A writer of an object: `what` is its name in messages, `advice` what to change instead."""

    what: str
    advice: str


def owner(body: Mapping[str, Any]) -> Owner | None:
    """Return the tool or ReleaseSet that writes an object's spec; None if there is none."""
    found = (rule(body) for rule in (_release_set, _argo_tracking, _flux, _helm, _argo_label))
    return next((o for o in found if o is not None), None)


def git_owner(body: Mapping[str, Any]) -> Owner | None:
    """Return the tool that would revert a changed spec; None if there is none."""
    found = (rule(body) for rule in (_argo_tracking, _flux, _helm, _argo_label))
    return next((o for o in found if o is not None), None)


def release_set_of(body: Mapping[str, Any]) -> str:
    """Return the name of the ReleaseSet that a Release belongs to; empty if there is none."""
    references = _meta(body).get("ownerReferences") or ()
    ours = (r for r in references if r.get("controller") and r.get("kind") == RELEASE_SET)
    return next((str(r["name"]) for r in ours if str(r.get("apiVersion", "")).startswith(f"{GROUP}/")), "")


def _release_set(body: Mapping[str, Any]) -> Owner | None:
    name = release_set_of(body)
    return Owner(f"ReleaseSet {name}", f"do it to the set: releaseset/{name}") if name else None


def _argo_tracking(body: Mapping[str, Any]) -> Owner | None:
    """Parse `<app>:<group>/<kind>:<namespace>/<name>`. One that names another object was copied, and is ignored (Argo CD, tracking)."""
    tracking = str((_meta(body).get("annotations") or {}).get(_TRACKING, ""))
    application, _, named = tracking.partition(":")
    meta = _meta(body)
    itself = f"{GROUP}/{body.get('kind')}:{meta.get('namespace', '')}/{meta.get('name')}"
    return _application(application) if application and named == itself else None


def _argo_label(body: Mapping[str, Any]) -> Owner | None:
    """Argo CD's tracking by label. Helm and people set this label, too: it counts only if Argo CD has written the object."""
    meta = _meta(body)
    if _TRACKING in (meta.get("annotations") or {}):
        return None
    application = str((meta.get("labels") or {}).get(_INSTANCE, ""))
    written = any(f.get("manager") in _ARGO_MANAGERS for f in meta.get("managedFields") or ())
    return _application(application) if application and written else None


def _application(name: str) -> Owner:
    # `<namespace>_<name>` where Applications are in any namespace; neither may hold an underscore.
    namespace, _, own = name.rpartition("_")
    shown = f"{namespace}/{own}" if namespace else name
    return Owner(f"Argo CD (Application {shown})", "change the manifest in git")


def _flux(body: Mapping[str, Any]) -> Owner | None:
    labels = _meta(body).get("labels") or {}
    for prefix, kind in ((_KUSTOMIZE, "Kustomization"), (_HELM_FLUX, "HelmRelease")):
        name, namespace = labels.get(f"{prefix}/name"), labels.get(f"{prefix}/namespace")
        if name:
            return Owner(f"Flux ({kind} {f'{namespace}/' if namespace else ''}{name})", "change the manifest in git")
    return None


def _helm(body: Mapping[str, Any]) -> Owner | None:
    meta = _meta(body)
    name = (meta.get("annotations") or {}).get("meta.helm.sh/release-name")
    if not name or (meta.get("labels") or {}).get("app.kubernetes.io/managed-by") != "Helm":
        return None
    return Owner(f"Helm (release {name})", "change the chart's values")


def _meta(body: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = body.get("metadata") or {}
    return found
