"""The ledger: the port `domain.ports.Ledger` on DynamoDB.

After a lost answer the call is simply sent again, because an entry is put on the condition that it does not exist yet. We send it, not the
SDK: a process without its Lease must not send anything.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
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
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult

log = logging.getLogger(__name__)

_TRIES = 8
"""Attempts of one write: a conflict with another writer costs one, and so does each item that exists already."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_REMEMBERED = 5000
"""How many release numbers are cached by pin. They never change."""


class BotoLedger:
    """The ledger in one table."""

    def __init__(self, caller: Caller, access: Access, table: str, *, create: bool = False) -> None:
        """`caller` has threads of its own: releases go on while the ledger does not answer. `create`: `check` may create the table."""
        self._caller = caller
        self._access = access
        self._table = table
        self._definition = LedgerTable(caller, access, table, create=create)
        self._numbers: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    async def record(self, write: LedgerWrite) -> RecordResult:
        """Record an entry exactly once, even if it is called again with the same entry.

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
        """Return the current record of a service: a consistent read."""
        found = await self._get(keys.current_key(environment, namespace, project, service))
        return items.to_current(found) if found else None

    async def currents(self, environment: str) -> AsyncIterator[LedgerCurrent]:
        """Yield the current records of all services of an Environment that can be read: one consistent Query, page by page."""
        async for page in self._query("pk = :pk", {":pk": keys.environment_key(environment)}):
            for item in page:
                try:
                    current = items.to_current(item)
                except Blocked as problem:
                    # What somebody has made of one record says nothing about the others.
                    log.warning("left out: %s", problem.message)
                    continue
                yield current

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
        """Check that the table exists and is a ledger. Returns its ARN. Raises Problem with what is wrong with it."""
        return await self._definition.check()

    async def _number(self, write: LedgerWrite) -> Numbered:
        """Return the number of a pin, or else the next number."""
        namespace, project = items.owner_of(write)
        known = self._numbers.get((namespace, project, write.pin))
        if known is not None:
            return Numbered(known)
        partition = keys.numbers_key(namespace, project)
        guard = await self._get({PK: partition, SK: keys.pin_sort_key(write.pin)})
        if guard:
            return Numbered(items.number_in(guard, "number"))
        counter = await self._get({PK: partition, SK: keys.COUNTER})
        before = items.number_in(counter, "n") if counter else 0
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
        """Send a transaction. Returns why it was refused; None if it was carried out."""
        refused: Refused | None = await self._caller.call(
            self._access, "dynamodb", "transact_write_items", pacing.LEDGER_WRITE, what=self._table, mutating=True,
            parameters={"TransactItems": list(actions.values())}, read=partial(_transact, kinds=list(actions)),
        )  # fmt: skip
        return refused

    async def _get(self, key: Mapping[str, str]) -> Mapping[str, Any]:
        parameters = {"TableName": self._table, "Key": items.to_item(key), "ConsistentRead": True}
        found: Mapping[str, Any] = await self._read("get_item", parameters, items.parse_item)
        return found

    async def _query(self, condition: str, values: Mapping[str, str]) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        parameters: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": items.to_item(values),
            "ConsistentRead": True,
        }
        while True:
            page, last = await self._read("query", parameters, items.parse_page)
            yield page
            if not last:
                return
            parameters["ExclusiveStartKey"] = last

    async def _read(self, method: str, parameters: Mapping[str, Any], parse: Callable[[Any], Any]) -> Any:
        return await self._caller.call(
            self._access, "dynamodb", method, pacing.LEDGER_READ, what=self._table, parameters=parameters, parse=parse
        )  # fmt: skip


class _Recording:
    """The state of a write between attempts: which of its items exist already, and its number."""

    def __init__(self, write: LedgerWrite) -> None:
        self._write = write
        self.left_out: set[Kind] = set()
        self.numbered: Numbered | None = None
        self._outcome = (write.entry.outcome or "") if write.entry is not None else ""
        self._newer: datetime | None = None

    def recorded(self) -> RecordResult:
        """Return the result."""
        return RecordResult(self.numbered.number if self.numbered else None, self._outcome, self._newer)

    @property
    def wants_number(self) -> bool:
        """Whether its number must be read: none is known, or one that may be taken by now."""
        unsettled = self.numbered is None or self.numbered.counter is not None
        return bool(self._write.pin) and Kind.ENTRY not in self.left_out and unsettled

    def learn(self, refused: Refused, table: str) -> None:
        """Update the state after a refusal. Raises Blocked if the table contradicts itself, or holds what cannot be read."""
        found = refused.items
        if Kind.ENTRY in found:
            # It was recorded before, with its number, and with the current record of that time.
            self.left_out.add(Kind.ENTRY)
            there = found[Kind.ENTRY]
            self.numbered = Numbered(items.number_in(there, "number")) if "number" in there else None
            self._outcome = items.text_in(there, "outcome")
        elif Kind.PIN in found:
            self.numbered = Numbered(items.number_in(found[Kind.PIN], "number"))
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


def _transact(client: Any, parameters: Mapping[str, Any], kinds: Sequence[Kind]) -> Refused | None:
    """Send a transaction in a thread. Returns why conditions or conflicts cancelled it, if they did; raises for any other reason."""
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
        return items.refused(kinds, reasons)
    return None


def _pause_s(tried: int) -> float:
    """Return how long to wait after a conflict with another writer."""
    return random.uniform(0.2, 1.0) * min(_LONGEST_PAUSE_S, _PAUSE_S * 2.0**tried)  # noqa: S311 - no secret
