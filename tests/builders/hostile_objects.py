"""Objects with hostile values in each field that the CRDs have, one in each object: a new field is among them by itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ecs_release.api.crd import KINDS
from ecs_release.api.names import API_VERSION, CLUSTER_SCOPED, ENVIRONMENT
from ecs_release.api.schema import structural_schema

Path_: TypeAlias = tuple[str, ...]
Schema: TypeAlias = dict[str, Any]

SAMPLES = {s["kind"]: s for s in yaml.safe_load_all((Path(__file__).parents[1] / "samples.yaml").read_text())}
TEXTS = (
    "?watch=true&x=1",
    "../../victim/projects/shop",
    "..",
    "%2e%2e%2fvictim",
    "a/../../../../api/v1/namespaces/victim/secrets/key",
    "line\nbreak",
    "nul\0",
    "\N{ROCKET}\u202e",
    "x" * 5000,
)
OTHERS: tuple[Any, ...] = (["list"], {"a": "map"}, 7)
"""Values of other types than the field's."""


def text_fields(schema: Schema, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the paths of all texts below a schema; `[]` is an item of a list, `{}` a value of a map."""
    if schema["type"] == "object":
        for name, below in schema.get("properties", {}).items():
            yield from text_fields(below, (*path, name))
        if isinstance(schema.get("additionalProperties"), dict):
            yield from text_fields(schema["additionalProperties"], (*path, "{}"))
    elif schema["type"] == "array":
        yield from text_fields(schema["items"], (*path, "[]"))
    elif schema["type"] == "string":
        yield path


def with_value(whole: Any, schema: Schema, path: Path_, value: Any) -> Any:
    """Return a copy with a value at a path; what is missing on the way is made, of what is required."""
    if not path:
        return value
    name, *rest = path
    if name == "[]":
        items = list(whole or [_minimal(schema["items"])])
        return [with_value(items[0], schema["items"], tuple(rest), value), *items[1:]]
    found = dict(whole or _minimal(schema))
    if name == "{}":
        return {**found, "key": with_value(found.get("key"), schema["additionalProperties"], tuple(rest), value)}
    return {**found, name: with_value(found.get(name), schema["properties"][name], tuple(rest), value)}


def hostile_objects(number: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield objects of all kinds, each with a hostile value somewhere in spec, status or metadata, and where that is."""
    for kind in KINDS:
        # Once for each kind: to write a schema takes longer than all else that is done for an object.
        schemas = {part: structural_schema(getattr(kind, part)) for part in ("spec", "status")}
        schema = {"type": "object", "properties": schemas}
        for path, value in _cases(kind.name, schemas):
            number += 1
            made = copy.deepcopy(SAMPLES[kind.name])
            made |= with_value({"spec": made["spec"]}, schema, path, value)
            yield f"{kind.name}.{'.'.join(path)}", _named(kind.name, f"o{number}", made)
        if kind.name not in CLUSTER_SCOPED:
            for text in TEXTS:
                number += 1
                yield f"{kind.name}.metadata", _named(kind.name, f"o{number}", copy.deepcopy(SAMPLES[kind.name]), text)


def _cases(kind: str, schemas: dict[str, Schema]) -> Iterator[tuple[Path_, Any]]:
    for path in text_fields(schemas["spec"]):
        # Environments are the platform team's: fewer values do, for they have most fields.
        for value in (*TEXTS[:2], OTHERS[0]) if kind == ENVIRONMENT else (*TEXTS, *OTHERS):
            yield ("spec", *path), value
    for path in text_fields(schemas["status"]):
        yield ("status", *path), TEXTS[1]


def _named(kind: str, name: str, made: dict[str, Any], text: str = "") -> dict[str, Any]:
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    meta |= {} if kind in CLUSTER_SCOPED else {"namespace": "default"}
    if text:
        owner = {"apiVersion": API_VERSION, "kind": "ReleaseSet", "name": text, "uid": "uid-of-another", "controller": True}
        labels = dict.fromkeys(("ecs-release.dev/release-set", "ecs-release.dev/project"), text)
        meta |= {
            "ownerReferences": [owner],
            "labels": labels,
            "annotations": {"ecs-release.dev/retry": text, "ecs-release.dev/abort": text},
        }
    return {**made, "metadata": meta}


def _minimal(schema: Schema) -> Any:
    """Return the least that a schema admits, patterns aside."""
    if schema["type"] == "object":
        return {name: _minimal(schema["properties"][name]) for name in schema.get("required", ())}
    if schema["type"] == "array":
        return [_minimal(schema["items"])] if schema.get("minItems") else []
    if schema["type"] == "string":
        return schema.get("enum", ["2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "x"])[0]
    return {"integer": schema.get("minimum", 0), "boolean": False}.get(schema["type"], 0)
