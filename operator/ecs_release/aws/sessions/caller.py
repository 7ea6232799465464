"""One way to call AWS: paced, in a thread, with errors translated, and every request reported.

What is sent again is sent again here, not by the SDK: each repetition waits for its turn and is counted, and each fault slows the line
down, also where a later answer is good. Reads are, after faults that pass; a changing call only where its credentials had expired.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from ecs_release.aws.sessions.error_codes import expired, overloaded, passes, problem_of
from ecs_release.aws.sessions.pacing import Line, Pacing
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Problem, Throttled
from ecs_release.domain.ports.protocols import Priority

OnCall: TypeAlias = Callable[[Access, str, str, float], None]
"""Told of every request: access, action, result (`ok`, the problem's class, or `Cancelled`), seconds."""

_FAULTS = (ClientError, BotoCoreError, OSError, TimeoutError)
_PAUSES_S = (0.5, 1.0)
"""Before a read is sent a second and a third time. The line keeps repetitions apart, so that they need no chance."""


def ignore_call(access: Access, action: str, result: str, seconds: float) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, with which access, and what reads its answer."""

    access: Access
    service: str
    method: str
    mutating: bool
    parameters: Mapping[str, Any]
    read: Callable[[Any, Mapping[str, Any]], Any] | None

    @property
    def action(self) -> str:
        """Name it as policies do."""
        return f"{self.service}:" + "".join(part.capitalize() for part in self.method.split("_"))


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
        request = _Request(access, service, method, mutating, parameters, read)
        action = request.action + (f" on {what}" if what else "")
        line = self._pacing.line(access.account_id, access.region, row)
        turn = partial(line.enter, Priority.ROLLOUT if mutating else priority, action)
        await turn()
        try:
            return await self._answered(request, line, turn)
        except _FAULTS as error:
            raise problem_of(error, action, mutating=mutating) from error

    async def _answered(self, request: _Request, line: Line, turn: Callable[[], Awaitable[None]]) -> Any:
        """Send a request, again where that may help; no repetition begins after the deadline that a call has."""
        until = asyncio.get_running_loop().time() + self._threads.deadline_s
        pauses = [] if request.mutating else list(_PAUSES_S)
        renewable = bool(request.access.role_arn)
        while True:
            try:
                return await self._send(request, line)
            except _FAULTS as error:
                # An expired token was refused before anything was done, so that a mutating call may be sent again, too.
                renews = renewable and expired(error)
                if not renews and not (pauses and passes(error)):
                    raise
                failed = error
            try:
                async with asyncio.timeout_at(until):
                    if renews:
                        renewable = False
                        await self._threads.call(self.sessions.forget_credentials, request.access)
                    else:
                        await asyncio.sleep(pauses.pop(0))
                    await turn()
            except (TimeoutError, Problem):
                # What is told is what AWS said, not that there was no time to ask again.
                raise failed from None

    async def _send(self, request: _Request, line: Line) -> Any:
        begun = time.monotonic()
        result = "Cancelled"
        try:
            answer = await self._threads.call(self._in_thread, request)
        except _FAULTS as error:
            problem = problem_of(error, request.action, mutating=request.mutating)
            result = type(problem).__name__
            if isinstance(problem, Throttled) or overloaded(error):
                line.slow_down()
            raise
        except Problem as problem:
            result = type(problem).__name__
            raise
        else:
            result = "ok"
            return answer
        finally:
            self._on_call(request.access, request.action, result, time.monotonic() - begun)

    def _in_thread(self, request: _Request) -> Any:
        client = self.sessions.client(request.access, request.service, mutating=request.mutating)
        return request.read(client, request.parameters) if request.read else getattr(client, request.method)(**request.parameters)
