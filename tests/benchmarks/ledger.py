"""Each question to a ledger of 100,000 items is one Query, and its answer is what a plain scan finds.

How long an answer takes is moto's affair here, which looks through all items for each page of an index: calls and pages are DynamoDB's.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, Stage
from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.ledger import items
from ecs_release.aws.ledger.items import Kind
from ecs_release.aws.ledger.queries import LedgerReader
from ecs_release.aws.ledger.table import definition
from ecs_release.domain.ports.ledger import LedgerWrite
from tests.aws_simulator.client import ACCOUNT, REGION, Simulator
from tests.benchmarks.results import Result
from tests.builders.aws import access

ITEMS = 100_000
_TABLE, _ENVIRONMENTS, _PROJECTS, _SERVICES, _PEOPLE, _RELEASES = "ledger", 3, 20, 10, 40, 30
_BEGIN, _APART = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=10)
_CHUNK, _RECORDED = 4000, 20


def measure() -> list[Result]:
    """Measure."""
    with Simulator() as sim:
        sim.client("dynamodb").create_table(**definition(_TABLE))
        loaded = _load(sim)
        scanned = _scan(sim)
        assert len(scanned) == loaded == ITEMS, (len(scanned), loaded)
        results, faults = [], 0
        for what, ask, expected in _questions(scanned):
            result, wrong = _ask(sim, what, ask, expected)
            results.append(result)
            faults += wrong
        last = _LastWrites(sim).measure()
        wrong = Result(
            "questions that took more than one Query, or were answered otherwise than by a scan", faults, "", bound=0, n=len(results)
        )
        return [wrong, *results, last]


def _attempts() -> Iterator[list[dict[str, Any]]]:
    """Yield all items of one attempt after another, without end; what they have in common comes with the first of them."""
    number = 0
    while True:
        project, service, environment = number % _PROJECTS, number // _PROJECTS % _SERVICES, number * 7 % _ENVIRONMENTS
        release = number // (_PROJECTS * _SERVICES) % _RELEASES + 1
        digest = f"sha256:{release:064x}"
        begun = LedgerEntry(
            installation="default", namespace=f"team-{project}", project=f"project-{project}", service=f"service-{service}",
            environment=f"environment-{environment}", account_id=ACCOUNT, region=REGION, cluster="main", release=f"r-{service}-{environment}",
            attempt_id=f"attempt-{number}", stage=Stage.START, number=release, cause="Requested", hash=f"{release:040x}",
            requested_by=f"person-{number % _PEOPLE}@example.com", applied_by="system:serviceaccount:argocd:application-controller",
            description="Raise the limit of what one request may ask for", url="https://github.com/example/shop/pull/1",
            images=[LedgerImage(container="app", repository="shop/app", to_digest=digest, to_hash=f"{release:040x}", from_digest=digest)],
            start_time=_BEGIN + number * _APART,
        )  # fmt: skip
        ended = begun.model_copy(
            update={"stage": Stage.END, "completion_time": begun.start_time + timedelta(minutes=4), "outcome": "Succeeded"}
        )
        yield [*(item for entry in (begun, ended) for item in (items.entry_item(entry), items.pointer_item(entry, release))), *_once(ended)]
        number += 1


def _once(entry: LedgerEntry) -> Iterable[dict[str, Any]]:
    """Make what is there once of a service, and of a number."""
    part = CurrentPart(images=[CurrentImage(container="app", digest=f"sha256:{entry.number:064x}")], hash=entry.hash, number=entry.number)
    service = {name: getattr(entry, name) for name in ("installation", "namespace", "project", "service", "environment")}
    current = LedgerCurrent(**service, wanted=part, deployed=part, ready=part, observed=part, observed_time=entry.start_time)
    update = items.current_update(_TABLE, current)
    fields = {"kind": Kind.CURRENT.value, **current.to_kubernetes(), **items.to_fields(update["Key"])}
    release = LedgerRelease(namespace=entry.namespace, project=entry.project, number=entry.number or 1, hash=entry.hash, time=_BEGIN)
    return items.to_item(fields), items.release_item(release)


def _load(sim: Simulator) -> int:
    """Put 100,000 different items into the table."""
    seen: dict[tuple[str, str], None] = {}
    chunk: list[dict[str, Any]] = []
    for found in _attempts():
        for item in found:
            key = (item["pk"]["S"], item["sk"]["S"])
            if key in seen or len(seen) == ITEMS:
                continue
            seen[key] = None
            chunk.append(item)
        if len(chunk) >= _CHUNK or len(seen) == ITEMS:
            sim.control("items", account=ACCOUNT, region=REGION, table=_TABLE, items=chunk)
            chunk = []
        if len(seen) == ITEMS:
            return len(seen)
    raise AssertionError


def _scan(sim: Simulator) -> list[dict[str, Any]]:
    """Take all that is in the table, past DynamoDB's API: moto needs ten minutes to write the answers of a Scan."""
    found: list[dict[str, Any]] = []
    while chunk := sim.control("list-items", account=ACCOUNT, region=REGION, table=_TABLE, begin=len(found), count=_CHUNK):
        found += chunk
    return found


def _questions(scanned: list[dict[str, Any]]) -> Iterator[tuple[str, Callable[[LedgerReader], Any], Any]]:
    """Yield what is asked, how, and what a plain look at all items finds."""
    by_kind = {kind: [i for i in scanned if items.kind_of(i) == kind] for kind in Kind}
    entries = [items.to_entry(i) for i in by_kind[Kind.ENTRY]]
    newest = sorted(entries, key=lambda e: (_happened(e), e.attempt_id, e.stage), reverse=True)
    lean = [LedgerEntry.model_validate({k: v for k, v in e.to_kubernetes().items() if k in items.PROJECTED}) for e in newest]
    place = ("environment-1", "team-3", "project-3", "service-4")
    first, last = _BEGIN + timedelta(days=30), _BEGIN + timedelta(days=33)
    current = sorted((c for c in map(items.to_current, by_kind[Kind.CURRENT]) if c.environment == place[0]), key=_place)
    numbered = [e for e in newest if (e.project, e.number) == ("project-3", 7)]

    yield "what is deployed in an environment", lambda r: list(r.deployed_in(place[0])), current
    whole = sorted((e for e in newest if (e.environment, e.namespace, e.project, e.service) == place), key=_begun, reverse=True)
    yield "the history of a service in an environment", lambda r: list(r.history_of(*place)), whole
    yield "the history of a Project", lambda r: list(r.history_of_project(*place[1:3])), [e for e in lean if e.project == place[2]]
    person = "person-7@example.com"
    yield (
        "what a person had a part in",
        lambda r: list(r.by_person(person)),
        [e for e in lean if e.requested_by == person and e.stage == "start"],
    )
    yield "a release number", lambda r: {_of(e) for e in r.release("team-3", "project-3", 7)[1]}, {_of(e) for e in numbered}
    yield "everything of three days", lambda r: list(r.between(first, last)), [e for e in lean if first <= _happened(e) < last]


def _ask(sim: Simulator, what: str, ask: Callable[[LedgerReader], Any], expected: Any) -> tuple[Result, int]:
    """Ask three times. Returns how long it took, and whether it was otherwise than it should be."""
    took, wrong, pages = [], False, 0
    reader = LedgerReader(sim.client("dynamodb"), _TABLE)
    for _ in range(3):
        since, began = sim.mark(), time.monotonic()
        found = ask(reader)
        took.append(time.monotonic() - began)
        calls = sim.control("calls", service="dynamodb", since=since)
        pages = len(calls)
        begun = [c for c in calls if "ExclusiveStartKey" not in c["parameters"]]
        wrong |= found != expected or not expected or [c["action"] for c in begun] != ["Query"] or {c["action"] for c in calls} != {"Query"}
    name = f"{what}: {len(expected)} answers, 1 Query of {pages} page{'s' * (pages > 1)}"
    return Result(name, statistics.median(took), "s", n=len(took)), int(wrong)


class _LastWrites:
    """Records more into the full table, by the operator's adapter."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim

    def measure(self) -> Result:
        os.environ.update(self._sim.environment())
        aws = BotoAws(SystemClock(), version="0", session_name="bench", threads=4, share=1.0)
        try:
            return Result(
                "an entry with its current record and number, recorded", statistics.median(asyncio.run(self._record(aws))), "s", n=_RECORDED
            )
        finally:
            aws.close()
            for name in self._sim.environment():
                os.environ.pop(name)

    async def _record(self, aws: BotoAws) -> list[float]:
        ledger, took = aws.ledger(access(), _TABLE), []
        for number in range(_RECORDED):
            entry = LedgerEntry(
                installation="default", namespace="new", project="new", service="new", environment="new", attempt_id=f"new-{number}",
                stage=Stage.START, cause="Requested", start_time=_BEGIN + number * _APART,
            )  # fmt: skip
            current = LedgerCurrent(
                installation="default", namespace="new", project="new", service="new", environment="new", observed_time=entry.start_time
            )
            began = time.monotonic()
            assert (await ledger.record(LedgerWrite(entry, current, f"pin-{number}"))).number == number + 1
            took.append(time.monotonic() - began)
        return took


def _happened(entry: LedgerEntry) -> datetime:
    return entry.start_time if entry.stage == Stage.START else entry.completion_time or entry.start_time


def _begun(entry: LedgerEntry) -> tuple[datetime, str, str]:
    return entry.start_time, entry.attempt_id, entry.stage


def _place(of: LedgerCurrent) -> tuple[str, str]:
    return f"{of.namespace}/{of.project}#{of.service}", of.environment


def _of(entry: LedgerEntry) -> tuple[str, str]:
    return entry.attempt_id, entry.stage
