"""What several tests of ReleaseSets do and read."""

from __future__ import annotations

from typing import Any

from tests.e2e.bed import Place


def push(place: Place, tag: str, *services: str, **more: Any) -> dict[str, str]:
    return {s: place.push(tag, service=s, **more) for s in services}


def lines(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {s["name"]: s for s in status.get("services") or ()}
