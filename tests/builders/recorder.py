"""A recorder, and Releases whose statuses it is told, for tests of what is written when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ports.ledger_acknowledgements import acknowledge
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.ledger.end_entries import ServiceIdentity
from ecs_release.engine.ledger.record_closer import Closing, RecordCloser
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.release.gatherer import key_of
from ecs_release.engine.store.store import ReleaseFacts
from tests.builders.facts import facts
from tests.builders.fake_ledger import FakeLedger
from tests.builders.objects import environment, release, target
from tests.builders.simulated_time import SimulatedClock


def acknowledged(recorder: Recorder, given: Facts) -> Facts:
    """The same facts with what the recorder knows of the ledger."""
    return replace(given, ledger=recorder.ledger_facts(key_of(given.release), given.release.metadata.uid))


async def _is_nowhere(_: ObjectKey) -> bool:
    return False


NO_RELEASES = Closing("default", lambda _: frozenset(), lambda _: False, _is_nowhere, 60)


class Process:
    """A recorder, and Releases whose statuses it is told."""

    def __init__(self, ledger: FakeLedger, *, has_events: bool = False) -> None:
        """`has_events`: CloudTrail tells, some time later, who has deployed."""
        self.ledger = ledger
        self.environment = environment(observation={"eventQueueURL": "https://sqs/queue"} if has_events else {})
        self.clock = SimulatedClock()
        self.statuses: dict[str, ReleaseStatus] = {}
        self.asked: list[ObjectKey] = []
        self.troubled = 0
        self.there: set[str] = set()
        self.uids: dict[str, str] = {}
        closing = Closing("default", lambda _: frozenset(("shop", "store", name) for name in self.statuses), self.has, self.exists, 60)
        self.recorder = Recorder(ledger, closing, self.clock, self.again, self.trouble)
        self.task: asyncio.Task[None] | None = None

    def trouble(self) -> None:
        self.troubled += 1

    def has(self, identity: ServiceIdentity) -> bool:
        return identity.service in self.statuses

    async def exists(self, key: ObjectKey) -> bool:
        return key.name in self.there

    def again(self, key: ObjectKey, after_s: float) -> None:
        """A pass: what the ledger has is acknowledged in status."""
        self.asked.append(key)
        asyncio.get_running_loop().call_later(after_s, self.one_pass, key.name)

    def one_pass(self, name: str) -> None:
        if name not in self.statuses:
            return
        given = self.facts(name)
        self.statuses[name] = acknowledge(self.statuses[name], given.ledger.acknowledged)
        self.recorder.record_status(self.key(name), given, self.statuses[name])

    @staticmethod
    def key(name: str) -> ObjectKey:
        return ObjectKey("Release", "shop", name)

    def facts(self, name: str) -> Facts:
        web = release(name, meta={"uid": self.uids.get(name, f"uid-{name}")}, source={"releaseHash": "v1"}, status=self.statuses[name])
        now, place = self.clock.now(), self.environment
        return acknowledged(self.recorder, facts(release=web, now=now, environment=place, target=target(place, name=name)))

    def attempt(self, number: int, outcome: str | None = None) -> dict[str, Any]:
        at = f"20260101t0000{number:02}-00000{number}"
        ended = {"outcome": outcome, "completionTime": "2026-01-01T00:10:00Z"} if outcome else {}
        return {
            "attemptID": at, "cause": "Requested", "hash": f"v{number}", "startTime": f"2026-01-01T00:00:{number:02}Z",
            "record": {"pin": f"pin-{number}"}, **ended,
        }  # fmt: skip

    def says(self, name: str, *history: dict[str, Any]) -> None:
        """A status is accepted; what was acknowledged stays."""
        known = {e.attempt_id: e for e in (self.statuses[name].history or ())} if name in self.statuses else {}
        found = ReleaseStatus.model_validate({"history": list(history), "rollout": history[0]})
        entries = [
            e.model_copy(update={"record": known[e.attempt_id].record, "number": known[e.attempt_id].number})
            if e.attempt_id in known
            else e
            for e in found.history or ()
        ]
        ledger = self.statuses[name].ledger if name in self.statuses else None
        self.statuses[name] = found.model_copy(update={"history": entries, "ledger": ledger})
        self.recorder.record_status(self.key(name), self.facts(name), self.statuses[name])

    async def __aenter__(self) -> Process:
        """It runs."""
        self.task = asyncio.create_task(self.recorder.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """It is killed."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def told(self) -> list[tuple[str, str]]:
        return [(e.hash or "", str(e.stage)) for e in self.ledger.entries.values()]


async def settle(process: Process, seconds: float = 300) -> None:
    await asyncio.sleep(seconds)
    assert process.recorder.waiting == 0


def facts_of(name: str) -> ReleaseFacts:
    return ReleaseFacts(Process.key(name), f"uid-{name}", datetime(2026, 1, 1, tzinfo=UTC), "store", name, "prod", 0)


def closer_of(process: Process) -> RecordCloser:
    assert process.recorder.closer is not None
    return process.recorder.closer


def deleted_in_process(process: Process) -> None:
    del process.statuses["web"]
    process.recorder.release_deleted(replace(facts_of("web"), uid=process.uids.get("web", "uid-web")))


def deleted_unseen(process: Process) -> None:
    del process.statuses["web"]
    closer_of(process).sweep(["prod"])
