"""Whether an object has changed in anything that a pass reads."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from ecs_release.api.names import OUR_LABELS, REQUEST_ANNOTATIONS


def fingerprint(body: Mapping[str, Any]) -> int:
    """Return a checksum of all that a pass reads: an event that does not change it (our own write, a label) needs no pass."""
    meta = body["metadata"]
    annotations = meta.get("annotations") or {}
    seen = (
        meta["uid"],
        meta.get("generation"),
        "deletionTimestamp" in meta,
        [annotations.get(name) for name in REQUEST_ANNOTATIONS],
        [(meta.get("labels") or {}).get(name) for name in OUR_LABELS],
        [owner["uid"] for owner in meta.get("ownerReferences") or ()],
        body.get("status"),
    )
    return zlib.crc32(json.dumps(seen, sort_keys=True, default=str).encode())
