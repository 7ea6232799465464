"""Releases, sets and a graph: OLD is before the commit that is looked for, COMMIT is it, NEW contains it, SIDE has diverged."""

from __future__ import annotations

from typing import Any

from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.presence.answers import Answer, Contains

OLD, COMMIT, NEW, SIDE, ABSENT = (letter * 40 for letter in "abcde")
SINCE, EARLIER, EARLIEST = "2026-11-24T11:00:00Z", "2026-11-24T10:00:00Z", "2026-11-24T09:00:00Z"
BEGAN = "2026-11-24T11:30:00Z"


def graph(release_hash: str) -> Answer:
    if release_hash in (OLD, SIDE):
        return Answer(Contains.NO)
    if release_hash in (COMMIT, NEW):
        return Answer(Contains.YES)
    return Answer(Contains.UNKNOWN, f"this clone has no commit {release_hash}: git fetch")


def digest(release_hash: str) -> str:
    return f"sha256:{release_hash.removeprefix('claimed:')[:1] * 64}"


def ready(reason: str = "Succeeded", status: str = "True", message: str = "said") -> list[dict[str, Any]]:
    return [{"type": "Ready", "status": status, "lastTransitionTime": SINCE, "reason": reason, "message": message}]


def container(name: str, **tasks: int) -> dict[str, Any]:
    """A container of which tasks run release hashes; `none` are images without one."""
    shown = [{"digest": digest(h), "tasks": n, **({} if h == "none" else {"releaseHash": h})} for h, n in tasks.items()]
    return {"name": name, "digests": shown}


def running(*containers: dict[str, Any], count: int = 2) -> dict[str, Any]:
    return {"hash": "shown", "runningCount": count, "desiredCount": 2, "sinceTime": SINCE, "containers": list(containers)}


def runs(release_hash: str) -> dict[str, Any]:
    return running(container("app", **{release_hash: 2}))


def pin(release_hash: str, source: dict[str, Any], name: str = "app") -> dict[str, Any]:
    image = {"container": name, "digest": digest(release_hash), "releaseHash": release_hash}
    return {"sourceHash": source_hash(Source.model_validate(source)), "images": [image]}


def change(before: str, after: str, name: str = "app", **more: Any) -> dict[str, Any]:
    return {"container": name, "fromDigest": digest(before), "fromHash": before, "toDigest": digest(after), "toHash": after, **more}


def attempt(before: str, after: str, outcome: str = "Succeeded", ended: str = EARLIER) -> dict[str, Any]:
    return {"attemptID": f"{before}{after}{ended}", "outcome": outcome, "completionTime": ended, "images": [change(before, after)]}


def release(
    source: dict[str, Any] | None = None, *, service: str = "web", environment: str = "staging", name: str = "", **status: Any
) -> Release:
    spec = {
        "projectRef": {"name": "shop"}, "service": service, "environmentRef": {"name": environment},
        "source": {"releaseHash": OLD} if source is None else source,
    }  # fmt: skip
    full = {"observedGeneration": 1, "conditions": ready(), **status}
    meta = {"name": name or f"{service}-{environment}", "namespace": "shop", "generation": 1}
    return Release.model_validate({"metadata": meta, "spec": spec, "status": full})


def release_set(source: dict[str, Any], *, environment: str = "staging", spec: dict[str, Any] | None = None, **status: Any) -> ReleaseSet:
    whole = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": environment}, "source": source}
    full = {"observedGeneration": 1, "conditions": ready("RollingOut", "Unknown"), **status}
    meta = {"name": f"all-{environment}", "namespace": "shop", "generation": 1}
    return ReleaseSet.model_validate({"metadata": meta, "spec": {**whole, **(spec or {})}, "status": full})
