"""The ledger's table: its definition, checks, and creation. examples/ledger has the same for other tools."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ecs_release.api.conditions import Reason
from ecs_release.aws.ledger.items import PROJECTED
from ecs_release.aws.ledger.keys import AT, INDEX_KEYS, PK, SK
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.aws.sessions.fields import Fields
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Blocked, Denied, Retryable

_CREATED_S, _PAUSE_S = 120.0, 1.0
"""How long to wait for a new table, and between two checks; it usually takes ten seconds."""
_MISSING = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
_UNAVAILABLE = "ContinuousBackupsUnavailableException"
"""A table's first seconds: its backups are being switched on (API reference, UpdateContinuousBackups)."""


def definition(table: str) -> dict[str, Any]:
    """Return the parameters of CreateTable: billed by request, protected from deletion; indexes hold what a line of history needs."""
    names = sorted({PK, SK, AT, *INDEX_KEYS.values()})
    return {
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": _key_schema(PK, SK),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": _key_schema(key, AT),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(PROJECTED)},
            }
            for index, key in INDEX_KEYS.items()
        ],
    }


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def shortcomings(described: Mapping[str, Any]) -> list[str]:
    """Return all that is wrong with a described table. More indexes, and indexes with more attributes, do no harm."""
    wanted = definition(described["TableName"])
    types = {a["AttributeName"]: a["AttributeType"] for a in described.get("AttributeDefinitions") or ()}
    found = _wrong_keys("the table", wanted["KeySchema"], described.get("KeySchema") or (), types)
    indexes = {i["IndexName"]: i for i in described.get("GlobalSecondaryIndexes") or ()}
    for index in wanted["GlobalSecondaryIndexes"]:
        name = index["IndexName"]
        if name not in indexes:
            found.append(f"index {name} is not there")
            continue
        found += _wrong_keys(f"index {name}", index["KeySchema"], indexes[name]["KeySchema"], types)
        projection = indexes[name].get("Projection") or {}
        if projection.get("ProjectionType") != "ALL":
            lacks = set(PROJECTED) - set(projection.get("NonKeyAttributes") or ())
            found += [f"index {name} does not hold {', '.join(sorted(lacks))}"] if lacks else []
    return found


def _wrong_keys(what: str, wanted: Any, found: Any, types: Mapping[str, str]) -> list[str]:
    said = {k["KeyType"]: k["AttributeName"] for k in found}
    return [
        f"{what} has {kind} key {_named(said.get(kind), types)}, not {name} (S)"
        for kind, name in ((k["KeyType"], k["AttributeName"]) for k in wanted)
        if said.get(kind) != name or types.get(name) != "S"
    ]


def _named(name: str | None, types: Mapping[str, str]) -> str:
    return f"{name} ({types.get(name, '?')})" if name else "none"


@dataclass(frozen=True, slots=True)
class _Described:
    """A table that exists: its status, its ARN, and what is wrong with it."""

    status: str
    arn: str
    wrong: tuple[str, ...]


def _described(answer: Any) -> _Described:
    table = Fields(answer).needed_part("Table")
    return _Described(table.text("TableStatus", None), table.text("TableArn", None), tuple(shortcomings(table.raw)))


def _is_recoverable(answer: Any) -> bool:
    backups = Fields(answer).part("ContinuousBackupsDescription")
    return backups.part("PointInTimeRecoveryDescription").text("PointInTimeRecoveryStatus") == "ENABLED"


def _done(_: Any) -> bool:
    """Say that a call was carried out, whatever its answer holds."""
    return True


class LedgerTable:
    """Checks one table and, if that is allowed, creates it."""

    def __init__(self, caller: Caller, access: Access, table: str, *, create: bool = False, created_s: float = _CREATED_S) -> None:
        """`create`: create the table if it does not exist, and wait for it for `created_s`."""
        self._caller = caller
        self._access = access
        self._table = table
        self._create = create
        self._created_s = created_s

    async def check(self) -> str:
        """Check that the table exists and is a ledger. Returns its ARN. Raises Problem with what is wrong with it."""
        described = await self._describe()
        if described is None:
            if not self._create:
                raise Blocked(
                    Reason.REJECTED_BY_AWS,
                    f"there is no DynamoDB table {self._table} in {self._where()}: make it (examples/ledger), or let the operator make it"
                    " (ledger_create)",
                )
            await self._make()
            described = await self._until_there()
        elif described.status == "CREATING":
            described = await self._until_there()
        self._check_account(described.arn)
        if described.wrong:
            raise Blocked(
                Reason.REJECTED_BY_AWS,
                f"DynamoDB table {self._table} in {self._where()} is no ledger: {'; '.join(described.wrong)}: see examples/ledger",
            )
        if self._create:
            await self._protect()
        return described.arn

    def _where(self) -> str:
        return f"{self._access.account_id or 'the own account'}/{self._access.region}"

    def _check_account(self, arn: str) -> None:
        account = arn.split(":")[4] if arn.count(":") > 4 else ""
        if self._access.account_id and account != self._access.account_id:
            raise Denied(f"the ledger's access leads to account {account} ({arn}), but its account is {self._access.account_id}")

    async def _make(self) -> None:
        """Create the table, unless somebody else has done so meanwhile."""
        parameters = definition(self._table)
        await self._call("create_table", parameters, _done, passed=("ResourceInUseException",), mutating=True)

    async def _protect(self) -> None:
        """Enable point-in-time recovery, unless it is enabled."""
        if await self._call("describe_continuous_backups", {"TableName": self._table}, _is_recoverable):
            return
        specification = {"PointInTimeRecoveryEnabled": True}
        parameters = {"TableName": self._table, "PointInTimeRecoverySpecification": specification}
        until = time.monotonic() + self._created_s
        while await self._call("update_continuous_backups", parameters, _done, passed=(_UNAVAILABLE,), mutating=True) is None:
            if time.monotonic() >= until:
                raise Retryable(f"point-in-time recovery of DynamoDB table {self._table} cannot be switched on yet")
            await asyncio.sleep(_PAUSE_S)

    async def _until_there(self) -> _Described:
        until = time.monotonic() + self._created_s
        while True:
            described = await self._describe()
            if described is not None and described.status == "ACTIVE":
                return described
            if time.monotonic() >= until:
                raise Retryable(f"DynamoDB table {self._table} in {self._where()} is still being made after {self._created_s:.0f} s")
            await asyncio.sleep(_PAUSE_S)

    async def _describe(self) -> _Described | None:
        found: _Described | None = await self._call("describe_table", {"TableName": self._table}, _described, passed=tuple(_MISSING))
        return found

    async def _call(
        self,
        method: str,
        parameters: Mapping[str, Any],
        parse: Callable[[Any], Any],
        *,
        passed: tuple[str, ...] = (),
        mutating: bool = False,
    ) -> Any:
        """Make a call, and return what `parse` makes of its answer. Returns None if AWS answers one of the errors in `passed`."""

        def read(client: Any, parameters: Mapping[str, Any]) -> Any:
            try:
                return parse(getattr(client, method)(**parameters))
            except ClientError as error:
                if code_of(error) in passed:
                    return None
                raise

        return await self._caller.call(
            self._access, "dynamodb", method, pacing.LEDGER_TABLE, what=self._table, mutating=mutating, parameters=parameters, read=read
        )
