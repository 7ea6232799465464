"""One way to call AWS: paced, in a thread, with errors translated, expired credentials renewed once, and every call reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from ecs_release.aws.faults import EXPIRED, code_of, overloaded, problem_of
from ecs_release.aws.pacing import Pacing
from ecs_release.aws.sessions import Sessions
from ecs_release.aws.threads import Threads
from ecs_release.domain.errors import Problem, Throttled
from ecs_release.domain.observation import Access
from ecs_release.domain.ports import Priority

OnCall: TypeAlias = Callable[[Access, str, str, float], None]
"""Told of every call: access, action, result (`ok`, the problem's class, or `Cancelled`), seconds."""


def ignore_call(access: Access, action: str, result: str, seconds: float) -> None:
    """Do nothing."""


class Caller:
    """Calls AWS with some access."""

    def __init__(self, sessions: Sessions, threads: Threads, pacing: Pacing, on_call: OnCall = ignore_call) -> None:
        """All are shared by all accesses."""
        self.sessions = sessions
        self._threads = threads
        self._pacing = pacing
        self._on_call = on_call

    async def call(
        self,
        access: Access,
        service: str,
        method: str,
        row: str,
        *,
        what: str = "",
        mutating: bool = False,
        priority: Priority = Priority.OBSERVATION,
        parameters: Mapping[str, Any],
        read: Callable[[Any, Mapping[str, Any]], Any] | None = None,
    ) -> Any:
        """Make one call and return its answer, or what `read` makes of client and parameters. Raises Problem only."""
        action = f"{service}:{_pascal(method)}" + (f" on {what}" if what else "")
        line = self._pacing.line(access.account_id, access.region, row)
        await line.enter(Priority.ROLLOUT if mutating else priority, action)
        begun = time.monotonic()
        result = "Cancelled"
        try:
            answer = await self._threads.call(self._in_thread, access, service, method, mutating, parameters, read)
        except (ClientError, BotoCoreError, OSError, TimeoutError) as error:
            problem = problem_of(error, action, mutating=mutating)
            result = type(problem).__name__
            if isinstance(problem, Throttled) or overloaded(error):
                line.slow_down()
            raise problem from error
        except Problem as problem:
            result = type(problem).__name__
            raise
        else:
            result = "ok"
            return answer
        finally:
            self._on_call(access, f"{service}:{_pascal(method)}", result, time.monotonic() - begun)

    def _in_thread(
        self,
        access: Access,
        service: str,
        method: str,
        mutating: bool,  # noqa: FBT001
        parameters: Mapping[str, Any],
        read: Callable[[Any, Mapping[str, Any]], Any] | None,
    ) -> Any:
        def once() -> Any:
            client = self.sessions.client(access, service, mutating=mutating)
            return read(client, parameters) if read else getattr(client, method)(**parameters)

        try:
            return once()
        except ClientError as error:
            # An expired token was refused before anything was done, so that a mutating call may be sent again, too.
            if code_of(error) not in EXPIRED or not access.role_arn:
                raise
            self.sessions.forget_credentials(access)
            return once()


def _pascal(method: str) -> str:
    return "".join(part.capitalize() for part in method.split("_"))
