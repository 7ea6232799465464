"""Items of the ledger: whoever may write to the table may have changed them; they are read, left out, or a Problem says which it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry
from ecs_release.aws.ledger import items, keys
from ecs_release.aws.ledger.dynamodb import BotoLedger
from ecs_release.aws.ledger.items import KIND, Kind
from ecs_release.aws.ledger.queries import LedgerReader
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from tests.builders.aws_answers import ACCESS, Wire, outcomes
from tests.builders.changed_values import changed
from tests.builders.ledger_records import current_record, end_entry, ledger_release, start_entry

_LONGEST = 4096
_PARTITION = keys.numbers_key("team", "shop")
_CURRENT = current_record()
_ITEMS: Mapping[Kind, Mapping[str, Any]] = {
    Kind.ENTRY: items.entry_item(end_entry(start_entry(number=3))),
    Kind.POINTER: items.pointer_item(end_entry(start_entry()), 3),
    Kind.CURRENT: items.to_item({**_CURRENT.to_kubernetes(), **keys.service_partition(_CURRENT), KIND: Kind.CURRENT.value}),
    Kind.RELEASE: items.release_item(ledger_release()),
    Kind.PIN: items.to_item({keys.PK: _PARTITION, keys.SK: keys.pin_sort_key("pin"), "number": 3, KIND: Kind.PIN.value}),
    Kind.COUNTER: items.to_item({keys.PK: _PARTITION, keys.SK: keys.COUNTER, "n": 3, KIND: Kind.COUNTER.value}),
}
_ODD: tuple[Any, ...] = (
    {"S": "x"}, {"S": ""}, {"S": "x" * 5000}, {"S": "9999-99-99T00:00:00Z"}, {"S": "0001-01-01T00:00:00+14:00"}, {"N": "7"}, {"N": "-1"},
    {"N": "1.5"}, {"N": "1E+120"}, {"NULL": True}, {"BOOL": True}, {"L": []}, {"L": [{"N": "1"}]}, {"M": {}}, {"M": {"a": {"S": "b"}}},
    {"SS": ["x"]}, {"NS": ["1"]}, {"B": "eA=="}, {},
)  # fmt: skip


def _without(item: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(sorted(item)).map(lambda gone: {name: value for name, value in item.items() if name != gone})


def _edited(item: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Have one attribute be another one, or gone, or changed somewhere in it."""
    other = st.builds(lambda name, value: {**item, name: value}, st.sampled_from([*sorted(item), "more"]), st.sampled_from(_ODD))
    return st.one_of(other, _without(item), changed(dict(item), _ODD))


def _twice(item: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    return st.one_of(_edited(item), _edited(item).flatmap(lambda once: _edited(once) if once and isinstance(once, dict) else st.just(once)))


INPUTS = st.sampled_from(list(_ITEMS)).flatmap(lambda kind: st.tuples(st.just(kind), _twice(_ITEMS[kind])))


def check(example: tuple[Kind, Any]) -> None:
    """Read an item as everybody does who may meet it. Raises AssertionError for anything but records and Problems."""
    kind, item = example
    _check_operator(item)
    _check_recording(kind, item)
    _check_plugin(item)


def _check_operator(item: Any) -> None:
    async def currents(ledger: BotoLedger) -> list[LedgerCurrent]:
        return [one async for one in ledger.currents("prod")]

    wire = Wire(lambda asked: {"Item": item} if "Key" in asked else {"Items": [item]})
    begun = start_entry().start_time
    for call in (
        lambda caller: BotoLedger(caller, ACCESS, "t").current("prod", "team", "shop", "web"),
        lambda caller: currents(BotoLedger(caller, ACCESS, "t")),
        lambda caller: BotoLedger(caller, ACCESS, "t").attempt("prod", "team", "shop", "web", "a1", begun),
    ):
        (found,) = outcomes(wire, call, [wire.body])
        _judge(found, (LedgerCurrent, LedgerEntry, list, tuple, type(None)))


def _check_recording(kind: Kind, item: Any) -> None:
    """Have an item be there already when an attempt is recorded: the transaction is refused once, and says what is there."""
    write = LedgerWrite(end_entry(start_entry()), current_record(), "pin", ledger_release())
    kinds = list(items.transaction("t", write, items.Numbered(4, 3)))
    wire, refused = Wire(), False

    def answer(asked: Mapping[str, Any]) -> Any:
        nonlocal refused
        wire.status = 200
        if "TransactItems" not in asked:
            return {"Item": item} if asked["Key"][keys.SK] == _ITEMS[kind].get(keys.SK) else {}
        if refused:
            return {}
        refused, wire.status = True, 400
        reasons = [{"Code": "ConditionalCheckFailed", "Item": item} if k is kind else {"Code": "None"} for k in kinds]
        return {"__type": "TransactionCanceledException", "message": "cancelled", "CancellationReasons": reasons}

    (found,) = outcomes(wire, lambda caller: BotoLedger(caller, ACCESS, "t").record(write), [answer])
    _judge(found, RecordResult)


def _check_plugin(item: Any) -> None:
    class Client:
        def query(self, **_: Any) -> Any:
            return {"Items": [item]}

    said: list[str] = []
    reader = LedgerReader(Client(), "t", said.append)
    for ask in (
        lambda: list(reader.deployed_in("prod")),
        lambda: list(reader.history_of("prod", "team", "shop", "web")),
        lambda: reader.release("team", "shop", 3),
    ):
        try:
            ask()
        except Problem as problem:
            said.append(problem.message)
    assert all(len(message) <= _LONGEST for message in said)


def _judge(found: Any, wanted: Any) -> None:
    if isinstance(found, Problem):
        assert len(found.message) <= _LONGEST, len(found.message)
        assert "ledger" in found.message or "dynamodb" in found.message, found.message
    else:
        assert isinstance(found, wanted), found
