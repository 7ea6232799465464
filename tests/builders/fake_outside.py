"""A cluster and an AWS in which there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Nothing:
    """A cluster and an AWS in which there is nothing; what is asked of AWS is remembered."""

    asked: list[str] = field(default_factory=list)

    async def count(self, _: str) -> int:
        return 0

    async def names(self, _: str) -> AsyncIterator[tuple[str, str, str]]:
        for nothing in ():
            yield nothing

    async def get(self, _: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> Any:
            self.asked.append(name)
            return self

        async def answer(*_: Any, **__: Any) -> list[Any]:
            self.asked.append(name)
            await asyncio.sleep(1)
            return []

        return call if name in ("ecs", "registry", "event_queue", "sink") else answer
