"""What the store keeps of promotions: what a Release proves, in a number, and since when its own promotion is overdue."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ecs_release.api.conditions import ConditionType
from ecs_release.api.promotion import OVERDUE
from ecs_release.domain.model.conditions import TRUE


class OverduePromotion(NamedTuple):
    """Since when a promotion that is overdue waits (RFC 3339), and what is to be promoted."""

    since: str
    hash: str


def proven_digests(body: Mapping[str, Any]) -> int:
    """Return a number for the digests that a Release proves to run, by containers; 0 if it proves nothing.

    See `domain.promotion.proof`, which says the same of a parsed Release.
    """
    status = body.get("status") or {}
    images = (status.get("pin") or {}).get("images") or ()
    if not images or status.get("observedGeneration") != body["metadata"].get("generation"):
        return 0
    is_true = {c["type"] for c in status.get("conditions") or () if c["status"] == TRUE}
    if not {ConditionType.READY, ConditionType.IN_SYNC} <= is_true:
        return 0
    return zlib.crc32(repr(sorted((i["container"], i.get("digest", "")) for i in images)).encode()) or 1


def overdue_promotion(status: Mapping[str, Any]) -> OverduePromotion | None:
    """Return what a status says of a promotion that is overdue; None if none is."""
    promotion = status.get("promotion") or {}
    if promotion.get("state") != OVERDUE:
        return None
    return OverduePromotion(promotion.get("sinceTime", ""), promotion.get("hash", ""))
