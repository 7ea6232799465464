"""What a decision about a Release rests on, by the names of its parts. Tests make and change facts here only."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Look, ServiceKey
from tests.builders.ecs import NOW
from tests.builders.objects import ACCOUNT, REGION, environment, release, target

KEY = ServiceKey(ACCOUNT, REGION, "prod", "web")

_GROUPS = {f.name: f.default_factory for f in fields(Facts) if is_dataclass(f.default_factory) and f.name != "limits"}
_FIELDS = [(group, f.name) for group, kind in _GROUPS.items() for f in fields(kind)]
_TIMES = Counter(name for _, name in _FIELDS)
_PLACES = {name if _TIMES[name] == 1 else f"{group}_{name}": (group, name) for group, name in _FIELDS} | {
    "tags": ("tags", "digests"),
    "has_ledger": ("ledger", "is_configured"),
}
"""Where each part is: its record, and its name there."""


def facts(**parts: Any) -> Facts:
    """Facts of a Release whose target is known, and nothing else.

    `parts` are fields of the records of `Facts`, by their name (`pin`, `look`, `running`) or, where several records have one of that
    name, with the record's before it (`ledger_problem`); for short, `seen` is the service of a look that was just made, and `tags` what
    the environment's tag points to. An `environment` of its own is that of the target, too.
    """
    place = parts.get("environment") or environment()
    usual: dict[str, Any] = {"release": release(), "now": NOW, "environment": place}
    if "target" not in parts:
        usual["target"] = target(place)
    now = parts.get("now", NOW)
    return _with(Facts(release=usual["release"], now=now), usual | _looked(parts, now))


def changed(given: Facts, **parts: Any) -> Facts:
    """The same with other parts: those of `facts`, and `status` and `spec` (fields of it) of the Release."""
    release_ = parts.pop("release", given.release)
    if "status" in parts:
        release_ = release_.model_copy(update={"status": parts.pop("status")})
    if "spec" in parts:
        release_ = release_.model_copy(update={"spec": release_.spec.model_copy(update=parts.pop("spec"))})
    return _with(given, {"release": release_, **_looked(parts, NOW)})


def _with(given: Facts, parts: dict[str, Any]) -> Facts:
    """Put each part into the record that it belongs to."""
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    whole: dict[str, Any] = {}
    for name, value in parts.items():
        if name in _PLACES:
            group, field = _PLACES[name]
            groups[group][field] = value
        else:
            whole[name] = value
    return replace(given, **whole, **{group: replace(getattr(given, group), **values) for group, values in groups.items()})


def _looked(parts: dict[str, Any], now: Any) -> dict[str, Any]:
    seen = {"look": Look(KEY, parts.pop("seen"), now, now)} if "seen" in parts else {}
    return parts | seen
