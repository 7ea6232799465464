"""JSON schemas as the API server needs them: structural, without keywords that it does not support, every list with its type.

Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions": section "Specifying a structural schema".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

LIST_TYPE, LIST_KEYS, VALIDATIONS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"


def list_map(key: str) -> dict[str, Any]:
    """Mark a list as a map by a key of its items: they are merged one by one, and no key may come twice."""
    return {LIST_TYPE: "map", LIST_KEYS: [key]}


def rules(*validations: tuple[str, str]) -> ConfigDict:
    """Attach CEL rules to a model: pairs of an expression that must hold and the message if it does not."""
    listed: list[Any] = [{"rule": rule, "message": message} for rule, message in validations]
    return ConfigDict(json_schema_extra={VALIDATIONS: listed})


def rule(expression: str, message: str) -> dict[str, Any]:
    """Attach one CEL rule to a field."""
    return {VALIDATIONS: [{"rule": expression, "message": message}]}


_COPIED = frozenset(
    {
        "type", "format", "description", "enum", "default", "pattern", "minLength", "maxLength", "minimum", "maximum",
        "minItems", "maxItems", "maxProperties", "minProperties", "required", LIST_TYPE, LIST_KEYS, VALIDATIONS,
    }
)  # fmt: skip
_DROPPED = frozenset({"title", "$defs"})


class _Generator(GenerateJsonSchema):
    """A generator for which an optional field is not a nullable one: merge patches and server-side apply cannot set null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if default is None or default in ("", [], {}) or isinstance(default, BaseModel):
            return inner
        return {**inner, "default": default}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's JSON schema for other readers than the API server: optional fields are never null."""
    return model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's structural schema. Raises ValueError for anything that a CRD does not support."""
    schema = json_schema(model)
    return _structural(schema, schema.get("$defs", {}), (model.__name__,))


def _structural(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if len(path) > 30:
        raise ValueError(f"recursive model at {'.'.join(path[:5])}")
    where = ".".join(path)
    found: dict[str, Any] = {}
    for keyword, value in _resolved(schema, definitions).items():
        if keyword in _COPIED:
            found[keyword] = value
        elif keyword == "const":
            found["enum"] = [value]
        elif keyword in _NESTED:
            found[keyword] = _NESTED[keyword](value, definitions, path)
        elif keyword not in _DROPPED:
            raise ValueError(f"{where}: a CRD does not know {keyword!r}")
    if "type" not in found:
        raise ValueError(f"{where}: no type")
    if found["type"] == "array":
        found.setdefault(LIST_TYPE, "atomic")
    if found["type"] == "integer":
        found.setdefault("format", "int64" if found.get("maximum", 0) > 2**31 - 1 else "int32")
    return found


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Replace a reference by its model; keywords beside the reference come on top, and rules are added."""
    if "$ref" not in schema:
        return schema
    target = dict(definitions[schema["$ref"].rpartition("/")[2]])
    beside = {k: v for k, v in schema.items() if k != "$ref"}
    if VALIDATIONS in target and VALIDATIONS in beside:
        beside[VALIDATIONS] = target[VALIDATIONS] + beside[VALIDATIONS]
    return target | beside


_NESTED: dict[str, Callable[[Any, dict[str, Any], tuple[str, ...]], Any]] = {
    "properties": lambda value, definitions, path: {n: _structural(s, definitions, (*path, n)) for n, s in value.items()},
    "items": lambda value, definitions, path: _structural(value, definitions, (*path, "[]")),
    "additionalProperties": lambda value, definitions, path: _structural(value, definitions, (*path, "{}")),
}
