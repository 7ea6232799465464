"""The ledger's keys and items: what stands where, that it fits, and what a refused transaction means."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, Stage
from ecs_release.api.meta import Model
from ecs_release.api.release_status import Evidence
from ecs_release.aws.ledger import items, keys
from ecs_release.aws.ledger.items import Kind, Numbered
from ecs_release.aws.ledger.table import definition, shortcomings
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.ledger import LedgerWrite
from tests.builders.ledger_records import NOW, current_record, end_entry, ledger_release, start_entry

ITEM_BYTES, TRANSACTION_BYTES = 400 * 1024, 4 * 1024 * 1024
ROBOT = "system:serviceaccount:argocd:argocd-application-controller"


def size(value: Any) -> int:
    """Count an item's bytes as DynamoDB does (developer guide, "DynamoDB item sizes and formats"), rounded up."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return 3 + sum(len(k.encode()) + size(v) + 1 for k, v in value.items())
    return 3 + sum(size(v) + 1 for v in value) if isinstance(value, list) else 21


def longest(model: type[Model], letter: str, **given: Any) -> Any:
    """Fill all texts of a model to the brim."""
    made: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        bound = _bound(info)
        made[name] = letter * bound if bound else None
    return model.model_validate(made | given)


def _bound(info: FieldInfo) -> int | None:
    found = [*info.metadata, *(m for a in get_args(info.annotation) for m in getattr(a, "__metadata__", ()))]
    texts = [getattr(m, "max_length", None) for f in found for m in (f.metadata if isinstance(f, FieldInfo) else [f])]
    return next((t for t in texts if t and t >= 71), None)


def longest_entry(letter: str) -> LedgerEntry:
    images = [longest(LedgerImage, letter, unlisted=True) for _ in range(20)]
    evidence = [longest(Evidence, letter, exit_code=-1) for _ in range(3)]
    times = dict.fromkeys(("requested_time", "start_time", "completion_time"), NOW)
    names = dict.fromkeys(("namespace", "project", "service", "environment"), "n" * 63)
    commits = longest(AttemptCommits, letter, added=1_000_000, removed=1_000_000, first_time=NOW, authors=250)
    numbers = {"number": 9_999_999_999, "lead_time_seconds": 2**31 - 1, "commit_range": commits}
    return longest(LedgerEntry, letter, stage="end", images=images, evidence=evidence, attempt_id="a" * 63, **numbers, **times, **names)


def longest_current(letter: str) -> LedgerCurrent:
    part = longest(CurrentPart, letter, images=[longest(CurrentImage, letter) for _ in range(30)], number=9_999_999_999, time=NOW)
    names = dict.fromkeys(("namespace", "project", "service", "environment"), "n" * 63)
    return longest(
        LedgerCurrent,
        letter,
        wanted=part,
        deployed=part,
        ready=part,
        observed=part,
        drifted=True,
        observed_time=NOW,
        deleted_time=NOW,
        **names,
    )


def test_keys_are_those_that_the_documentation_names() -> None:
    begun = start_entry()
    item = items.to_fields(items.entry_item(begun))
    assert (item["pk"], item["sk"]) == ("S#prod#team/shop#web", "2026-05-04T12:00:00.000000Z#a1#start")
    assert (item["projectKey"], item["personKey"], item["timeKey"]) == ("P#team/shop", "U#ann", "T")
    assert item["at"] == "2026-05-04T12:00:00.000000Z#a1#start"
    ended = items.to_fields(items.entry_item(end_entry(begun)))
    assert ended["sk"] == "2026-05-04T12:00:00.000000Z#a1#end", "beside its start"
    assert ended["at"] == "2026-05-04T12:01:30.000000Z#a1#end", "in the indexes it stands when it happened"
    assert keys.pointer_key(begun, 12) == {"pk": "N#team/shop", "sk": "0000000012#prod#web#a1#start"}
    assert keys.current_key("prod", "team", "shop", "web") == {"pk": "E#prod", "sk": "team/shop#web"}


def test_times_sort_as_text_wherever_they_come_from() -> None:
    zone = timezone(timedelta(hours=9))
    times = [NOW.astimezone(zone), NOW + timedelta(microseconds=1), (NOW + timedelta(seconds=1)).astimezone(zone)]
    prefixes = [keys.attempt_prefix(time, "a") for time in times]
    assert prefixes == sorted(prefixes)
    assert all("Z#a#" in p for p in prefixes)


@pytest.mark.parametrize(
    ("requested", "applied", "changed", "under"),
    [
        ("ann", "bob", None, ("ann", "bob")),
        ("ann", "ann", None, ("ann", None)),
        ("ann", None, None, ("ann", None)),
        (None, "bob", None, ("bob", None)),
        (None, None, None, (None, None)),
        ("ann@example.com #1", ROBOT, None, ("ann@example.com #1", ROBOT)),
        (None, None, "arn:aws:sts::1:assumed-role/x/ann", ("arn:aws:sts::1:assumed-role/x/ann",) * 2),
        ("ann", "bob", "arn:aws:iam::1:user/eve", ("arn:aws:iam::1:user/eve",) * 2),
    ],
)
def test_an_attempt_is_found_by_each_of_its_people(
    requested: str | None, applied: str | None, changed: str | None, under: tuple[str | None, ...]
) -> None:
    begun = start_entry(requested_by=requested, applied_by=applied, changed_by=changed)
    assert tuple(keys.person_of(e) for e in (begun, end_entry(begun))) == under
    found = [items.to_fields(items.entry_item(e)).get("personKey") for e in (begun, end_entry(begun))]
    assert found == [p and f"U#{p}" for p in under]


def test_a_foreign_deployment_without_a_name_is_under_nobody() -> None:
    assert keys.person_of(start_entry(cause=keys.FOREIGN, changed_by=None)) is None


@pytest.mark.parametrize("person", ["ü" * 256, "a" * 2048, "€" * 2048, "€" * 2047 + "$"])
def test_names_of_people_fit_into_a_key(person: str) -> None:
    key = keys.person_key(person)
    assert len(key.encode()) <= 2048
    assert key != keys.person_key(person[:-1] + "x"), "long ones are told apart"


@pytest.mark.parametrize("field", ["environment", "service", "project", "attempt_id", "namespace"])
@pytest.mark.parametrize("name", ["a#b", "a/b", ""])
def test_names_that_would_mix_up_keys_are_refused(field: str, name: str) -> None:
    with pytest.raises(Blocked, match="the ledger cannot keep"):
        items.entry_item(start_entry().model_copy(update={field: name}))


def test_a_key_that_is_too_long_is_refused() -> None:
    with pytest.raises(Blocked, match="1024 bytes"):
        items.entry_item(start_entry("\N{PARTY POPPER}" * 256))


def test_records_come_back_as_they_were() -> None:
    for stage in (start_entry(number=3), end_entry(start_entry())):
        assert items.to_entry(items.entry_item(stage)) == stage
    assert items.to_release(items.release_item(ledger_release(number=7))) == ledger_release(number=7)
    update = items.current_update("t", current_record(1, drifted=False))
    values = items.to_fields(update["ExpressionAttributeValues"])
    assert values[":v0"] == "Current"
    assert False in values.values(), "a boolean stays one"


def test_the_longest_records_fit() -> None:
    """By the bounds of the models, every letter of four bytes."""
    letter = "\N{PARTY POPPER}"
    entry, now = longest_entry(letter), longest_current(letter)
    lean = longest(LedgerRelease, letter, number=1, time=NOW, namespace="n" * 63, project="n" * 63)
    whole = [items.to_fields(items.entry_item(entry)), {**now.to_kubernetes(), "pk": "", "sk": ""}, lean.to_kubernetes()]
    sizes = [size(one) for one in whole]
    assert sizes[0] > 250_000, "or it is not the longest"
    assert max(sizes) < ITEM_BYTES
    assert 3 * sum(sizes) < TRANSACTION_BYTES


def test_a_typical_entry_costs_little() -> None:
    item = items.to_fields(items.entry_item(end_entry(start_entry())))
    assert size(item) < 2048
    held = {name: item[name] for name in (*items.PROJECTED, "pk", "sk", "at", "projectKey") if name in item}
    assert size(held) < 1024, "one write unit an index"


def test_what_is_not_said_any_more_is_removed() -> None:
    update = items.current_update("t", current_record(1))
    names = update["ExpressionAttributeNames"]
    removed = {names[alias] for alias in update["UpdateExpression"].partition(" REMOVE ")[2].split(", ")}
    said = set(current_record(1).to_kubernetes()) | {"kind"}
    assert removed | said == {*(i.alias for i in LedgerCurrent.model_fields.values()), "kind"}
    assert not removed & said
    assert {"pk", "sk"}.isdisjoint(names.values())


def kinds(**more: Any) -> list[Kind]:
    return list(items.transaction("t", LedgerWrite(start_entry(), current_record(), "pin", ledger_release()), **more))


@pytest.mark.parametrize(
    ("numbered", "left_out", "expected"),
    [
        (None, (), ["Entry", "Current"]),
        (Numbered(3), (), ["Entry", "Pointer", "Current"]),
        (Numbered(3, 2), (), ["Entry", "Pointer", "Current", "Counter", "Pin", "Release"]),
        (Numbered(3), ("Entry",), ["Current"]),
        (Numbered(3), ("Entry", "Current"), []),
        (Numbered(3), ("Pointer",), ["Entry", "Current"]),
        (None, ("Current",), ["Entry"]),
    ],
)
def test_what_goes_together(numbered: Numbered | None, left_out: tuple[str, ...], expected: list[str]) -> None:
    assert kinds(numbered=numbered, left_out=frozenset(map(Kind, left_out))) == expected


def test_every_put_is_on_the_condition_that_nothing_is_there() -> None:
    """IAM cannot ask for that, so this does."""
    made = items.transaction("t", LedgerWrite(start_entry(), current_record(), "pin", ledger_release()), Numbered(1, 0))
    for kind, action in made.items():
        assert len(action) == 1
        if "Put" in action:
            assert action["Put"]["ConditionExpression"] == "attribute_not_exists(pk)"
            assert not action["Put"]["Item"]["pk"]["S"].startswith("E#")
        else:
            assert kind in (Kind.CURRENT, Kind.COUNTER)
            assert action["Update"]["Key"]["pk"]["S"][:2] in ("E#", "N#"), "all that a policy needs to allow to be updated"
            assert action["Update"]["ConditionExpression"]
    assert "Delete" not in str(made)


def test_a_number_that_was_not_known_is_filled_in() -> None:
    part = CurrentPart(attempt_id="a1")
    made = items.with_number(
        current_record(deployed=part, wanted=CurrentPart(attempt_id="a0"), ready=part.model_copy(update={"number": 2})), "a1", 5
    )
    assert [p and p.number for p in (made.deployed, made.wanted, made.ready)] == [5, None, 2]
    assert items.with_number(current_record(), None, 5) == current_record()


OK, FAILED, BUSY = {"Code": "None"}, {"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}


@pytest.mark.parametrize(
    ("reasons", "serious", "refused", "conflict"),
    [
        ([FAILED, OK, OK], None, {"Entry"}, False),
        ([OK, FAILED, FAILED], None, {"Pointer", "Current"}, False),
        ([OK, OK, BUSY], None, set(), True),
        ([FAILED, BUSY, OK], None, {"Entry"}, True),
        ([OK, {"Code": "ThrottlingError", "Message": "m"}, FAILED], ("ThrottlingError", "m"), {"Current"}, False),
        ([{"Code": "ValidationError"}, OK, OK], ("ValidationError", ""), set(), False),
        ([OK, {"Code": "ProvisionedThroughputExceeded", "Message": "m"}, OK], ("ProvisionedThroughputExceeded", "m"), set(), False),
        ([{"Code": None}, {}, FAILED], None, {"Current"}, False),
    ],
)
def test_reasons_of_a_cancelled_transaction(
    reasons: list[dict[str, Any]], serious: tuple[str, str] | None, refused: set[str], conflict: bool
) -> None:
    found = items.refused([Kind.ENTRY, Kind.POINTER, Kind.CURRENT], reasons)
    assert items.serious(reasons) == serious
    assert (found.items.keys(), found.conflict) == (refused, conflict)


def test_a_refused_item_comes_with_what_is_there() -> None:
    reasons = [{"Code": "ConditionalCheckFailed", "Item": items.entry_item(start_entry(number=4))}]
    assert items.number_in(items.refused([Kind.ENTRY], reasons).items[Kind.ENTRY], "number") == 4


@pytest.mark.parametrize(
    "odd", [{}, {"number": {"S": "x"}}, {"number": {"N": "-1"}}, {"number": {"N": "1E+10"}}, {"number": {"BOOL": True}}]
)
def test_a_number_that_somebody_has_changed_is_said(odd: dict[str, Any]) -> None:
    """Keys hold ten digits; DynamoDB's numbers have 38."""
    with pytest.raises(Blocked, match="item N#team/shop/pin of the ledger cannot be read"):
        items.number_in({"pk": {"S": "N#team/shop"}, "sk": {"S": "pin"}, **odd}, "number")


@pytest.mark.parametrize(
    "odd", [{}, {"observedTime": {"N": "1"}}, {"observedTime": {"S": "today"}}, {"observedTime": {"S": "2026-05-04T12:00:00"}}]
)
def test_a_time_that_somebody_has_changed_is_said(odd: dict[str, Any]) -> None:
    with pytest.raises(Blocked, match="cannot be read"):
        items.time_of_current(odd)


def test_a_kind_that_somebody_has_changed_is_said() -> None:
    with pytest.raises(Blocked, match="cannot be read"):
        items.kind_of({"kind": {"S": 7}})


def test_a_key_without_end_is_cut() -> None:
    with pytest.raises(Blocked) as caught:
        items.to_current({"pk": {"S": "x" * 5000}})
    assert len(caught.value.message) < 1100


# The table.


def test_indexes_stay_within_what_dynamodb_allows() -> None:
    """API reference, Projection and CreateTable: 20 attributes an index, 100 in all of them."""
    indexes = definition("t")["GlobalSecondaryIndexes"]
    counts = [len(index["Projection"]["NonKeyAttributes"]) for index in indexes]
    assert len(counts) == 3
    assert max(counts) <= 20
    assert sum(counts) <= 100


def test_indexes_hold_fields_that_there_are_and_all_that_must_be() -> None:
    fields = {info.alias: info for info in LedgerEntry.model_fields.values()}
    assert set(items.PROJECTED) <= fields.keys()
    assert {name for name, info in fields.items() if info.is_required()} <= set(items.PROJECTED)


def without(name: str) -> dict[str, Any]:
    made = definition("t")
    made["GlobalSecondaryIndexes"] = [i for i in made["GlobalSecondaryIndexes"] if i["IndexName"] != name]
    return made


def changed(**more: Any) -> dict[str, Any]:
    return {**definition("t"), **more}


def projecting(projection: dict[str, Any]) -> dict[str, Any]:
    made = definition("t")
    made["GlobalSecondaryIndexes"] = [{**i, "Projection": projection} for i in made["GlobalSecondaryIndexes"]]
    return made


@pytest.mark.parametrize(
    ("described", "wrong"),
    [
        (definition("t"), []),
        (projecting({"ProjectionType": "ALL"}), []),
        (
            {**definition("t"), "GlobalSecondaryIndexes": [*definition("t")["GlobalSecondaryIndexes"], {"IndexName": "more", "KeySchema": []}]},
            [],
        ),
        (without("by-time"), ["index by-time is not there"]),
        (changed(KeySchema=definition("t")["KeySchema"][:1]), ["the table has RANGE key none, not sk (S)"]),
        (
            projecting({"ProjectionType": "INCLUDE", "NonKeyAttributes": [f for f in items.PROJECTED if f != "hash"]}),
            [f"index {i} does not hold hash" for i in ("by-project", "by-person", "by-time")],
        ),
        (
            changed(AttributeDefinitions=[{**a, "AttributeType": "N"} if a["AttributeName"] == "pk" else a for a in definition("t")["AttributeDefinitions"]]),
            ["the table has HASH key pk (N), not pk (S)"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table(described: dict[str, Any], wrong: list[str]) -> None:
    assert shortcomings(described) == wrong


def test_stages_are_parts_of_keys() -> None:
    assert [keys.entry_key(start_entry().model_copy(update={"stage": stage}))["sk"].rpartition("#")[2] for stage in Stage] == list(Stage)
