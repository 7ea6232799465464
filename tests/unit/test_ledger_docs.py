"""The ledger's page, templates and policies say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from ecs_release.aws.ledger import keys
from ecs_release.aws.ledger.items import PROJECTED, Kind
from ecs_release.aws.ledger.table import definition
from ecs_release.aws.sessions.sdk_models import _OPERATIONS
from tests.builders.ledger_records import start_entry
from tests.ledger_page import PAGE, page

ROOT = Path(__file__).parents[2]


class Template(yaml.SafeLoader):
    """Knows CloudFormation's short forms."""


Template.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))


def test_the_fields_are_those_of_the_models() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "run python -m tests.ledger_page"


def test_every_kind_and_index_is_on_the_page() -> None:
    rows = re.findall(r"^\| (\w+)[ :|]", PAGE.read_text(), re.MULTILINE)
    assert {str(kind) for kind in Kind} <= set(rows)
    assert [name for name in (*keys.INDEX_KEYS, *keys.INDEX_KEYS.values(), keys.AT) if f"`{name}`" not in PAGE.read_text()] == []


def test_keys_are_as_the_page_says() -> None:
    """Each pattern of the page, filled in, is the key that is made."""
    values = {
        "environment": "prod", "namespace": "team", "project": "shop", "service": "web", "startTime": "2026-05-04T12:00:00.000000Z",
        "attemptID": "a1", "stage": "start", "ten digits": "0000000012",
    }  # fmt: skip
    entry = start_entry()
    made = {
        "Entry": keys.entry_key(entry),
        "Current": keys.current_key("prod", "team", "shop", "web"),
        "Pointer": keys.pointer_key(entry, 12),
        "Release": {"pk": keys.numbers_key("team", "shop"), "sk": keys.ten_digits(12)},
    }
    for kind, expected in made.items():
        (patterns,) = re.findall(rf"^\| {kind}\b[^|]*\| `([^`]+)` \| `([^`]+)`", PAGE.read_text(), re.MULTILINE)
        filled = [re.sub("<([^>]+)>", lambda m: values[m[1]], pattern) for pattern in patterns]
        assert filled == [expected["pk"], expected["sk"]]


def test_cloudformation_makes_the_same_table() -> None:
    template = yaml.load((ROOT / "examples/ledger/template.yaml").read_text(), Template)
    resource = template["Resources"]["Ledger"]
    properties = resource["Properties"]
    assert properties.pop("PointInTimeRecoverySpecification") == {"PointInTimeRecoveryEnabled": True}
    assert properties == {**definition("x"), "TableName": "Name"}
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_terraform_makes_the_same_table() -> None:
    text = (ROOT / "examples/ledger/main.tf").read_text()
    held = re.search(r"held = \[(.*?)\]", text, re.DOTALL)
    assert held is not None
    assert re.findall(r'"(\w+)"', held[1]) == list(PROJECTED)
    assert dict(re.findall(r'"(by-\w+)"\s+= "(\w+)"', text)) == keys.INDEX_KEYS
    said = dict(re.findall(r"^ *(\w+) += (\S+)$", text, re.MULTILINE))
    expected = {
        "billing_mode": '"PAY_PER_REQUEST"', "deletion_protection_enabled": "true", "hash_key": "global_secondary_index.value",
        "range_key": f'"{keys.AT}"', "projection_type": '"INCLUDE"', "non_key_attributes": "local.held", "enabled": "true",
    }  # fmt: skip
    assert expected.items() <= said.items()
    assert f'hash_key                    = "{keys.PK}"' in text
    assert f'range_key                   = "{keys.SK}"' in text
    assert f'concat(["{keys.PK}", "{keys.SK}", "{keys.AT}"], values(local.indexes))' in text


def policies() -> list[dict[str, Any]]:
    return [json.loads((ROOT / f"examples/iam/ledger-{name}.json").read_text()) for name in ("writer", "reader", "table")]


def test_policies_allow_what_is_called_and_no_more() -> None:
    writer, reader, table = ([action for s in policy["Statement"] for action in _listed(s["Action"])] for policy in policies())
    parts = {"TransactWriteItems": {"PutItem", "UpdateItem"}}
    create = {"CreateTable", "DescribeContinuousBackups", "UpdateContinuousBackups"}
    called = set().union(*(parts.get(name, {name}) for name in _OPERATIONS["DynamoDB"] - create))
    assert set(writer) == {f"dynamodb:{name}" for name in called}
    assert reader == ["dynamodb:Query"]
    assert set(table) == {f"dynamodb:{name}" for name in create}


def test_only_what_changes_may_be_updated() -> None:
    (update,) = [s for s in policies()[0]["Statement"] if "dynamodb:UpdateItem" in _listed(s["Action"])]
    assert update["Action"] == "dynamodb:UpdateItem"
    assert update["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["E#*", "N#*"]}


def _listed(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions
