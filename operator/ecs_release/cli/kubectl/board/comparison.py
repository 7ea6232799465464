"""Differences: what two environments run, or what one Release wants and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.model.image_names import parse_image, short_digest
from ecs_release.pages.comparison import differences
from ecs_release.pages.comparison.differences import Difference, Key, Side, running_side
from ecs_release.pages.matrix import short

_LEFT = frozenset({"revision", "taskDefinitionArn", "registeredAt", "registeredBy", "status", "requiresAttributes", "compatibilities"})


def wanted_side(body: Object) -> Side:
    """Return what a Release should run: its pin."""
    status = body.get("status") or {}
    images = (status.get("pin") or {}).get("images") or ()
    name = (status.get("summary") or {}).get("hash") or body["spec"]["source"].get("releaseHash") or body["spec"]["source"].get("tag")
    return Side(str(name or ""), tuple(sorted((i["container"], i.get("digest") or "") for i in images)))


def environments(before: Sequence[Object], after: Sequence[Object], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare what runs in two environments. `repositories` are the code repositories by namespace and project."""
    sides = [{_key(body): running_side(body) for body in bodies} for bodies in (before, after)]
    return differences.compared(sides[0], sides[1], repositories)


def wanted(bodies: Sequence[Object], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare what runs with what is wanted."""
    return [differences.difference(_key(b), running_side(b), wanted_side(b), repositories) for b in sorted(bodies, key=_key)]


def _key(body: Object) -> Key:
    return body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"]


def rows(compared: Sequence[Difference], *, wide: bool = False, namespaces: bool = False) -> list[Row]:
    """Return the differences as rows of a table."""
    found: list[Row] = []
    for one in compared:
        mark = Cell("≠", "warn") if one.differs else Cell("=", "dim")
        found.append(
            [
                *([one.namespace] if namespaces else []), one.project, one.service,
                _side(one.before, wide=wide), mark, _side(one.after, wide=wide), one.link,
            ]
        )  # fmt: skip
    return found


def _side(side: Side, *, wide: bool) -> str:
    if side.is_empty:
        return "-"
    digests = [f"{container}@{digest if wide else short_digest(digest)}" for container, digest in side.digests]
    return " ".join([short(side.hash), *digests]).strip()


def data(found: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return the differences as data for JSON and YAML."""
    return [differences.data(one) for one in found]


def fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Compare two task definitions field by field: path, before, after. Containers are matched by name, other lists by index."""
    found: list[tuple[str, str, str]] = []
    _walk("", _comparable(before), _comparable(after), found)
    return found


@dataclass(frozen=True, slots=True, repr=False)
class _Hidden:
    """A value that is compared and never shown: environment variables often hold secrets by mistake."""

    value: Any

    def __repr__(self) -> str:
        return "(set)"


def _comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the fields that differ in every revision, and hide the values of environment variables."""
    found = {k: v for k, v in content.items() if k not in _LEFT}
    found["containerDefinitions"] = [
        {**c, "environment": [{**e, "value": _Hidden(e.get("value"))} for e in c["environment"]]} if c.get("environment") else c
        for c in content.get("containerDefinitions") or ()
    ]
    return found


def _walk(path: str, before: Any, after: Any, found: list[tuple[str, str, str]]) -> None:
    if before == after:
        return
    left, right = _named(before), _named(after)
    # What exists on one side only is shown field by field, too.
    left, right = ({} if left is None else left), ({} if right is None else right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted({*left, *right}):
            _walk(f"{path}.{key}" if path else str(key), left.get(key), right.get(key), found)
        return
    found.append((path, _shown(path, before), _shown(path, after)))


def _named(value: Any) -> Any:
    """Turn a list into a map: by name if all of its items have one (containers, environment, volumes), else by index."""
    if not isinstance(value, list):
        return value
    if value and all(isinstance(v, Mapping) and "name" in v for v in value) and len({v["name"] for v in value}) == len(value):
        return {f"[{v['name']}]": {k: w for k, w in v.items() if k != "name"} for v in value}
    return {f"[{i}]": v for i, v in enumerate(value)}


def _shown(path: str, value: Any) -> str:
    """Return a value as text; the digest of an image is shortened."""
    if value is None:
        return "-"
    image = parse_image(value) if isinstance(value, str) and path.endswith(".image") else None
    if image is not None and image.digest:
        return f"{image.repository}@{short_digest(image.digest)}"
    return str(value)
