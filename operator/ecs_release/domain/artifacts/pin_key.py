"""The key of a release's artifacts: the same artifacts have the same release number, wherever and however often they are deployed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Membership:
    """The ReleaseSet that an attempt is made for: its name, the hash of its source, and the key of all its artifacts."""

    release_set: str
    source_hash: str
    pin: str


def pin_key(digests: Mapping[str, Mapping[str, str]]) -> str:
    """Return the key of artifacts: digests by container, by service. 64 hexadecimal digits."""
    listed = sorted([service, sorted(containers.items())] for service, containers in digests.items())
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()
