"""The ledger's records as items of DynamoDB and back, and the one transaction that records. Pure.

An item holds a record's fields under their names in the API, flat, so that people can read the table; beside them its keys, and `kind`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pydantic import ValidationError

from ecs_release.api.conditions import Reason
from ecs_release.api.ledger import CurrentPart, LedgerCurrent, LedgerEntry, LedgerRelease
from ecs_release.aws.ledger import keys
from ecs_release.aws.ledger.keys import PK, SK
from ecs_release.aws.sessions.fields import Fields, UnreadableError
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.ledger import LedgerWrite

KIND = "kind"
_LONGEST = 500
_NUMBERS = 10**10
"""Release numbers are below: keys hold ten digits."""
# API reference, Projection: at most 20 attributes an index, and 100 in all indexes of a table. They cannot be changed later.
PROJECTED = (
    "installation", "namespace", "project", "serviceSet", "service", "environment", "release", "attemptID", "stage", "number", "cause",
    "hash", "outcome", "requestedBy", "appliedBy", "changedBy", "description", "url", "startTime", "completionTime",
)  # fmt: skip
"""The attributes of an entry in an index: enough for a line of history."""
_POINTED = (*(f for f in PROJECTED if f not in ("url", "description", "changedBy")), "images")

_Record = TypeVar("_Record", LedgerEntry, LedgerCurrent, LedgerRelease)
_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()


class Kind(StrEnum):
    """The kind of an item."""

    ENTRY = "Entry"
    CURRENT = "Current"
    COUNTER = "Counter"
    PIN = "Pin"
    RELEASE = "Release"
    POINTER = "Pointer"


@dataclass(frozen=True, slots=True)
class Numbered:
    """A release number: that of the pin (`counter` is None), or the one after the counter that was read."""

    number: int
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a transaction was cancelled: items whose condition failed, as they are in the table, and whether there was a conflict."""

    items: Mapping[Kind, Mapping[str, Any]] = field(default_factory=dict)
    conflict: bool = False


def to_item(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Serialize fields for DynamoDB."""
    return {name: _SERIALIZER.serialize(value) for name, value in fields.items()}


def to_fields(item: Mapping[str, Any]) -> dict[str, Any]:
    """Deserialize an item; numbers are integers."""
    return {name: _whole(_DESERIALIZER.deserialize(value)) for name, value in item.items()}


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_whole(v) for v in value]
    return value if isinstance(value, str | bool | None) else int(value)


def parse_item(answer: Any) -> Mapping[str, Any]:
    """Read GetItem: the item; an empty one if there is none."""
    return Fields(answer).part("Item").raw


def parse_page(answer: Any) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """Read a page of Query: its items, and the key to go on from; empty at the end."""
    fields = Fields(answer)
    return [item.raw for item in fields.needed_parts("Items")], fields.part("LastEvaluatedKey").raw


def number_in(item: Mapping[str, Any], name: str) -> int:
    """Return a number of an item. Raises Blocked if somebody has made something else of it."""
    try:
        value = to_fields(item)[name]
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _unreadable(item, str(error)) from error
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _NUMBERS:
        raise _unreadable(item, f"{name} is no number of at most ten digits")
    return value


def text_in(item: Mapping[str, Any], name: str) -> str:
    """Return a text of an item; an empty one if it is absent, or something else."""
    value = item.get(name)
    return str(value.get("S") or "") if isinstance(value, Mapping) else ""


def kind_of(item: Mapping[str, Any]) -> str:
    """Return the kind of an item. Raises Blocked."""
    try:
        return Fields(item).part(KIND).text("S")
    except UnreadableError as error:
        raise _unreadable(item, str(error)) from error


def to_entry(item: Mapping[str, Any]) -> LedgerEntry:
    """Read an entry, or its projection in an index or a pointer. Raises Blocked."""
    return _read(LedgerEntry, item)


def to_current(item: Mapping[str, Any]) -> LedgerCurrent:
    """Read a current record. Raises Blocked."""
    return _read(LedgerCurrent, item)


def time_of_current(item: Mapping[str, Any]) -> datetime:
    """Return the time of an existing current record. Raises Blocked."""
    try:
        found = datetime.fromisoformat(text_in(item, "observedTime"))
    except ValueError as error:
        raise _unreadable(item, str(error)) from error
    if found.tzinfo is None:
        raise _unreadable(item, "observedTime has no time zone")
    return found


def to_release(item: Mapping[str, Any]) -> LedgerRelease:
    """Read the release of a release number. Raises Blocked."""
    return _read(LedgerRelease, item)


def _read(model: type[_Record], item: Mapping[str, Any]) -> _Record:
    """Read an item. An item that this version cannot read (because somebody edited the table) raises Blocked."""
    try:
        return model.model_validate(to_fields(item))
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        what = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise _unreadable(item, what) from error


def _unreadable(item: Mapping[str, Any], what: str) -> Blocked:
    key = "/".join(str(value.get("S", "")) for name in (PK, SK) if isinstance(value := item.get(name), Mapping))
    return Blocked(Reason.REJECTED_BY_AWS, f"item {key[:_LONGEST]} of the ledger cannot be read by this version: {what[:_LONGEST]}")


def entry_item(entry: LedgerEntry) -> dict[str, Any]:
    """Return the item of an entry."""
    return to_item({**entry.to_kubernetes(), **keys.entry_key(entry), **keys.index_keys(entry), KIND: Kind.ENTRY.value})


def pointer_item(entry: LedgerEntry, number: int) -> dict[str, Any]:
    """Return the pointer item of an entry under its release number: target, images and outcome."""
    said = entry.to_kubernetes()
    lean = {name: said[name] for name in _POINTED if name in said}
    for image in lean.get("images", ()):
        image.pop("fromDigest", None)
        image.pop("fromHash", None)
    return to_item({**lean, **keys.pointer_key(entry, number), KIND: Kind.POINTER.value})


def release_item(release: LedgerRelease) -> dict[str, Any]:
    """Return the item of a numbered release."""
    key = {PK: keys.numbers_key(release.namespace, release.project), SK: keys.ten_digits(release.number)}
    return to_item({**release.to_kubernetes(), **key, KIND: Kind.RELEASE.value})


def current_update(table: str, current: LedgerCurrent) -> dict[str, Any]:
    """Return the update that replaces a current record, unless a newer one exists. Absent fields are removed."""
    said = {KIND: Kind.CURRENT.value, **current.to_kubernetes()}
    names = [KIND, *(info.alias or name for name, info in LedgerCurrent.model_fields.items())]
    aliases = {name: f"#f{n}" for n, name in enumerate(names)}
    values = {f":v{n}": said[name] for n, name in enumerate(names) if name in said}
    sets = ", ".join(f"{aliases[name]} = :v{n}" for n, name in enumerate(names) if name in said)
    gone = ", ".join(aliases[name] for name in names if name not in said)
    when = names.index("observedTime")
    return {
        "TableName": table,
        "Key": to_item(keys.service_partition(current)),
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {gone}" if gone else ""),
        "ConditionExpression": f"attribute_not_exists(#f{when}) OR #f{when} <= :v{when}",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": {alias: name for name, alias in aliases.items()},
        "ExpressionAttributeValues": to_item(values),
    }


def transaction(table: str, write: LedgerWrite, numbered: Numbered | None, left_out: frozenset[Kind] = frozenset()) -> dict[Kind, Any]:
    """Return the items of a TransactWriteItems, in order, without those in `left_out`, which exist already."""
    made: dict[Kind, Any] = {}
    entry = write.entry
    number = numbered.number if numbered else entry.number if entry else None
    if entry is not None and Kind.ENTRY not in left_out:
        entry = entry.model_copy(update={"number": number})
        made[Kind.ENTRY] = _put(table, entry_item(entry))
        if number is not None and Kind.POINTER not in left_out:
            made[Kind.POINTER] = _put(table, pointer_item(entry, number))
    if write.current is not None and Kind.CURRENT not in left_out:
        current = with_number(write.current, entry.attempt_id if entry else None, number)
        made[Kind.CURRENT] = {"Update": current_update(table, current)}
    if numbered is not None and numbered.counter is not None:
        made |= _new_number(table, write, numbered.number, numbered.counter)
    return made


def with_number(current: LedgerCurrent, attempt_id: str | None, number: int | None) -> LedgerCurrent:
    """Return the record with a new number in the parts of that attempt: the caller did not know the number yet."""
    if attempt_id is None or number is None:
        return current
    parts: dict[str, CurrentPart | None] = {"wanted": current.wanted, "deployed": current.deployed, "ready": current.ready}
    found = {
        name: part.model_copy(update={"number": number})
        for name, part in parts.items()
        if part is not None and part.attempt_id == attempt_id and part.number is None
    }
    return current.model_copy(update=found) if found else current


def _new_number(table: str, write: LedgerWrite, number: int, counter: int) -> dict[Kind, Any]:
    release = _release(write, number)
    partition = keys.numbers_key(release.namespace, release.project)
    count: dict[str, Any] = {
        "TableName": table,
        "Key": to_item({PK: partition, SK: keys.COUNTER}),
        "UpdateExpression": "SET n = :new, kind = :kind",
        "ConditionExpression": "n = :old" if counter else "attribute_not_exists(n)",
        "ExpressionAttributeValues": to_item({":new": number, ":kind": Kind.COUNTER.value} | ({":old": counter} if counter else {})),
    }
    guard = {PK: partition, SK: keys.pin_sort_key(write.pin), "number": number, KIND: Kind.PIN.value}
    return {
        Kind.COUNTER: {"Update": count},
        Kind.PIN: _put(table, to_item(guard)),
        Kind.RELEASE: _put(table, release_item(release)),
    }


def owner_of(write: LedgerWrite) -> tuple[str, str]:
    """Return namespace and name of the Project of a write."""
    for of in (write.entry, write.current, write.release):
        if of is not None:
            return of.namespace, of.project
    raise ValueError("nothing to record")


def _release(write: LedgerWrite, number: int) -> LedgerRelease:
    if write.release is not None:
        return write.release.model_copy(update={"number": number})
    namespace, project = owner_of(write)
    said = write.entry or write.current
    assert said is not None
    time = said.start_time if isinstance(said, LedgerEntry) else said.observed_time
    return LedgerRelease(namespace=namespace, project=project, number=number, time=time)


def _put(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


_CONDITION, _CONFLICT = "ConditionalCheckFailed", "TransactionConflict"


def serious(reasons: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Return code and message of the first reason of a cancelled transaction that is neither a condition nor a conflict."""
    for reason in reasons:
        code = reason.get("Code") or "None"
        if code not in ("None", _CONDITION, _CONFLICT):
            return code, reason.get("Message") or ""
    return None


def refused(kinds: Sequence[Kind], reasons: Sequence[Mapping[str, Any]]) -> Refused:
    """Return which items refused a transaction. Reasons are in the order of the items (API reference, TransactWriteItems)."""
    items = {kind: reason.get("Item") or {} for kind, reason in zip(kinds, reasons, strict=False) if reason.get("Code") == _CONDITION}
    return Refused(items, conflict=any(r.get("Code") == _CONFLICT for r in reasons))
