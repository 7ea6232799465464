"""Objects as the API server has them, in the shapes that the operator writes."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
API = "ecs-release.dev/v1alpha1"


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat().replace("+00:00", "Z")


def digest(letter: str) -> str:
    return f"sha256:{letter * 64}"


def conditions(reason: str, message: str, ready: str = "False", reconciling: str = "False", stalled: str = "False") -> list[dict[str, Any]]:
    pairs = (("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled))
    return [
        {"type": t, "status": s, "observedGeneration": 1, "lastTransitionTime": ago(seconds=48), "reason": reason, "message": message}
        for t, s in pairs
    ]


REFUSED = {
    "phase": "Failed",
    "conditions": [
        *conditions("TargetNotAllowed", "Environment 'staging' does not allow namespace 'shop'", stalled="True"),
        {"type": "InSync", "status": "Unknown", "observedGeneration": 1, "lastTransitionTime": ago(seconds=48), "reason": "NotObserved"},
    ],
}
"""At which the operator does not look any more: what runs is what was seen last."""
READY = {"phase": "Ready", "conditions": conditions("Succeeded", "2 of 2 tasks run the wanted digests", ready="True")}
ROLLED_BACK = {
    "phase": "RolledBack",
    "conditions": conditions("RolledBack", "ECS rolled back to checkout:3: tasks failed to start", stalled="True"),
}
ROLLING = {"phase": "Progressing", "conditions": conditions("RollingOut", "1 of 2 new tasks", ready="Unknown", reconciling="True")}
WAITING = {
    "phase": "Waiting",
    "conditions": conditions("AwaitingWindow", "window weekend is closed", reconciling="True"),
    "closedWindow": {"name": "weekend", "reason": "freeze", "nextOpenTime": "2026-11-30T05:00:00Z"},
}


def release(
    service: str = "web",
    *,
    name: str = "",
    wanted: str = "b",
    runs: dict[str, int] | None = None,
    desired: int = 2,
    readiness: dict[str, Any] = READY,
    spec: dict[str, Any] | None = None,
    environment: str = "staging",
    generation: int = 1,
    annotations: dict[str, str] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """A Release that wants digest `wanted`, whose tasks run `runs`: digests and how many tasks show each. Hashes are letters, seven times."""
    running = {wanted: desired} if runs is None else runs
    count = sum(running.values())
    most = max(running, key=lambda d: running[d]) if running else ""
    made = {
        "apiVersion": API,
        "kind": "Release",
        "metadata": {
            "name": name or f"{service}-{environment}",
            "namespace": "shop",
            "uid": f"uid-{service}-{environment}",
            "generation": generation,
            "resourceVersion": "7",
            "annotations": annotations or {},
        },
        "spec": {
            "projectRef": {"name": "shop"},
            "service": service,
            "environmentRef": {"name": environment},
            "source": {"releaseHash": wanted * 7},
            "change": {"description": "faster pages", "requestedBy": "ben"},
            **(spec or {}),
        },
        "status": {
            "observedGeneration": 1,
            **readiness,
            "pin": {
                "sourceHash": "s",
                "resolvedTime": ago(minutes=5),
                "images": [
                    {
                        "container": "app",
                        "repository": f"r/{service}",
                        "digest": digest(wanted),
                        "tag": f"ref.{wanted * 7}",
                        "releaseHash": wanted * 7,
                    }
                ],
            },
            "running": {
                "hash": most * 7,
                "runningCount": count,
                "desiredCount": desired,
                "pendingCount": max(0, desired - count),
                "sinceTime": ago(minutes=9),
                "containers": [
                    {"name": "app", "digests": [{"digest": digest(d), "tasks": n, "releaseHash": d * 7} for d, n in running.items()]},
                    {"name": "log", "digests": [{"digest": digest("e"), "tasks": count}]},
                ],
            },
            "summary": {"hash": wanted * 7, "runningHash": most * 7},
            **status,
        },
    }
    return copy.deepcopy(made)  # so that who edits one does not edit the constants in it


EVIDENCE = {
    "task": "arn:aws:ecs:eu-west-1:111122223333:task/staging/7e24bbd1668657800d16be8c9f9f5a9f",
    "container": "app",
    "exitCode": 1,
    "reason": "Essential container in task exited",
    "logGroup": "/ecs/app",
    "logStream": "app/app/7e24",
    "link": "https://console/log",
}


def environment(name: str = "staging", *, seen: str | None = None, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    made = {
        "apiVersion": API,
        "kind": "Environment",
        "metadata": {"name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "3"},
        "spec": {
            "allowedNamespaces": {"names": ["shop"]},
            "aws": {"accountID": "111122223333", "region": "eu-west-1"},
            "target": {"cluster": name, "serviceName": "{service}"},
            **(spec or {}),
        },
        "status": {"lastSweepTime": seen or ago(seconds=12), **status},
    }
    return copy.deepcopy(made)  # so that who edits one does not edit the constants in it


def release_set(
    *services: dict[str, Any],
    name: str = "storefront-staging",
    readiness: dict[str, Any] = READY,
    waves: list[list[str]] | None = None,
    **status: Any,
) -> dict[str, Any]:
    made = {
        "apiVersion": API,
        "kind": "ReleaseSet",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1, "resourceVersion": "9"},
        "spec": {
            "projectRef": {"name": "shop"},
            "serviceSet": "storefront",
            "environmentRef": {"name": "staging"},
            "source": {"releaseHash": "b" * 7},
            "change": {"description": "faster pages", "requestedBy": "ben", "url": "https://example.com/pull/7"},
        },
        "status": {
            "observedGeneration": 1,
            **readiness,
            "services": list(services),
            "waves": [{"name": str(i), "services": w, "state": "Open"} for i, w in enumerate(waves or [], 1)],
            "summary": {"hash": "b" * 7, "progress": "1/3 ready"},
            **status,
        },
    }
    return copy.deepcopy(made)  # so that who edits one does not edit the constants in it


def project(*services: str, repository: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Project",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "uid-shop", "generation": 1},
        "spec": {
            **({"repository": repository} if repository else {}),
            "serviceSets": [
                {
                    "name": "storefront",
                    "services": [{"name": s, "containers": [{"name": "app", "repository": f"shop/{s}"}]} for s in services or ("web",)],
                }
            ],
        },
        "status": {},
    }


def member(name: str, state: str = "Ready", wanted: str = "b", **more: Any) -> dict[str, Any]:
    """A service's line in a set's status."""
    images = [{"container": "app", "repository": f"r/{name}", "digest": digest(wanted), "releaseHash": wanted * 7}]
    return {"name": name, "release": f"{name}-staging", "hash": wanted * 7, "images": images, "state": state, **more}
