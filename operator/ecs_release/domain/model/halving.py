"""Reads a batch so that one odd object of it blinds nobody to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ecs_release.domain.model.errors import BrokenAnswer, Problem, Retryable, ServerFault

T = TypeVar("T")

_OUTAGE = 3
"""If AWS, or what answers in its place, fails for so many single objects and for none it does not, it fails for all of them."""


def may_be_of_one(problem: Problem) -> bool:
    """Return whether a problem with a batch may be one with a single object.

    A fault that passes by itself (throttling, no connection) is not: more calls would only add to it. A server's error may be, and an
    answer that cannot be read.
    """
    return is_faulty(problem) or not isinstance(problem, Retryable)


def is_faulty(problem: Problem) -> bool:
    """Return whether AWS did not answer as it should, which may be because of a single object."""
    return isinstance(problem, BrokenAnswer | ServerFault)


async def read_by_halves(
    batch: Sequence[T],
    read: Callable[[Sequence[T]], Awaitable[None]],
    failed: Callable[[Sequence[T], Problem], None],
    may_halve: Callable[[Problem], bool] = may_be_of_one,
) -> None:
    """Read a batch, in halves if that fails and one object may be why, until that object is alone.

    `failed` is called with those that cannot be read. An outage is not answered with a call for each object.
    """
    await _Halving(read, failed, may_halve).read_all(batch)


@dataclass(slots=True)
class _Halving(Generic[T]):
    read: Callable[[Sequence[T]], Awaitable[None]]
    failed: Callable[[Sequence[T], Problem], None]
    may_halve: Callable[[Problem], bool]
    faults: list[Problem] = field(default_factory=list)
    has_read: bool = False

    async def read_all(self, batch: Sequence[T]) -> None:
        try:
            await self.read(batch)
            self.has_read = True
        except Problem as problem:
            if len(batch) == 1 and is_faulty(problem):
                self.faults.append(problem)
            if len(batch) == 1 or not self.may_halve(problem):
                self.failed(batch, problem)
                return
            middle = len(batch) // 2
            await self.read_all(batch[:middle])
            if len(self.faults) >= _OUTAGE and not self.has_read:
                self.failed(batch[middle:], self.faults[-1])
            else:
                await self.read_all(batch[middle:])
