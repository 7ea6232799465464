"""What all operations of the simulated ECS share. moto finds operations by name and writes their dicts by botocore's model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.models import ecs_backends
from moto.ecs.responses import EC2ContainerServiceResponse

from tests.aws_simulator.ecs import errors
from tests.aws_simulator.ecs.models import SimulatedEcsBackend
from tests.aws_simulator.paging import page


class Actions(EC2ContainerServiceResponse):
    """What is not in a subclass is moto's."""

    @property
    def sim(self) -> SimulatedEcsBackend:
        """The backend of the caller's account and region."""
        backend: SimulatedEcsBackend = ecs_backends[self.current_account][self.region]
        return backend

    def _asked(self, name: str) -> Any:
        return self._get_param(name)

    def _batch(self, name: str, most: int) -> list[str]:
        wanted = list(self._asked(name) or [])
        shown = name[0].upper() + name[1:]
        if not wanted:
            raise errors.invalid(f"{shown} cannot be empty.")
        if len(wanted) > most:
            raise errors.invalid(f"{shown} exceeds the maximum number of {most}.")
        return wanted

    def _paged(self, key: str, items: Sequence[Any], *, default: int = 100, most: int = 100) -> ActionResult:
        found, rest = page(items, self._asked("nextToken"), self._asked("maxResults"), default=default, most=most, refuse=errors.invalid)
        return ActionResult({key: found, **rest})
