"""The one way to call AWS: rate-limited, in a thread, with errors translated, and every request reported.

Requests are retried here, not by the SDK: each retry waits for the rate limit and is counted, and each fault lowers the rate, even if a
later retry succeeds. Reads are retried after temporary faults; a mutating call only if its credentials had expired.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from ecs_release.aws.sessions.error_codes import of_source, overloaded, passes, problem_of, stale
from ecs_release.aws.sessions.pacing import Pacing, RateLimiter
from ecs_release.aws.sessions.sessions import Sessions
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Problem, Retryable, ServerFault, Throttled
from ecs_release.domain.ports.protocols import Priority

OnCall: TypeAlias = Callable[[Access, str, str, float], None]
"""Called after every request: access, action, result (`ok`, the problem's class, or `Cancelled`), seconds."""

_FAULTS = (ClientError, BotoCoreError, OSError, TimeoutError)
_PAUSES_S = (0.5, 1.0)
"""Before the second and third attempt of a read. The rate limit spreads retries, so that they need no jitter."""


def ignore_call(access: Access, action: str, result: str, seconds: float) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A call, its access, and the functions that make it and parse its response."""

    access: Access
    service: str
    method: str
    mutating: bool
    parameters: Mapping[str, Any]
    read: Callable[[Any, Mapping[str, Any]], Any] | None
    parse: Callable[[Any], Any] | None

    @property
    def action(self) -> str:
        """The action's name in IAM policies."""
        return f"{self.service}:" + "".join(part.capitalize() for part in self.method.split("_"))


class Caller:
    """Calls AWS."""

    def __init__(self, sessions: Sessions, threads: Threads, pacing: Pacing, on_call: OnCall = ignore_call) -> None:
        """All arguments are shared by all accesses."""
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
        parse: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Make one call, and return what `parse` makes of its answer, or what `read` makes of client and parameters. Raises Problem only.

        The answer itself is not returned: it is read here, where whatever is wrong with it becomes a Problem that names the call.
        """
        request = _Request(access, service, method, mutating, parameters, read, parse)
        action = request.action + (f" on {what}" if what else "")
        limiter = self._pacing.limiter(access.account_id, access.region, row)
        turn = partial(limiter.acquire, Priority.ROLLOUT if mutating else priority, action)
        await turn()
        try:
            return await self._send_with_retries(request, limiter, turn)
        except Problem:
            raise
        except Exception as error:
            raise problem_of(error, action, mutating=mutating) from error

    async def _send_with_retries(self, request: _Request, limiter: RateLimiter, turn: Callable[[], Awaitable[None]]) -> Any:
        """Send a request, with retries; no retry begins after the deadline of the call."""
        until = asyncio.get_running_loop().time() + self._threads.deadline_s
        pauses = [] if request.mutating else list(_PAUSES_S)
        # Each once: those of the role, and those that it is assumed with.
        renewable = {False, True}
        while True:
            try:
                return await self._send(request, limiter)
            except _FAULTS as error:
                source = of_source(error) or not request.access.role_arn
                # Stale credentials are refused before anything is done, so that a mutating call may be retried, too.
                renews = source in renewable and stale(error, source=source)
                if not renews and not (pauses and passes(error)):
                    raise
                failed = error
            try:
                async with asyncio.timeout_at(until):
                    if renews:
                        renewable.discard(source)
                        if not await self._threads.call(partial(self.sessions.forget_credentials, request.access, source=source)):
                            raise failed
                    else:
                        await asyncio.sleep(pauses.pop(0))
                    await turn()
            except (TimeoutError, Problem):
                # Raise AWS's error, not that there was no time for a retry.
                raise failed from None

    async def _send(self, request: _Request, limiter: RateLimiter) -> Any:
        begun = time.monotonic()
        result = "Cancelled"
        try:
            answer = await self._threads.call(self._in_thread, request)
        except Problem as problem:
            result = type(problem).__name__
            raise
        except Exception as error:
            meant = problem_of(error, request.action, mutating=request.mutating)
            # An error of AWS's own is counted as what it is: a fault that passes.
            result = (Retryable if isinstance(meant, ServerFault) else type(meant)).__name__
            if isinstance(meant, Throttled) or overloaded(error):
                limiter.slow_down()
            raise
        else:
            result = "ok"
            return answer
        finally:
            self._on_call(request.access, request.action, result, time.monotonic() - begun)

    def _in_thread(self, request: _Request) -> Any:
        client = self.sessions.client(request.access, request.service, mutating=request.mutating)
        if request.read is not None:
            return request.read(client, request.parameters)
        answer = getattr(client, request.method)(**request.parameters)
        return request.parse(answer) if request.parse is not None else None
