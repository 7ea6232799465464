"""Checks which account an Environment's role leads to: the role is used for nothing before that is known."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Aws, Clock

log = logging.getLogger(__name__)


class RoleCheck:
    """Checks the role of one Environment. `arn` is our identity in AWS; `problem` is why there is none, since `refused_since`."""

    def __init__(self, environment: str, aws: Aws, clock: Clock, deadline_s: float) -> None:
        """Callers wait at most `deadline_s` for the first check."""
        self.arn = ""
        self.problem: Problem | None = None
        self.refused_since: datetime | None = None
        self._environment = environment
        self._aws = aws
        self._clock = clock
        self._deadline_s = deadline_s
        self._access: Access | None = None
        self._checked = asyncio.Event()

    def use(self, access: Access) -> bool:
        """Use a role from now on. Return whether it is another one than before, and so must be checked."""
        if access == self._access:
            return False
        self._access, self.arn = access, ""
        self._checked.clear()
        return True

    async def check(self) -> None:
        """Read our identity from AWS."""
        if self._access is None:
            return
        try:
            self.arn = await self._aws.caller(self._access)
            self.problem = self.refused_since = None
        except Problem as problem:
            log.warning("%s: %s", problem.reason, problem.message, extra={"environment": self._environment})
            self.problem = problem
            self.refused_since = self.refused_since or self._clock.now()
        self._checked.set()

    async def refusal(self) -> Problem | None:
        """Return why the role may not be used: it is denied, or was not checked yet. None if it may be used."""
        try:
            await asyncio.wait_for(self._checked.wait(), self._deadline_s)
        except TimeoutError:
            return Retryable(f"the role of environment {self._environment} was not checked within {self._deadline_s:.0f} s")
        return self.problem if isinstance(self.problem, Denied) or not self.arn else None
