"""The chart's rules for the operator, compared with what it asked of the API server. Pure but for reading the chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.proof.usage import EVERYWHERE, OWN, WATCHED, Request

# What helm renders with the default values, and with watchNamespaces; tests/chart holds them to that.
_GOLDEN = Path(__file__).parents[1] / "chart" / "golden"
RENDERED, RENDERED_IN_SOME, RENDERED_BOARD = _GOLDEN / "defaults.yaml", _GOLDEN / "namespaced.yaml", _GOLDEN / "board.yaml"
BOARD = "ecs-release-operator-board"
"""The board's service account."""
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
    Right("ecs-release.dev", "releases", "continue"): _VERBS,
    Right("ecs-release.dev", "environments", "override-window"): _VERBS,
}
"""Rights that no audit log shows in use, and why they are needed."""
REFUSED_IN_SOME: Mapping[tuple[str, Right], str] = {
    (WATCHED, Right("", "namespaces", "get")): "without rbac.readNamespaces it asks for labels, and says what it lacks",
}
"""What an operator of some namespaces asks for though it has no right to it, and why that is meant so."""


def rendered(path: Path = RENDERED) -> list[dict[str, Any]]:
    """Return the chart's service accounts, roles and bindings."""
    return [o for o in yaml.safe_load_all(path.read_text()) if o and o["kind"] in KINDS]


def granted(objects: Collection[Mapping[str, Any]], name: str = "") -> frozenset[tuple[str, Right]]:
    """Return all that the chart's bindings give to a service account (empty: the first): in a namespace, or (empty) everywhere."""
    account = next(o["metadata"] for o in objects if o["kind"] == "ServiceAccount" and name in ("", o["metadata"]["name"]))
    rules = {
        (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]): o["rules"]
        for o in objects
        if o["kind"] in ("Role", "ClusterRole")
    }
    bound = [
        (o["metadata"].get("namespace", ""), o["roleRef"]["kind"], o["roleRef"]["name"])
        for o in objects
        for subject in o.get("subjects", ())
        if (subject["kind"], subject.get("namespace"), subject["name"]) == ("ServiceAccount", account["namespace"], account["name"])
    ]
    return frozenset(
        (namespace, Right(group, resource, verb))
        for namespace, kind, name in bound
        for rule in rules[kind, namespace if kind == "Role" else "", name]
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    )


def given(objects: Collection[Mapping[str, Any]], name: str = "") -> frozenset[Right]:
    """Return all that the chart's bindings give to a service account (empty: the first), wherever that is."""
    return frozenset(right for _, right in granted(objects, name))


def given_in_some(objects: Collection[Mapping[str, Any]]) -> frozenset[tuple[str, Right]]:
    """Return the same for an operator of some namespaces, with where that is: Roles in the watched ones are all alike."""
    own = next(o for o in objects if o["kind"] == "ServiceAccount")["metadata"]["namespace"]
    return frozenset((OWN if name == own else WATCHED if name else EVERYWHERE, right) for name, right in granted(objects))


def faults(
    rights: Collection[Right],
    requests: Mapping[Request, int],
    unseen: Mapping[Right, str] = UNSEEN,
    who: str = "the operator",
) -> Iterator[str]:
    """Say what is given and was never used, what was asked for and is not given, and what is justified without need.

    An API server that has just started refuses what is given, too, until it has read the Roles.
    """
    used = {_right(r) for r in requests if r.allowed}
    denied = {_right(r) for r in requests if not r.allowed}
    for right in sorted(set(rights) - used - unseen.keys()):
        yield f"{_said(right)}: the chart gives it, and no test used it; take it out of the chart, test what needs it, or say why in UNSEEN"
    for right in sorted(denied - set(rights)):
        yield f"{_said(right)}: {who} asked for it, and no rule of the chart gives it"
    for right in sorted(unseen.keys() & used):
        yield f"{_said(right)}: its justification is not needed: take it out"
    for right in sorted(unseen.keys() - set(rights)):
        yield f"{_said(right)}: it is justified, and the chart does not give it"


def faults_in_some(
    rights: Collection[tuple[str, Right]],
    requests: Mapping[Request, int],
    refused: Mapping[tuple[str, Right], str] = REFUSED_IN_SOME,
) -> Iterator[str]:
    """Say what an operator of some namespaces asked for where it is not given, and what is justified without need.

    That it needs all that is given the whole suite shows: the rules are those of an operator of all namespaces (tests/unit/test_proof.py).
    What a Role gives is refused, too, in a namespace that has lost its Role: that is no fault.
    """
    if not requests:
        yield "no operator of some namespaces has run as a service account of its own"
        return
    denied = {(r.where, _right(r)) for r in requests if not r.allowed}
    for where, right in sorted(denied - refused.keys() - {(w, r) for w, r in rights if w == WATCHED}):
        yield f"{_said(right)}: an operator of some namespaces asked for it {where}, and no rule of the chart gives it there"
    for where, right in sorted(refused.keys() - denied):
        yield f"{_said(right)} {where}: its justification is not needed: take it out"


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
