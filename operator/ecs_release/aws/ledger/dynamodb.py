"""The ledger: the port `domain.ports.Ledger` on DynamoDB.

An answer that was lost is no riddle here: an entry is put on the condition that it is not there, so what is in doubt is simply sent again.
By us, not by the SDK: a process without its lease must not send anything.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ecs_release.api.conditions import Reason
from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, Stage
from ecs_release.aws.ledger import items, keys
from ecs_release.aws.ledger.items import Kind, Numbered, Refused
from ecs_release.aws.ledger.keys import PK, SK
from ecs_release.aws.ledger.table import LedgerTable
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, Blocked, Retryable
from ecs_release.domain.ports.ledger import LedgerWrite, Recorded

_TRIES = 8
"""Whoever loses against another writer tries again, so often; every item that is found there already costs a try, too."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_REMEMBERED = 5000
"""Pins whose number is known. It never changes."""


class BotoLedger:
    """The ledger in one table."""

    def __init__(self, caller: Caller, access: Access, table: str, *, create: bool = False) -> None:
        """`caller` has threads of its own: releases go on while the ledger does not answer. `create`: `check` may make the table."""
        self._caller = caller
        self._access = access
        self._table = table
        self._definition = LedgerTable(caller, access, table, create=create)
        self._numbers: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    async def record(self, write: LedgerWrite) -> Recorded:
        """Record once, however often it is called with the same entry.

        Raises Retryable (throttled, unreachable, contention), Denied, Blocked.
        """
        recording = _Recording(write)
        doubted = False
        for tried in range(_TRIES):
            if recording.wants_number:
                recording.numbered = await self._number(write)
            actions = items.transaction(self._table, write, recording.numbered, frozenset(recording.left_out))
            if not actions:
                break
            try:
                answer = await self._transact(actions)
            except Ambiguous:
                if doubted:
                    raise
                doubted = True
                continue
            if answer is None:
                self._remember(write, recording.numbered)
                break
            recording.learn(answer, self._table)
            if answer.conflict or Kind.COUNTER in answer.items:
                await asyncio.sleep(_pause_s(tried))
        else:
            raise Retryable(f"dynamodb:TransactWriteItems on {self._table}: others write the same items all the time: {_TRIES} tries")
        return recording.recorded()

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        """Return what is current of a service: a consistent read."""
        found = await self._get(keys.current_key(environment, namespace, project, service))
        return items.to_current(found) if found else None

    async def currents(self, environment: str) -> AsyncIterator[LedgerCurrent]:
        """Yield what is current of all services of an Environment: one consistent Query, page by page."""
        async for page in self._query("pk = :pk", {":pk": keys.environment_key(environment)}):
            for item in page:
                yield items.to_current(item)

    async def attempt(
        self, environment: str, namespace: str, project: str, service: str, attempt_id: str, start_time: datetime
    ) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        """Return an attempt's start and end: a consistent read."""
        partition = keys.attempts_key(environment, namespace, project, service)
        values = {":pk": partition, ":prefix": keys.attempt_prefix(start_time, attempt_id)}
        found: dict[Stage, LedgerEntry] = {}
        async for page in self._query("pk = :pk AND begins_with(sk, :prefix)", values):
            found |= {entry.stage: entry for entry in map(items.to_entry, page)}
        return found.get(Stage.START), found.get(Stage.END)

    async def check(self) -> str:
        """Make sure that the table is there and is a ledger; returns its ARN. Raises Problem that says what is wrong with it."""
        return await self._definition.check()

    async def _number(self, write: LedgerWrite) -> Numbered:
        """Return the number of a pin, or else the next one."""
        namespace, project = items.owner_of(write)
        known = self._numbers.get((namespace, project, write.pin))
        if known is not None:
            return Numbered(known)
        partition = keys.numbers_key(namespace, project)
        guard = await self._get({PK: partition, SK: keys.pin_sort_key(write.pin)})
        if guard:
            return Numbered(items.to_fields(guard)["number"])
        counter = await self._get({PK: partition, SK: keys.COUNTER})
        before = items.to_fields(counter)["n"] if counter else 0
        return Numbered(before + 1, before)

    def _remember(self, write: LedgerWrite, numbered: Numbered | None) -> None:
        if numbered is None or not write.pin:
            return
        key = (*items.owner_of(write), write.pin)
        self._numbers[key] = numbered.number
        self._numbers.move_to_end(key)
        while len(self._numbers) > _REMEMBERED:
            self._numbers.popitem(last=False)

    async def _transact(self, actions: Mapping[Kind, Any]) -> Refused | None:
        """Send a transaction. Returns why it was refused, if it was."""
        reasons = await self._caller.call(
            self._access, "dynamodb", "transact_write_items", pacing.LEDGER_WRITE, what=self._table, mutating=True,
            parameters={"TransactItems": list(actions.values())}, read=_transact,
        )  # fmt: skip
        return items.refused(list(actions), reasons) if reasons else None

    async def _get(self, key: Mapping[str, str]) -> Mapping[str, Any]:
        parameters = {"TableName": self._table, "Key": items.to_item(key), "ConsistentRead": True}
        answer = await self._read("get_item", parameters)
        found: Mapping[str, Any] = answer.get("Item") or {}
        return found

    async def _query(self, condition: str, values: Mapping[str, str]) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": items.to_item(values),
            "ConsistentRead": True,
        }
        while True:
            answer = await self._read("query", parameters)
            yield answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _read(self, method: str, parameters: Mapping[str, Any]) -> Any:
        return await self._caller.call(
            self._access, "dynamodb", method, pacing.LEDGER_READ, what=self._table, parameters=parameters
        )  # fmt: skip


class _Recording:
    """What is known of a write while it is tried: which of its items are there already, and its number."""

    def __init__(self, write: LedgerWrite) -> None:
        self._write = write
        self.left_out: set[Kind] = set()
        self.numbered: Numbered | None = None
        self._outcome = (write.entry.outcome or "") if write.entry is not None else ""
        self._newer: datetime | None = None

    def recorded(self) -> Recorded:
        """Return what is there now."""
        return Recorded(self.numbered.number if self.numbered else None, self._outcome, self._newer)

    @property
    def wants_number(self) -> bool:
        """Whether its number has to be found out: none is known, or one that may be another's by now."""
        unsettled = self.numbered is None or self.numbered.counter is not None
        return bool(self._write.pin) and Kind.ENTRY not in self.left_out and unsettled

    def learn(self, refused: Refused, table: str) -> None:
        """Learn from a refusal, so that the next try is another. Raises Blocked where the table contradicts itself."""
        found = refused.items
        if Kind.ENTRY in found:
            # It was recorded once: with its number, and with what was current then.
            self.left_out.add(Kind.ENTRY)
            number = found[Kind.ENTRY].get("number")
            self.numbered = Numbered(number) if number is not None else None
            self._outcome = str(found[Kind.ENTRY].get("outcome") or "")
        elif Kind.PIN in found:
            self.numbered = Numbered(found[Kind.PIN]["number"])
        elif Kind.RELEASE in found and Kind.COUNTER not in found:
            assert self.numbered is not None
            raise Blocked(
                Reason.REJECTED_BY_AWS,
                f"the ledger in table {table} contradicts itself: its counter says that release {self.numbered.number} of Project"
                f" {'/'.join(items.owner_of(self._write))} is not there yet, and it is: set the counter to its highest number",
            )
        if Kind.CURRENT in found:
            self._newer = items.time_of_current(found[Kind.CURRENT])
        self.left_out |= found.keys() & {Kind.POINTER, Kind.CURRENT}


def _transact(client: Any, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Send a transaction in a thread. Returns the reasons why it was cancelled by conditions or conflicts; raises for any other."""
    try:
        client.transact_write_items(**parameters)
    except ClientError as error:
        if code_of(error) != "TransactionCanceledException":
            raise
        reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons") or ()
        serious = items.serious(reasons)
        if serious is not None or not reasons:
            code, message = serious or (code_of(error), str(error.response["Error"].get("Message", "")))
            raise ClientError({"Error": {"Code": code, "Message": message}}, "TransactWriteItems") from error
        return reasons
    return ()


def _pause_s(tried: int) -> float:
    """Return for how long to stand back after losing against another writer."""
    return random.uniform(0.2, 1.0) * min(_LONGEST_PAUSE_S, _PAUSE_S * 2.0**tried)  # noqa: S311 - no secret
