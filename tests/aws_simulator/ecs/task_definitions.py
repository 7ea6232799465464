"""Task definitions of one account and region: every field that is given is kept."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from moto.utilities.utils import get_partition

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs import errors

_TAGS_MOST = 50
_BYTES_MOST = 65_536
_CONTAINER_DEFAULTS: dict[str, Any] = {
    "cpu": 0, "portMappings": [], "essential": True, "environment": [], "mountPoints": [], "volumesFrom": [], "systemControls": [],
}  # fmt: skip
_ATTRIBUTE = "com.amazonaws.ecs.capability."


@dataclass
class TaskDefinitions:
    """All revisions of all families."""

    account: str
    region: str
    revisions: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    tags: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def register(self, parameters: dict[str, Any], caller: str, now: float) -> dict[str, Any]:
        """Register a revision. Its number is never used again, whatever becomes of it."""
        family = parameters["family"]
        _check(family, parameters)
        number = max(self.revisions[family], default=0) + 1
        arn = f"arn:{get_partition(self.region)}:ecs:{self.region}:{self.account}:task-definition/{family}:{number}"
        content = {k: v for k, v in parameters.items() if k != "tags"}
        content["containerDefinitions"] = [{**_CONTAINER_DEFAULTS, **c} for c in parameters["containerDefinitions"]]
        self.revisions[family][number] = {
            "volumes": [],
            "placementConstraints": [],
            "compatibilities": _compatibilities(parameters),
            **content,
            "taskDefinitionArn": arn,
            "revision": number,
            "status": "ACTIVE",
            "registeredAt": as_time(now),
            "registeredBy": caller,
            "requiresAttributes": _attributes(parameters),
        }
        self.tags[arn] = list(parameters.get("tags") or ())
        return self.revisions[family][number]

    def find(self, name: str, missing: str = "TaskDefinition not found.") -> dict[str, Any]:
        """Find a revision by ARN, family:revision, or family (its latest ACTIVE one). Raises ClientException with the words of `missing`."""
        family, _, number = name.rpartition("/")[2].partition(":")
        foreign = name.startswith("arn:") and name.split(":")[3:5] != [self.region, self.account]
        known = {} if foreign else self.revisions.get(family, {})
        if not number:
            number = str(max((n for n, r in known.items() if r["status"] == "ACTIVE"), default=""))
        found = known.get(int(number)) if number.isdigit() else None
        if found is None:
            raise errors.client(missing)
        return found

    def deployable(self, name: str) -> dict[str, Any]:
        """Find a revision that a service may be set to. Raises ClientException for one that is missing or not ACTIVE."""
        found = self.find(name)
        if found["status"] != "ACTIVE":
            raise errors.client("TaskDefinition is inactive")
        return found

    def deregister(self, name: str, now: float) -> dict[str, Any]:
        """Make a revision INACTIVE."""
        if ":" not in name.rpartition("/")[2]:
            raise errors.client("Invalid revision number.")
        found = self.find(name, "The specified task definition does not exist.")
        if found["status"] == "ACTIVE":
            found |= {"status": "INACTIVE", "deregisteredAt": as_time(now)}
        return found

    def delete(self, names: list[str], now: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Begin to delete INACTIVE revisions; returns those, and failures."""
        deleted, failures = [], []
        for name in names:
            try:
                found = self.find(name)
            except errors.EcsError:
                failures.append({"arn": name, "reason": "TASK_DEFINITION_NOT_FOUND"})
                continue
            if found["status"] == "ACTIVE":
                reason = "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
                failures.append({"arn": found["taskDefinitionArn"], "reason": reason})
                continue
            found |= {"status": "DELETE_IN_PROGRESS", "deleteRequestedAt": as_time(now)}
            deleted.append(found)
        return deleted, failures

    def arns(self, family: str | None, status: str, *, newest_first: bool) -> list[str]:
        """List revisions of a status, of a family or of all."""
        families = {family: self.revisions.get(family, {})} if family else self.revisions
        found = [
            (name, number, r["taskDefinitionArn"])
            for name, known in families.items()
            for number, r in known.items()
            if r["status"] == status
        ]
        return [arn for _, _, arn in sorted(found, reverse=newest_first)]

    def families(self, prefix: str, status: str) -> list[str]:
        """List families that begin with a prefix; status ACTIVE, INACTIVE or ALL."""
        shown = []
        for name, known in sorted(self.revisions.items()):
            active = any(r["status"] == "ACTIVE" for r in known.values())
            if known and name.startswith(prefix) and status in ("ALL", "ACTIVE" if active else "INACTIVE"):
                shown.append(name)
        return shown


def _check(family: str, parameters: dict[str, Any]) -> None:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,255}", family):
        raise errors.client("Family contains invalid characters.")
    containers = parameters.get("containerDefinitions")
    if not containers:
        raise errors.client("Container list cannot be empty.")
    if any(not c.get("name") or not c.get("image") for c in containers):
        raise errors.client("Container.name and Container.image should not be null or empty.")
    names = [c["name"] for c in containers]
    if len(set(names)) < len(names):
        raise errors.client("Container names must be unique within a task definition.")
    if not any(c.get("essential", True) for c in containers):
        raise errors.client("Task definition does not have any essential containers.")
    if len(parameters.get("tags") or ()) > _TAGS_MOST:
        raise errors.invalid(f"The number of tags exceeds the limit of {_TAGS_MOST}.")
    if len(repr(parameters).encode()) > _BYTES_MOST:
        raise errors.client("Actual task definition size exceeds the limit of 64 KB.")


def _compatibilities(parameters: dict[str, Any]) -> list[str]:
    on_instances = ["EC2"] if parameters.get("networkMode") == "awsvpc" else ["EXTERNAL", "EC2"]
    fits_fargate = parameters.get("networkMode") == "awsvpc" and parameters.get("cpu") and parameters.get("memory")
    return [*on_instances, "FARGATE"] if fits_fargate else on_instances


def _attributes(parameters: dict[str, Any]) -> list[dict[str, str]]:
    names = {f"{_ATTRIBUTE}docker-remote-api.1.18"}
    drivers = {(c.get("logConfiguration") or {}).get("logDriver") for c in parameters["containerDefinitions"]} - {None}
    names |= {f"{_ATTRIBUTE}logging-driver.{driver}" for driver in drivers}
    if parameters.get("taskRoleArn"):
        names.add(f"{_ATTRIBUTE}task-iam-role")
    if parameters.get("networkMode") == "awsvpc":
        names.add("ecs.capability.task-eni")
    return [{"name": name} for name in sorted(names)]
