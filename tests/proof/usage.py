"""What was asked of the API server and of AWS on a bed, in a file for each bed."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.aws_simulator.client import Simulator
from tests.control_plane.control_plane import Cluster, ControlPlane

USED = "ECS_RELEASE_TEST_USED"
"""Names the folder; beds write nothing without it."""
SERVICE_ACCOUNTS: Mapping[str, Any] = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        # The controller manager's own.
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}  # fmt: skip
"""An audit policy: who asks for what, of service accounts alone, without bodies."""
IN_SOME = "-in-some"
"""What an operator that serves some namespaces only has behind the name of a bed's service account."""
EVERYWHERE, OWN, WATCHED = "everywhere", "in its own namespace", "in a watched namespace"
_OPERATOR, _PLUGIN, _BOARD = "ecs-release-operator", "kubectl-ecs-release", "ecs-release-board"
_REQUESTS, _CALLS = ("requests", "in_some", "board"), ("operator", "plugin", "board_calls")


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator's service account asked of the API server. `resource` may have a subresource behind a slash, as in a rule.

    `where` is empty but for an operator that serves some namespaces only.
    """

    group: str
    resource: str
    verb: str
    allowed: bool = True
    where: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of AWS. `role` is empty for the caller's own identity, `partition` but for writes to the ledger."""

    action: str
    role: str = ""
    partition: str = ""


@dataclass
class Usage:
    """Everything that was used, and how often. `audited` tells whether there was an audit log at all."""

    audited: bool = False
    requests: Counter[Request] = field(default_factory=Counter)
    in_some: Counter[Request] = field(default_factory=Counter)
    operator: Counter[Call] = field(default_factory=Counter)
    plugin: Counter[Call] = field(default_factory=Counter)
    board: Counter[Request] = field(default_factory=Counter)
    board_calls: Counter[Call] = field(default_factory=Counter)

    def add(self, other: Usage) -> None:
        """Add what was used elsewhere."""
        self.audited = self.audited or other.audited
        self.requests.update(other.requests)
        self.in_some.update(other.in_some)
        self.operator.update(other.operator)
        self.plugin.update(other.plugin)
        self.board.update(other.board)
        self.board_calls.update(other.board_calls)

    def to_json(self) -> dict[str, Any]:
        """Write it as lists of fields and a number."""
        requests = {
            name: [[r.group, r.resource, r.verb, r.allowed, r.where, count] for r, count in getattr(self, name).items()]
            for name in _REQUESTS
        }
        calls = {name: [[c.action, c.role, c.partition, count] for c, count in getattr(self, name).items()] for name in _CALLS}
        return {"audited": self.audited, **requests, **calls}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """Read it."""
        requests = {name: Counter({Request(*fields): count for *fields, count in data[name]}) for name in _REQUESTS}
        calls = {name: Counter({Call(*fields): count for *fields, count in data[name]}) for name in _CALLS}
        return cls(data["audited"], **requests, **calls)


def wanted() -> Path | None:
    """Return the folder that beds write to, if they are to."""
    return Path(os.environ[USED]) if os.environ.get(USED) else None


def write(cluster: Cluster, aws: Simulator, kubeconfig: Path) -> None:
    """Write what the operator that has a KUBECONFIG, and the plugin, have used on a bed. Call it once they have ended."""
    folder = wanted()
    if folder is None:
        return
    found = Usage(audited=isinstance(cluster, ControlPlane))
    if isinstance(cluster, ControlPlane):
        account, events = subject(kubeconfig), list(cluster.audit_events())
        found.requests = requests_of(account, events)
        found.in_some = requests_of(account + IN_SOME, events, tells_where=True)
    found.operator, found.plugin = (calls_of(tool, aws.control("used")) for tool in (_OPERATOR, _PLUGIN))
    _save(folder, found)


def write_board(cluster: Cluster, aws: Simulator | None, kubeconfig: Path) -> None:
    """Write what a board that has a KUBECONFIG has used. Call it once it has ended."""
    folder = wanted()
    if folder is None:
        return
    found = Usage(audited=isinstance(cluster, ControlPlane))
    if isinstance(cluster, ControlPlane):
        found.board = requests_of(subject(kubeconfig), cluster.audit_events())
    if aws is not None:
        found.board_calls = calls_of(_BOARD, aws.control("used"))
    _save(folder, found)


def _save(folder: Path, found: Usage) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{uuid.uuid4()}.json").write_text(json.dumps(found.to_json()))


def read(folder: Path) -> Usage:
    """Read what all beds have written."""
    everything = Usage()
    for path in sorted(folder.glob("*.json")):
        everything.add(Usage.from_json(json.loads(path.read_text())))
    return everything


def subject(kubeconfig: Path) -> str:
    """Return whom the token of a KUBECONFIG names; an empty string where it is no service account's."""
    token = str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"].get("token", ""))
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    return str(payload.get("sub", ""))


def requests_of(user: str, events: Iterable[Mapping[str, Any]], *, tells_where: bool = False) -> Counter[Request]:
    """Return a user's requests for resources, by the audit log. Everybody may discover the API: that is left out."""
    found: Counter[Request] = Counter()
    for event in events:
        # Whoever could not be told who they are, as while the API server starts, has no name.
        if event["user"].get("username") != user or "resource" not in event.get("objectRef", {}):
            continue
        allowed = (event.get("annotations") or {}).get("authorization.k8s.io/decision") != "forbid"
        # A watch is said to begin, and then to end, if it has by now.
        if event["stage"] == ("ResponseStarted" if event["verb"] == "watch" and allowed else "ResponseComplete"):
            what = event["objectRef"]
            resource = "/".join(part for part in (what["resource"], what.get("subresource", "")) if part)
            where = _where(user, what.get("namespace", "")) if tells_where else ""
            found[Request(what.get("apiGroup", ""), resource, event["verb"], allowed, where)] += 1
    return found


def _where(account: str, namespace: str) -> str:
    """Tell which namespace a request is about, as seen by a service account. One for a Namespace is about what is in it."""
    if not namespace:
        return EVERYWHERE
    return OWN if account.split(":")[2:3] == [namespace] else WATCHED


def calls_of(tool: str, used: Iterable[Mapping[str, Any]]) -> Counter[Call]:
    """Return the calls that one of our tools made, by its name in the user agent."""
    found: Counter[Call] = Counter()
    for one in used:
        if any(word.startswith(f"{tool}/") for word in one["user_agent"].split()):
            # arn:aws:sts::111122223333:assumed-role/NAME/SESSION, or a user's.
            kind, _, rest = one["caller"].rpartition(":")[2].partition("/")
            role = rest.partition("/")[0] if kind == "assumed-role" else ""
            found[Call(one["action"], role, one["partition"])] += one["count"]
    return found
