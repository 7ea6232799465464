"""Names of Kubernetes objects and ECS services, made of names that other tools allow."""

from __future__ import annotations

import hashlib
import re

_OBJECT, _SERVICE, _CONTAINER = 63, 63, 255


def object_name(text: str) -> str:
    """Make a DNS label of a text: lower case, at most 63 characters; what is cut off is told by a short hash."""
    return _cut(re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-"), text, _OBJECT)


def service_name(text: str) -> str:
    """Make a service's name of a text: case, `_` and `.` stay as they are."""
    return _cut(re.sub(r"[^-_.a-zA-Z0-9]+", "-", text).strip("-_."), text, _SERVICE)


def container_name(text: str) -> str:
    """Make a container's name of a text."""
    return _cut(re.sub(r"[^a-zA-Z0-9_-]+", "_", text), text, _CONTAINER)


def _cut(name: str, text: str, most: int) -> str:
    if not name:
        return f"x-{_hash(text)}"
    return name if len(name) <= most else f"{name[: most - 9].rstrip('-_.')}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class Taken:
    """Names that are given once: a text whose name is taken by another gets a short hash."""

    def __init__(self, most: int = _OBJECT) -> None:
        """`most` is the longest that a name may be."""
        self._most = most
        self._names: dict[str, str] = {}

    def give(self, name: str, text: str) -> str:
        """Give a text a name, the same whenever it comes again."""
        if self._names.setdefault(name, text) == text:
            return name
        another = f"{name[: self._most - 9].rstrip('-_.')}-{_hash(text)}"
        self._names[another] = text
        return another
