"""Ids of attempts and deployment sets."""

from __future__ import annotations

import secrets
from datetime import datetime


def new_id(now: datetime) -> str:
    """Make an id that sorts by time and is unique: 20260504t115830-a1b2c3. Made here, for `domain` is left without chance."""
    return f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
