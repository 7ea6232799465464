"""What every field of every CRD must have (the Kubernetes API conventions, and what Cluster API's linter checks)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release.api.crd import KINDS, Kind, definition
from ecs_release.api.generate import files

BOOLEANS = {"spec.suspend", "status.rollout.images[].unlisted", "status.history[].images[].unlisted"}
MAX_BYTES = 262_144


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every field below a schema with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from fields(schema["additionalProperties"], f"{path}{{}}")


def version(kind: Kind) -> dict[str, Any]:
    return dict(definition(kind)["spec"]["versions"][0])


def all_fields() -> list[tuple[str, str, dict[str, Any]]]:
    found = []
    for kind in KINDS:
        properties = version(kind)["schema"]["openAPIV3Schema"]["properties"]
        for part in ("spec", "status"):
            found += [(kind.name, path, schema) for path, schema in fields(properties[part], part)]
    return found


FIELDS = all_fields()


def broken(check: Any) -> list[str]:
    return [f"{kind} {path}" for kind, path, schema in FIELDS if not check(path, schema)]


def test_there_is_something_to_check() -> None:
    assert len(FIELDS) > 300


def test_strings_are_bounded() -> None:
    def bounded(_: str, schema: dict[str, Any]) -> bool:
        return schema["type"] != "string" or bool({"maxLength", "enum"} & schema.keys()) or schema.get("format") == "date-time"

    assert broken(bounded) == []


def test_lists_are_bounded_and_have_a_type() -> None:
    def bounded(_: str, schema: dict[str, Any]) -> bool:
        return schema["type"] != "array" or ("maxItems" in schema and schema.get("x-kubernetes-list-type") in ("atomic", "set", "map"))

    assert broken(bounded) == []


def test_keys_of_list_maps_are_required() -> None:
    def required(_: str, schema: dict[str, Any]) -> bool:
        keys = schema.get("x-kubernetes-list-map-keys", [])
        return set(keys) <= set(schema.get("items", {}).get("required", []))

    assert broken(required) == []


def test_maps_are_bounded() -> None:
    assert broken(lambda _, s: "additionalProperties" not in s or "maxProperties" in s) == []


def test_numbers_are_whole_and_ranged() -> None:
    assert broken(lambda _, s: s["type"] != "number") == []
    assert broken(lambda _, s: s["type"] != "integer" or {"minimum", "maximum", "format"} <= s.keys()) == []


def test_booleans_are_few() -> None:
    assert {path for _, path, schema in FIELDS if schema["type"] == "boolean"} == BOOLEANS


def test_every_field_says_what_it_is() -> None:
    assert broken(lambda path, s: path.endswith(("[]", "{}")) or bool(s.get("description", "").strip())) == []


def test_status_promises_nothing() -> None:
    """No enum (new values may come), no default but observedGeneration's, nothing required but what items are told apart by."""
    in_status = [(kind, path, schema) for kind, path, schema in FIELDS if path.startswith("status")]
    assert [f"{k} {p}" for k, p, s in in_status if "enum" in s] == []
    assert [f"{k} {p}" for k, p, s in in_status if "default" in s and p != "status"] == []
    assert [f"{k} {p}" for k, p, s in in_status if p == "status" and s["default"] != {"observedGeneration": -1}] == []
    keyed = {"status.conditions[]"}
    assert [f"{k} {p}" for k, p, s in in_status if len(s.get("required", [])) > 1 and p not in keyed] == []


def test_nothing_is_kept_that_is_not_known() -> None:
    assert [text for text in files().values() if "preserve-unknown-fields" in text] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_conditions_are_a_bounded_map(kind: Kind) -> None:
    conditions = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["maxItems"] == 32
    assert set(conditions["items"]["required"]) >= {"type", "status", "lastTransitionTime", "reason"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_columns_and_selectable_fields_lead_somewhere(kind: Kind) -> None:
    schema = version(kind)["schema"]["openAPIV3Schema"]
    paths = [c.path for c in kind.columns] + list(kind.selectable)
    assert len(kind.selectable) <= 8
    for path in paths:
        at: Any = schema
        for name in path.partition("[")[0].strip(".").split("."):
            if name == "metadata":
                break
            assert name in at["properties"], path
            at = at["properties"][name]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_names_do_not_get_in_the_way(kind: Kind) -> None:
    names = definition(kind)["spec"]["names"]
    assert names["categories"] == ["ecs-release"]
    assert names["shortNames"][0].startswith("ecs")


def test_files_fit_into_an_annotation() -> None:
    """kubectl apply keeps the whole object in one."""
    assert {name for name, text in files().items() if len(text.encode()) >= MAX_BYTES} == set()
