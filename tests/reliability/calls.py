"""Calls at the operator's ports, written down as they are made, and the one at which the process dies."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

JOURNAL, CRASH = "TEST_CALLS", "TEST_CRASH"
"""Variables of the process's environment: the file of calls, and the crash point."""
CLOCK, SERVICE_ACCOUNT = "TEST_CLOCK_S", "TEST_SERVICE_ACCOUNT"
"""By how much its clock is fast, and the folder in which it has its service account, as a pod has."""
CODE = "the code is that of "
"""With what the log says where the code is."""
DIED = 86
"""The exit code of a process that died at its crash point."""
_PORTS = ("ecs_release.aws.", "ecs_release.cluster.", "ecs_release.commits.")
_READS = (
    "caller", "check", "count", "current", "describe_", "get", "has_policy", "image", "list_", "manifest_", "names", "newest_", "protected_", "receive",
    "refusal", "service_deployment", "tag_digest",
)  # fmt: skip


class Phase(StrEnum):
    """When the process dies."""

    BEFORE = "before"
    DONE = "done"
    """The call was carried out; its answer reaches nobody."""
    ANSWERED = "answered"
    """The answer has arrived, and what follows from it at once has happened."""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """The `number`th call of a name, from 1."""

    call: str
    number: int
    phase: Phase

    def __str__(self) -> str:
        """Write it as `parse` reads it."""
        return f"{self.call} {self.number} {self.phase}"

    @staticmethod
    def parse(text: str) -> CrashPoint:
        """Read what `str` wrote."""
        call, number, phase = text.split()
        return CrashPoint(call, int(number), Phase(phase))


def is_read(call: str) -> bool:
    """Return whether a call changes nothing. One that is not known changes something."""
    return call.partition(".")[2].startswith(_READS)


class Calls:
    """All calls of a process."""

    def __init__(self) -> None:
        self._journal = os.open(os.environ[JOURNAL], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._point = CrashPoint.parse(os.environ[CRASH]) if os.environ.get(CRASH) else None
        self._made: Counter[str] = Counter()

    def begin(self, call: str) -> bool:
        """Note a call. Returns whether it is the one at which the process dies, and not yet."""
        os.write(self._journal, f"{call}\n".encode())
        self._made[call] += 1
        point = self._point
        if point is None or (point.call, point.number) != (call, self._made[call]):
            return False
        if point.phase is Phase.BEFORE:
            os._exit(DIED)
        return True

    def end(self) -> None:
        """Die, or have the process die once what follows from the answer at once has happened."""
        if self._point is not None and self._point.phase is Phase.DONE:
            os._exit(DIED)
        asyncio.get_running_loop().call_soon(os._exit, DIED)


class Port:
    """An adapter whose calls are noted. What it returns that is an adapter, too (a registry, a queue), is one of these as well."""

    def __init__(self, adapter: Any, calls: Calls) -> None:
        self._adapter, self._calls = adapter, calls

    def __getattr__(self, name: str) -> Any:
        """Return a method that notes its calls, or whatever else it is."""
        found = getattr(self._adapter, name)
        if not callable(found):
            return found
        call = f"{type(self._adapter).__name__}.{name}"

        @functools.wraps(found)
        def method(*arguments: Any, **more: Any) -> Any:
            result = found(*arguments, **more)
            if inspect.isawaitable(result):
                return self._awaited(call, result)
            if isinstance(result, AsyncIterator):
                return self._iterated(call, result)
            return Port(result, self._calls) if type(result).__module__.startswith(_PORTS) else result

        return method

    async def _awaited(self, call: str, result: Awaitable[Any]) -> Any:
        dies = self._calls.begin(call)
        try:
            return await result
        finally:
            # A refusal is an answer, too.
            if dies:
                self._calls.end()

    async def _iterated(self, call: str, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        dies = self._calls.begin(call)
        async for one in result:
            yield one
        if dies:
            self._calls.end()
