"""Labels of namespaces: who asks is answered by one request, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.engine.store.namespace_labels import FRESH_S, PATIENCE_S, NamespaceLabels
from tests.builders.simulated_time import SimulatedClock, run_simulated


@dataclass
class Server:
    """Answers after some seconds: with labels, with nothing, or with a problem."""

    labels: dict[str, Mapping[str, str] | Problem | None] = field(default_factory=dict)
    takes_s: float = 0.1
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        self.asked.append(namespace)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.takes_s)
        self.at_once -= 1
        found = self.labels.get(namespace)
        if isinstance(found, Problem):
            raise found
        return found


def reader(server: Server) -> tuple[NamespaceLabels, list[str]]:
    changed: list[str] = []
    return NamespaceLabels(server, SimulatedClock(), changed.append), changed


def test_one_request_answers_all_who_ask_for_some_seconds() -> None:
    async def main() -> None:
        server = Server({"shop": {"team": "a"}})
        labels, changed = reader(server)
        assert labels.known("shop") is None
        assert await asyncio.gather(*(labels.read("shop") for _ in range(1000))) == [{"team": "a"}] * 1000
        assert (server.asked, changed) == (["shop"], ["shop"])
        await asyncio.sleep(FRESH_S)
        server.labels["shop"] = {"team": "b"}
        assert await labels.read("shop") == {"team": "b"}
        assert (server.asked, changed) == (["shop"] * 2, ["shop"] * 2)
        await asyncio.sleep(FRESH_S)
        await labels.read("shop")
        assert changed == ["shop"] * 2, "nothing has changed"

    run_simulated(main())


def test_a_namespace_that_is_not_there_is_known() -> None:
    async def main() -> None:
        labels, changed = reader(Server())
        assert await labels.read("gone") is None
        known = labels.known("gone")
        assert known is not None and known.labels is None and changed == ["gone"]
        assert not labels.is_given_up("gone")

    run_simulated(main())


def test_labels_that_cannot_be_read_are_given_up_and_asked_for_again() -> None:
    async def main() -> None:
        server = Server({"shop": Retryable("500")})
        labels, changed = reader(server)
        with pytest.raises(Retryable):
            await labels.read("shop")
        for _ in range(int(PATIENCE_S) - 5):
            await labels.read_unknown({"shop"}, 0.5)
            assert not labels.is_given_up("shop")
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        assert labels.is_given_up("shop") and changed == []
        server.labels["shop"] = {}
        await labels.read_unknown({"shop"}, 0.5)
        assert not labels.is_given_up("shop") and changed == ["shop"]

    run_simulated(main())


def test_a_pass_does_not_wait_long_for_unknown_labels() -> None:
    async def main() -> None:
        server = Server({"shop": {}}, takes_s=10)
        labels, changed = reader(server)
        for _ in range(3):
            await labels.read_unknown({"shop"}, 0.5)
        assert (SimulatedClock().monotonic(), server.asked, changed) == (1.5, ["shop"], [])
        await asyncio.sleep(10)
        assert changed == ["shop"]

    run_simulated(main())


def test_few_requests_are_made_at_once_and_none_goes_on_after_the_end() -> None:
    async def main() -> None:
        server = Server(takes_s=10)
        labels, _ = reader(server)
        await labels.read_unknown({f"n{i}" for i in range(100)}, 25)
        assert (server.most, len(server.asked)) == (8, 24)
        labels.end()
        await asyncio.sleep(100)
        assert len(server.asked) == 24

    run_simulated(main())
