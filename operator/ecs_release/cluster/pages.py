"""Pages of lists, bounded by bytes: objects of tenants are up to 1.5 MiB each, and one with an emoji takes four times as much in Python.

Annotations, most of that size, are dropped from each object as soon as it is parsed, so that of all objects at most a page is in memory
as it was sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from ecs_release.api.names import GROUP, RELEASE_SET
from ecs_release.domain.model.page_size import OBJECT_BYTES

_SMALL = 16 * 1024


async def read_bounded(content: aiohttp.StreamReader, most_bytes: int) -> bytes | None:
    """Read a body; None if it has more bytes than that. The rest of it is not read."""
    parts, size = list[bytes](), 0
    async for part in content.iter_any():
        size += len(part)
        if size > most_bytes:
            return None
        parts.append(part)
    return b"".join(parts)


def _is_ours(name: str) -> bool:
    return name.startswith(f"{GROUP}/")


def trim(body: dict[str, Any]) -> dict[str, Any]:
    """Drop from an object's metadata what nothing here reads, and what has no bound of its own; returns the same object.

    `KubernetesCluster.replace` writes what others own as it finds it.
    """
    meta = body.get("metadata")
    if isinstance(meta, dict):
        for name in ("managedFields", "finalizers", "selfLink"):
            meta.pop(name, None)
        for name in ("annotations", "labels"):
            if isinstance(found := meta.get(name), dict):
                meta[name] = {key: value for key, value in found.items() if _is_ours(key)}
        if isinstance(owners := meta.get("ownerReferences"), list):
            meta["ownerReferences"] = [o for o in owners if isinstance(o, dict) and o.get("kind") == RELEASE_SET]
    return body


def untrimmed(meta: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata for an update: ours as it was read and changed, everything else as it is there."""
    whole = {**there, **meta}
    # Absent, they stay as they are.
    whole.pop("managedFields", None)
    for name in ("annotations", "labels"):
        others = {key: value for key, value in (there.get(name) or {}).items() if not _is_ours(key)}
        whole[name] = {**others, **(meta.get(name) or {})}
    for name in ("finalizers", "ownerReferences"):
        if name in there:
            whole[name] = there[name]
    return whole


def trimmed_page(data: bytes) -> dict[str, Any]:
    """Parse a page, and trim its objects. Raises ValueError if it is no JSON object."""
    page = json.loads(data)
    if not isinstance(page, dict):
        raise ValueError("a list that is no JSON object")  # noqa: TRY004 - as for any other text that is not what it should be.
    for item in page.get("items") or ():
        if isinstance(item, dict):
            trim(item)
    return page


def trimmed_event(line: bytes) -> bytes:
    """Trim the object of a watch event. Small events, and what is not understood, stay as they are."""
    if len(line) <= _SMALL:
        return line
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if isinstance(event, dict) and isinstance(event.get("object"), dict):
        trim(event["object"])
        return json.dumps(event, separators=(",", ":")).encode()
    return line


async def trimmed_events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield the lines of a watch, each trimmed. Raises ClientPayloadError at a line that is longer than any object."""
    parts, size = list[bytes](), 0
    async for part in content.iter_any():
        *ended, rest = part.split(b"\n")
        for end in ended:
            line = b"".join((*parts, end))
            parts, size = [], 0
            if line:
                yield trimmed_event(line) + b"\n"
        if rest:
            parts.append(rest)
            size += len(rest)
            if size > OBJECT_BYTES:
                raise aiohttp.ClientPayloadError(f"an event of more than {OBJECT_BYTES} bytes")
