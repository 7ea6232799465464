"""Ids of attempts, pins and deployment sets."""

from __future__ import annotations

import secrets
from datetime import datetime


def new_id(now: datetime) -> str:
    """Return a unique id that sorts by time: 20260504t115830-a1b2c3. It is made here because `domain` has no randomness."""
    return f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
