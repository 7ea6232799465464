"""Who applied an object: what the admission policy stamped on it (examples/policies/applied-by.yaml). Without that policy, a claim."""

from __future__ import annotations

from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import APPLIED_BY_ANNOTATION

_LONGEST = 256


def applied_by(metadata: ObjectMeta) -> str | None:
    """Return the user that the API server had authenticated, cut to what a status may hold; None where nobody stamped one."""
    return (metadata.annotations or {}).get(APPLIED_BY_ANNOTATION, "")[:_LONGEST] or None
