"""Reads a batch so that one odd object of it blinds nobody to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ecs_release.domain.model.errors import BrokenAnswer, Problem, Retryable, ServerFault

T = TypeVar("T")

_OUTAGE = 7
"""If AWS, or what answers in its place, fails for so many of a batch's eighths and for none it does not, it fails for all of them.

Not all eight: one may have an object that is missing, which is told before a fault.
"""


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

    `failed` is called with those that cannot be read. All halves are read before any of them is halved again: some odd objects side by
    side, wherever they stand, look like no outage, which is not answered with a call for each object.
    """
    parts, has_read = [batch], False
    while parts:
        halved: list[Sequence[T]] = []
        faults: list[Problem] = []
        for part in parts:
            try:
                await read(part)
                has_read = True
            except Problem as problem:
                if is_faulty(problem):
                    faults.append(problem)
                if len(part) == 1 or not may_halve(problem):
                    failed(part, problem)
                else:
                    halved.append(part)
        if not has_read and len(faults) >= _OUTAGE:
            for part in halved:
                failed(part, faults[-1])
            return
        parts = [half for part in halved for half in (part[: len(part) // 2], part[len(part) // 2 :])]
