"""Who applied an object, as the admission policy stamped it (examples/policies/applied-by.yaml). Without the policy it is a claim."""

from __future__ import annotations

from ecs_release.api.meta import ObjectMeta
from ecs_release.api.names import APPLIED_BY_ANNOTATION

_LONGEST = 256


def applied_by(metadata: ObjectMeta) -> str | None:
    """Return the user that the API server authenticated, cut to what a status may hold; None if no policy stamped one."""
    return (metadata.annotations or {}).get(APPLIED_BY_ANNOTATION, "")[:_LONGEST] or None
