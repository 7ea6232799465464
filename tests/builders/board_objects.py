"""Objects of the board's pages of one service and of one set, with all that those show."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.cli.kubectl.objects import EVIDENCE, ROLLED_BACK, ROLLING, ago, digest, member, project, release, release_set

REPOSITORY = "https://github.com/example/shop"
LOG = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Fecs/log-events/app"
PULL = "https://github.com/example/shop/pull/7"
TARGET = {
    "accountID": "111122223333",
    "region": "eu-west-1",
    "cluster": "staging",
    "serviceARN": "arn:aws:ecs:eu-west-1:111122223333:service/staging/staging-checkout",
}
SHOP = project("web", "checkout", "search", repository=REPOSITORY)


def rolled_back() -> dict[str, Any]:
    """A Release of a set, whose latest attempt failed and was rolled back, with evidence and two attempts before."""
    attempt = {
        "attemptID": "3", "cause": "Requested", "outcome": "RolledBack", "message": "ECS rolled back", "hash": "b" * 7,
        "images": [{"container": "app", "fromDigest": digest("a"), "toDigest": digest("b"), "fromHash": "a" * 7, "toHash": "b" * 7}],
        "requestedBy": "ben", "appliedBy": "ci", "description": "faster pages", "url": PULL, "number": 42,
        "startTime": ago(minutes=9), "completionTime": ago(minutes=5),
    }  # fmt: skip
    earlier = {
        "attemptID": "2",
        "cause": "Retry",
        "outcome": "Succeeded",
        "hash": "a" * 7,
        "startTime": ago(hours=2),
        "completionTime": ago(hours=1),
    }
    adopted = {"attemptID": "1", "cause": "Adopted", "outcome": "Succeeded", "hash": "a" * 7, "startTime": ago(days=2)}
    made = release(
        "checkout",
        runs={"a": 2},
        readiness=ROLLED_BACK,
        spec={"change": {"description": "faster pages", "requestedBy": "ben", "url": PULL}},
        annotations={"ecs-release.dev/applied-by": "ci"},
        target=TARGET,
        history=[attempt, earlier, adopted],
        foreign=[{"deploymentID": "ecs-svc/9", "changedBy": "arn:aws:iam::111122223333:user/eve", "startTime": ago(hours=30), "outcome": "Completed"}],
        rollout={
            "attemptID": "3", "outcome": "RolledBack", "startTime": ago(minutes=9), "completionTime": ago(minutes=5),
            "evidence": [EVIDENCE | {"link": LOG}],
            "links": {"service": "https://eu-west-1.console.aws.amazon.com/ecs/v2/clusters/staging/services/checkout"},
        },
    )  # fmt: skip
    made["metadata"]["labels"] = {"ecs-release.dev/release-set": "storefront-staging", "ecs-release.dev/service-set": "storefront"}
    return made


def rolling() -> dict[str, Any]:
    """A Release that is being rolled out: one of two tasks is new."""
    rollout = {
        "attemptID": "4", "startTime": ago(minutes=2), "stage": "IN_PROGRESS", "trafficPercent": 50, "deploymentID": "ecs-svc/7",
        "awaiting": "a hook", "lastProgressTime": ago(minutes=1),
    }  # fmt: skip
    return release("mail", runs={"a": 1, "b": 1}, readiness=ROLLING, rollout=rollout)


def storefront() -> dict[str, Any]:
    """A set of three waves: the first is through, the second failed, the third was not begun."""
    made = release_set(
        member("search", startTime=ago(minutes=20)),
        member("checkout", "Failed", startTime=ago(minutes=9), message="ECS rolled back"),
        member("web", "Pending"),
        readiness=ROLLED_BACK,
        history=[
            {"id": "2", "hash": "b" * 7, "outcome": "Failed", "cause": "Requested", "requestedBy": "ben", "description": "faster pages",
             "startTime": ago(minutes=20), "completionTime": ago(minutes=5), "waitedSeconds": 120},
            {"id": "1", "hash": "a" * 7, "outcome": "Succeeded", "cause": "Requested", "startTime": ago(days=1), "completionTime": ago(hours=23)},
        ],
        summary={"hash": "b" * 7, "runningHash": "a" * 7, "progress": "1/3 ready"},
    )  # fmt: skip
    made["status"]["waves"] = [
        {"name": "1", "services": ["search"], "state": "Finished", "startTime": ago(minutes=20), "completionTime": ago(minutes=10)},
        {"name": "2", "services": ["checkout"], "state": "Open", "startTime": ago(minutes=9)},
        {"name": "3", "services": ["web"], "state": "Pending"},
    ]
    return made


def hostile(body: dict[str, Any], text: str) -> dict[str, Any]:
    """Put a text wherever an object has one that is not a time, and that its model reads as any text."""
    read = text.encode(errors="replace").decode()
    changed = copy.deepcopy(body)
    for part in ("history", "foreign", "services", "waves"):
        for one in changed["status"].get(part) or ():
            _fill(one, read)
    for part in ("rollout", "target", "pin", "running", "summary"):
        if part in changed["status"]:
            _fill(changed["status"][part], read)
    for one in changed["status"]["conditions"]:
        one |= {"reason": read[:1000], "message": read[:4000]}
    if body["kind"] == "Release":
        changed["status"]["plan"] = {"blockedBy": [read[:1000]]}
    changed["spec"]["change"] = {"description": read[:1000], "requestedBy": read[:256], "url": read[:2048]}
    changed["metadata"]["annotations"] = {"ecs-release.dev/applied-by": text}
    return changed


_KEPT = ("attemptID", "deploymentID", "id", "container", "name", "services", "state", "release", "wants")


def _fill(value: Any, text: str) -> None:
    """Replace the texts in an object, bounded as the CRD bounds them; what names parts stays."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in list(items):
        if isinstance(one, dict | list):
            _fill(one, text)
        elif isinstance(one, str) and key not in _KEPT and not str(key).endswith("Time"):
            value[key] = text[:71] if "igest" in str(key) else text[:256]
