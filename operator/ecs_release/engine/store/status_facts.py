"""What the store extracts from an object as the API server sent it, before anything is parsed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from ecs_release.api.conditions import ConditionType
from ecs_release.api.names import API_VERSION, RELEASE_SET
from ecs_release.domain.retention.image_availability import WARNED_OF
from ecs_release.domain.views.shown import OVERDUE_ID

_SINKS = ("github", "slack")


def shown_by(status: Mapping[str, Any]) -> tuple[str, ...]:
    """List the kinds of sinks that show the end of what a status has last, and of which nothing is in doubt; none while it is under way."""
    last: Mapping[str, Any] = next(iter(status.get("history") or ()), {})
    views = status.get("views") or ()
    shown = {(view.get("id"), view.get("outcome")) for view in views}
    doubted = {str(view.get("id")).partition("/")[0] for view in views if any(map(_is_in_doubt, view.get("parts") or ()))}
    an_id, outcome = last.get("attemptID") or last.get("id"), last.get("outcome")
    return _shared_names(tuple(sink for sink in _SINKS if outcome and (f"{sink}/{an_id}", outcome) in shown and sink not in doubted))


def _is_in_doubt(part: Mapping[str, Any]) -> bool:
    """Return whether a part may be there twice, or was announced and is not known to be there."""
    return bool(part.get("unverifiedTime")) or not part.get("receipt")


def drift_time(status: Mapping[str, Any]) -> str:
    """Return when the latest drift has begun or ended (RFC 3339, whole seconds); empty if there was none."""
    drift: Mapping[str, Any] = status.get("lastDrift") or {}
    return max(drift.get("startTime") or "", drift.get("endTime") or "")


def says_overdue(status: Mapping[str, Any]) -> bool:
    """Return whether it is shown somewhere that a promotion is overdue."""
    return any(str(view.get("id")).endswith(f"/{OVERDUE_ID}") for view in status.get("views") or ())


@lru_cache(maxsize=16)
def _shared_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return names


def artifact_warning(conditions: Iterable[Mapping[str, Any]]) -> str:
    """Return the reason of ArtifactAvailable if it is a warning."""
    reason = next((c["reason"] for c in conditions if c["type"] == ConditionType.ARTIFACT_AVAILABLE), "")
    return sys.intern(reason) if reason in WARNED_OF else ""


@lru_cache(maxsize=1024)
def shared(conditions: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the tuple that all Releases with equal conditions share: few differ, and there are thousands of Releases."""
    return conditions


def controller(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the reference to the ReleaseSet that is an object's controller; empty if none is (as `controller_of` of a model)."""
    owners = meta.get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller") and (o["kind"], o["apiVersion"]) == (RELEASE_SET, API_VERSION)), {})
