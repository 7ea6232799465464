"""Time zones that specs name."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Blocked


def zone_of(name: str | None, what: str) -> ZoneInfo:
    """Return a time zone, UTC if none is named.

    Zones are files, of the system or of the package tzdata, that are read once and count as constants.

    Raises Blocked(InvalidSpec), which says that `what` names it, for one that is not known.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:  # Unknown, no name of a zone, or a directory of zones ("Europe").
        raise Blocked(
            Reason.INVALID_SPEC,
            f"{what}: timeZone {name!r} is not known: write an IANA name such as 'Europe/London', or leave it out for UTC",
        ) from error
