"""Reads AWS with the caller's own credentials; what cannot be read becomes a note, and never ends a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.release_status import TargetStatus
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.domain.artifacts.source import Lookup
from ecs_release.domain.ecs.service import Access, RegistryImage, TaskDefinition
from ecs_release.domain.environments.targets import Target, access_of
from ecs_release.domain.model.errors import Problem

_EVENTS = 8


class AwsReader:
    """Reads AWS; after the first refusal no more calls are made with that access."""

    def __init__(self, session: Session, *, through_roles: bool = False) -> None:
        """With `through_roles` the roles of Environments are assumed, else the caller's own credentials are used."""
        from ecs_release.aws.command_reader import CommandReader

        self._aws = CommandReader(f"kubectl-ecs-release/{session.version}", "kubectl-ecs-release")
        self._through_roles = through_roles
        self._refused: dict[tuple[str, str], str] = {}
        self.notes: list[str] = []

    def image(self, target: Target, lookup: Lookup) -> RegistryImage | str | None:
        """Return an image; None if it does not exist, a text if it cannot be read."""
        access = self._access(target.registry_access)

        def read() -> RegistryImage | None:
            return self._aws.image(access, target.registry_id, lookup.repository, tags=lookup.tags, digest=lookup.digest)

        try:
            return self._unless_refused(access, "ecr") or read()
        except Problem as problem:
            return self._refuse(access, "ecr", problem)

    def tags(self, registry: Access, registry_id: str, repository: str) -> frozenset[str] | str:
        """Return the tags of a repository; a text if they cannot be read."""
        access = self._access(registry)
        try:
            return self._unless_refused(access, "ecr") or self._aws.tags(access, registry_id, repository)
        except Problem as problem:
            return self._refuse(access, "ecr", problem)

    def task_definition(self, environment: Environment, arn: str) -> TaskDefinition | str:
        """Return a revision; a text if it cannot be read."""
        access = self._access(access_of(environment))
        try:
            return self._unless_refused(access, "ecs") or self._aws.task_definition(access, arn)
        except Problem as problem:
            return self._refuse(access, "ecs", problem)

    def service_events(self, environment: Environment | None, target: TargetStatus) -> list[tuple[datetime, str]]:
        """Return ECS's newest events about a service."""
        role = access_of(environment) if environment is not None else Access(target.account_id or "", target.region or "")
        access = self._access(replace(role, account_id=target.account_id or "", region=target.region or ""))
        if self._unless_refused(access, "ecs"):
            return []
        try:
            return self._aws.service_events(access, target.cluster or "", target.service_arn or "", _EVENTS)
        except Problem as problem:
            self._refuse(access, "ecs", problem)
            return []

    def _access(self, access: Access) -> Access:
        return access if self._through_roles else Access(access.account_id, access.region)

    def _unless_refused(self, access: Access, service: str) -> str | None:
        return self._refused.get((str(access), service))

    def _refuse(self, access: Access, service: str, problem: Problem) -> str:
        self._refused[str(access), service] = problem.message
        self.notes.append(problem.message)
        return problem.message
