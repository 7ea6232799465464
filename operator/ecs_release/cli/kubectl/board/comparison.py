"""Differences: what two environments run, or what one Release wants and runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.model.image_names import parse_image, short_digest
from ecs_release.pages.links import compare_link
from ecs_release.pages.matrix import short

_LEFT = frozenset({"revision", "taskDefinitionArn", "registeredAt", "registeredBy", "status", "requiresAttributes", "compatibilities"})


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a hash to show, the digest of each container, and the running revision."""

    hash: str = ""
    digests: tuple[tuple[str, str], ...] = ()
    revision: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known about this side."""
        return not self.hash and not self.digests


@dataclass(frozen=True, slots=True)
class Difference:
    """A service on both sides. `link` is the page that compares the two hashes."""

    namespace: str
    project: str
    service: str
    before: Side
    after: Side
    link: str = ""

    @property
    def differs(self) -> bool:
        """Whether the digests differ; if a side has none, whether the hashes differ."""
        if self.before.digests and self.after.digests:
            shared = dict(self.before.digests).keys() & dict(self.after.digests).keys()
            return any(dict(self.before.digests)[c] != dict(self.after.digests)[c] for c in shared) or not shared
        return self.before.hash != self.after.hash


def running_side(body: Object) -> Side:
    """Return what a Release's listed containers run: for each the digest that most tasks show."""
    status = body.get("status") or {}
    running = status.get("running") or {}
    pinned = {i["container"]: i for i in (status.get("pin") or {}).get("images") or ()}
    shown = []
    for container in running.get("containers") or ():
        seen = [d.get("digest") for d in container.get("digests") or () if d.get("digest")]
        if seen and (not pinned or container["name"] in pinned):
            # Tasks may show a platform's digest if the manifest list's is pinned: show one digest for one image.
            image = pinned.get(container["name"], {})
            shown.append((container["name"], image["digest"] if seen[0] in (image.get("platformDigests") or ()) else seen[0]))
    return Side(str(running.get("hash") or ""), tuple(sorted(shown)), str(running.get("taskDefinition") or ""))


def wanted_side(body: Object) -> Side:
    """Return what a Release should run: its pin."""
    status = body.get("status") or {}
    images = (status.get("pin") or {}).get("images") or ()
    name = (status.get("summary") or {}).get("hash") or body["spec"]["source"].get("releaseHash") or body["spec"]["source"].get("tag")
    return Side(str(name or ""), tuple(sorted((i["container"], i.get("digest") or "") for i in images)))


def environments(before: Sequence[Object], after: Sequence[Object], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare what runs in two environments. `repositories` are the code repositories by namespace and project."""
    sides = [{_key(body): running_side(body) for body in bodies} for bodies in (before, after)]
    return [
        _difference(key, sides[0].get(key, Side()), sides[1].get(key, Side()), repositories)
        for key in sorted(sides[0].keys() | sides[1].keys())
    ]


def wanted(bodies: Sequence[Object], repositories: Mapping[tuple[str, str], str]) -> list[Difference]:
    """Compare what runs with what is wanted."""
    return [_difference(_key(b), running_side(b), wanted_side(b), repositories) for b in sorted(bodies, key=_key)]


def _key(body: Object) -> tuple[str, str, str]:
    return body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"]


def _difference(key: tuple[str, str, str], before: Side, after: Side, repositories: Mapping[tuple[str, str], str]) -> Difference:
    found = Difference(*key, before, after)
    if not found.differs:
        return found
    return Difference(*key, before, after, compare_link(repositories.get(key[:2], ""), before.hash, after.hash))


def rows(differences: Sequence[Difference], *, wide: bool = False, namespaces: bool = False) -> list[Row]:
    """Return the differences as rows of a table."""
    found: list[Row] = []
    for one in differences:
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


def data(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    """Return the differences as data for JSON and YAML."""

    def side(of: Side) -> dict[str, Any] | None:
        return None if of.is_empty else {"hash": of.hash or None, "digests": dict(of.digests), "taskDefinition": of.revision or None}

    return [
        {
            "namespace": d.namespace,
            "project": d.project,
            "service": d.service,
            "differs": d.differs,
            "before": side(d.before),
            "after": side(d.after),
            "link": d.link or None,
        }
        for d in differences
    ]


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
