"""Differences: what two environments run, or what one Release wants and runs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.model.image_names import parse_image, short_digest
from ecs_release.pages.comparison import differences
from ecs_release.pages.comparison.differences import Difference, Key, Seen, Side, Verdict, running_side
from ecs_release.pages.matrix import entry, short

_LEFT = frozenset({"revision", "taskDefinitionArn", "registeredAt", "registeredBy", "status", "requiresAttributes", "compatibilities"})


_MARKS = {
    Verdict.SAME: ("=", "dim"),
    Verdict.DIFFERS: ("≠", "warn"),
    Verdict.NOTHING_RUNS: ("○", "warn"),
    Verdict.UNKNOWN: ("?", "warn"),
}


def wanted_side(body: Object) -> Side:
    """Return what a Release should run: its pin."""
    status = body.get("status") or {}
    images = (status.get("pin") or {}).get("images") or ()
    name = (status.get("summary") or {}).get("hash") or body["spec"]["source"].get("releaseHash") or body["spec"]["source"].get("tag")
    digests = tuple(sorted((i["container"], i.get("digest") or "") for i in images))
    return Side(str(name or ""), digests, seen=Seen.ALL, is_listed=bool(images))


def environments(
    before: Sequence[Object], after: Sequence[Object], repositories: Mapping[tuple[str, str], str], unobserved: Collection[str] = ()
) -> list[Difference]:
    """Compare what runs in two environments. `repositories` are the code repositories by namespace and project.

    Of Environments in `unobserved` it is not known what runs now.
    """
    # Of two Releases that claim one service the one that comes first is what is there, as on the board.
    ranked = [sorted(bodies, key=lambda body: entry(body).rank, reverse=True) for bodies in (before, after)]
    sides = [{_key(body): _runs(body, unobserved) for body in bodies} for bodies in ranked]
    return differences.compared(sides[0], sides[1], repositories)


def wanted(bodies: Sequence[Object], repositories: Mapping[tuple[str, str], str], unobserved: Collection[str] = ()) -> list[Difference]:
    """Compare what runs with what is wanted. Of Environments in `unobserved` it is not known what runs now."""
    return [differences.difference(_key(b), _runs(b, unobserved), wanted_side(b), repositories) for b in sorted(bodies, key=_key)]


def _runs(body: Object, unobserved: Collection[str]) -> Side:
    found = running_side(body)
    return found.not_lately if body["spec"]["environmentRef"]["name"] in unobserved else found


def _key(body: Object) -> Key:
    return body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"]


def rows(compared: Sequence[Difference], *, wide: bool = False, namespaces: bool = False) -> list[Row]:
    """Return the differences as rows of a table."""
    found: list[Row] = []
    for one in compared:
        mark = Cell(*_MARKS[one.verdict])
        found.append(
            [
                *([one.namespace] if namespaces else []), one.project, one.service,
                _side(one.before, wide=wide), mark, _side(one.after, wide=wide), one.link,
            ]
        )  # fmt: skip
    return found


def _side(side: Side, *, wide: bool) -> str:
    if side.seen is Seen.NOTHING:
        return "nothing runs"
    if side.is_empty:
        return "-"
    digests = [f"{container}@{digest if wide else short_digest(digest)}" for container, digest in (*side.digests, *side.others)]
    return " ".join([short(side.hash), *digests]).strip()


def summary(found: Sequence[Difference]) -> str:
    """Return how many services differ, and of how many that cannot be told."""
    verdicts = Counter(one.verdict for one in found)
    parts = [f"{verdicts[Verdict.DIFFERS]} of {len(found)} services differ"]
    parts += [f"of {verdicts[Verdict.UNKNOWN]} it is not known"] if verdicts[Verdict.UNKNOWN] else []
    parts += [f"of {verdicts[Verdict.NOTHING_RUNS]} nothing runs"] if verdicts[Verdict.NOTHING_RUNS] else []
    return f"{'; '.join(parts)}."


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
