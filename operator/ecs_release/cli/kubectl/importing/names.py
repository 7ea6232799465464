"""Valid names of Kubernetes objects, services and containers, from arbitrary texts."""

from __future__ import annotations

import hashlib
import re

_OBJECT, _SERVICE, _CONTAINER = 63, 63, 255


def object_name(text: str) -> str:
    """Return a DNS label: lower case, at most 63 characters; a longer one is cut and ends with a hash of the text."""
    return _cut(re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-"), text, _OBJECT)


def service_name(text: str) -> str:
    """Return a service's name: case, `_` and `.` stay as they are."""
    return _cut(re.sub(r"[^-_.a-zA-Z0-9]+", "-", text).strip("-_."), text, _SERVICE)


def container_name(text: str) -> str:
    """Return a container's name."""
    return _cut(re.sub(r"[^a-zA-Z0-9_-]+", "_", text), text, _CONTAINER)


def _cut(name: str, text: str, most: int) -> str:
    if not name:
        return f"x-{_hash(text)}"
    return name if len(name) <= most else f"{name[: most - 9].rstrip('-_.')}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class UniqueNames:
    """Gives each name once: a text whose name is taken by another text gets a hash appended."""

    def __init__(self, most: int = _OBJECT) -> None:
        """`most` is the longest valid name."""
        self._most = most
        self._names: dict[str, str] = {}

    def unique(self, name: str, text: str) -> str:
        """Return a unique name for a text, and the same one for the same text."""
        if self._names.setdefault(name, text) == text:
            return name
        another = f"{name[: self._most - 9].rstrip('-_.')}-{_hash(text)}"
        self._names[another] = text
        return another
