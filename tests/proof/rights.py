"""The chart's rules for the operator, compared with what it asked of the API server. Pure but for reading the chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.proof.usage import Request

# What helm renders with the default values; tests/chart holds it to that.
RENDERED = Path(__file__).parents[1] / "chart" / "golden" / "defaults.yaml"
KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str


_VERBS = (
    "asked by the policies when it hands a set's requests on to its Releases: what a policy asks the authorizer is not in the audit log"
)
UNSEEN: Mapping[Right, str] = {
    Right("ecs-release.dev", "releases", "retry"): _VERBS,
    Right("ecs-release.dev", "releases", "abort"): _VERBS,
    Right("ecs-release.dev", "environments", "override-window"): _VERBS,
}
"""Rights that no audit log shows in use, and why they are needed."""
REFUSED: Mapping[Right, str] = {
    Right("", "namespaces", "get"): "an operator for some namespaces, without rbac.readNamespaces, asks for labels and says what it lacks",
}
"""What the operator asks for though it has no right to it, and why that is meant so."""


def rendered() -> list[dict[str, Any]]:
    """Return the chart's service account, roles and bindings."""
    return [o for o in yaml.safe_load_all(RENDERED.read_text()) if o and o["kind"] in KINDS]


def given(objects: Collection[Mapping[str, Any]]) -> frozenset[Right]:
    """Return all that the chart's bindings give to its service account."""
    account = next(o for o in objects if o["kind"] == "ServiceAccount")["metadata"]
    rules = {(o["kind"], o["metadata"]["name"]): o["rules"] for o in objects if o["kind"] in ("Role", "ClusterRole")}
    bound = [
        (o["roleRef"]["kind"], o["roleRef"]["name"])
        for o in objects
        for subject in o.get("subjects", ())
        if (subject["kind"], subject.get("namespace"), subject["name"]) == ("ServiceAccount", account["namespace"], account["name"])
    ]
    return frozenset(
        Right(group, resource, verb)
        for name in bound
        for rule in rules[name]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    )


def faults(
    rights: Collection[Right],
    requests: Mapping[Request, int],
    unseen: Mapping[Right, str] = UNSEEN,
    refused: Mapping[Right, str] = REFUSED,
) -> Iterator[str]:
    """Say what is given and was never used, what was asked for and is not given, and what is justified without need."""
    used = {_right(r) for r in requests if r.allowed}
    denied = {_right(r) for r in requests if not r.allowed}
    for right in sorted(set(rights) - used - unseen.keys()):
        yield f"{_said(right)}: the chart gives it, and no test used it; take it out of the chart, test what needs it, or say why in UNSEEN"
    for right in sorted(denied - refused.keys()):
        yield f"{_said(right)}: the operator asked for it, and no rule of the chart gives it"
    for right in sorted((unseen.keys() & used) | (refused.keys() - denied)):
        yield f"{_said(right)}: its justification is not needed: take it out"
    for right in sorted(unseen.keys() - set(rights)):
        yield f"{_said(right)}: it is justified, and the chart does not give it"


def table(rights: Collection[Right], requests: Mapping[Request, int]) -> list[str]:
    """Tell each right, with the number of requests that used it."""
    used: Counter[Right] = Counter()
    for request, count in requests.items():
        if request.allowed:
            used[_right(request)] += count
    return [f"{used[right]:>9}  {_said(right)}" + (f"  ({UNSEEN[right]})" if right in UNSEEN else "") for right in sorted(rights)]


def _right(request: Request) -> Right:
    return Right(request.group, request.resource, request.verb)


def _said(right: Right) -> str:
    return f"{right.verb} {right.resource}{f'.{right.group}' if right.group else ''}"
