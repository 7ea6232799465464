"""moto's SQS, made fit for queues that nobody reads: what it answers stays the same.

moto makes all attributes of a queue anew for each message that is sent, and counts all messages for three of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from moto.sqs import models
from moto.sqs.models import Queue

_DEDUPLICATION = "ContentBasedDeduplication"
"""The one attribute that sending reads."""


class _Attributes(Mapping[str, Any]):
    """A queue's attributes, counted once somebody asks for more than what sending needs."""

    def __init__(self, queue: QuickQueue) -> None:
        self._queue = queue

    @cached_property
    def _all(self) -> dict[str, Any]:
        return self._queue.counted()

    def __getitem__(self, name: str) -> Any:
        if name == _DEDUPLICATION and self._queue.fifo_queue:
            return str(self._queue.content_based_deduplication).lower()  # type: ignore[attr-defined]
        if name == _DEDUPLICATION:
            raise KeyError(name)
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


class QuickQueue(Queue):
    """A queue to which sending costs the same whatever waits in it."""

    @property
    def attributes(self) -> Any:
        """The attributes by name."""
        return _Attributes(self)

    def counted(self) -> dict[str, Any]:
        """Return all attributes, as moto makes them."""
        return super().attributes


def install() -> None:
    """Have moto make such queues from now on."""
    models.Queue = QuickQueue  # type: ignore[misc]
