"""moto's DynamoDB, made fit for a hundred thousand items: what it answers stays the same.

A transaction copies the items that it touches, not the table; a Query sorts its partition, not the table; a Scan's pages sort once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_transact = DynamoDBBackend.transact_write_items


class QuickTable(Table):
    """A table that can tell a partition's items."""

    _partition: list[Item] | None = None
    _sorted: list[Item] | None = None
    _in_transaction = False

    def __deepcopy__(self, memo: dict[int, Any]) -> QuickTable:
        """Copy it; in a transaction that is a copy to go back to, which `_kept_aside` is."""
        if self._in_transaction:
            return self
        made = object.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return made

    def query(self, hash_key: DynamoType | None, *positional: Any, **named: Any) -> Any:
        """Answer a Query."""
        conditions = named.get("hash_key_conditions") or ()
        if named.get("index_name") is None and not (len(positional) > 6 and positional[6]):
            self._partition = list(self.items[hash_key].values()) if hash_key in self.items else []
        elif conditions:
            name, value = conditions[0]
            every = (item for found in self.items.values() for item in found.values())
            self._partition = [item for item in every if name in item.attrs and item.attrs[name] == value]
        try:
            return super().query(hash_key, *positional, **named)
        finally:
            self._partition = None

    def all_items(self) -> list[Item]:
        """List all items, or those that a Query may find."""
        if self._partition is not None:
            return self._partition
        if self._sorted is None:
            self._sorted = super().all_items()
        return self._sorted

    def put_item(self, *positional: Any, **named: Any) -> Item:
        """Put an item."""
        self._sorted = None
        return super().put_item(*positional, **named)

    def delete_item(self, *positional: Any, **named: Any) -> Item | None:
        """Delete an item."""
        self._sorted = None
        return super().delete_item(*positional, **named)

    @contextmanager
    def _kept_aside(self, keys: list[tuple[DynamoType, DynamoType]]) -> Iterator[None]:
        """Put the items of these keys back where something is raised."""
        before = {key: copy.deepcopy(self.items[key[0]].get(key[1])) for key in keys}
        self._in_transaction = True
        try:
            yield
        except Exception:
            self._sorted = None
            for (partition, sort), item in before.items():
                if item is None:
                    self.items[partition].pop(sort, None)
                else:
                    self.items[partition][sort] = item
            raise
        finally:
            self._in_transaction = False


def transact_quickly(self: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """Carry a transaction out. One of several tables, or of tables without sort keys, is left to moto."""
    actions = [action for item in transact_items for action in item.values()]
    names = {action.get("TableName") for action in actions}
    table = self.tables.get(names.pop()) if len(names) == 1 else None
    keyed = [action.get("Key") or action.get("Item") or {} for action in actions]
    if not isinstance(table, QuickTable) or any({table.hash_key_attr, table.range_key_attr} - key.keys() for key in keyed):
        _transact(self, transact_items)
        return
    with table._kept_aside([(DynamoType(key[table.hash_key_attr]), DynamoType(key[table.range_key_attr])) for key in keyed]):
        _transact(self, transact_items)


def install() -> None:
    """Have moto use these tables from now on."""
    models.Table = QuickTable
    DynamoDBBackend.transact_write_items = transact_quickly


def put_items(account: str, region: str, table: str, items: list[dict[str, Any]]) -> None:
    """Put items as they are, without a call for each."""
    found = dynamodb_backends[account][region].get_table(table)
    for item in items:
        found.put_item(item, overwrite=True)
