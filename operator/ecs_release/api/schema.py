"""JSON schemas as the API server wants them: structural, nothing that it does not know, every list with its type.

Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions": section "Specifying a structural schema".
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

LIST_TYPE, LIST_KEYS, VALIDATIONS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"


def list_map(key: str) -> dict[str, Any]:
    """Mark a list as a map by a key of its items: they are merged one by one, and no key may come twice."""
    return {LIST_TYPE: "map", LIST_KEYS: [key]}


def rules(*validations: tuple[str, str]) -> ConfigDict:
    """Attach CEL rules to a model: pairs of an expression that must hold and the message where it does not."""
    said: list[Any] = [{"rule": rule, "message": message} for rule, message in validations]
    return ConfigDict(json_schema_extra={VALIDATIONS: said})


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
    """A field that may be left out is not one that may be null (merge patches and server-side apply cannot say null)."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        default = schema.get("default")
        if default is None or default in ("", [], {}) or isinstance(default, BaseModel):
            return inner
        return {**inner, "default": default}


def structural_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a model's structural schema. Raises ValueError for anything that a CRD does not know."""
    schema = model.model_json_schema(by_alias=True, mode="validation", schema_generator=_Generator)
    return _structural(schema, schema.get("$defs", {}), (model.__name__,))


def _structural(schema: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    if len(path) > 30:  # noqa: PLR2004 - deeper than any model of ours: it refers to itself
        raise ValueError(f"recursive model at {'.'.join(path[:5])}")
    where = ".".join(path)
    if "$ref" in schema:
        target = dict(definitions[schema["$ref"].rpartition("/")[2]])
        beside = {k: v for k, v in schema.items() if k != "$ref"}
        if VALIDATIONS in target and VALIDATIONS in beside:
            beside[VALIDATIONS] = target[VALIDATIONS] + beside[VALIDATIONS]
        schema = target | beside
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _COPIED:
            found[keyword] = value
        elif keyword == "properties":
            found["properties"] = {name: _structural(s, definitions, (*path, name)) for name, s in value.items()}
        elif keyword == "items":
            found["items"] = _structural(value, definitions, (*path, "[]"))
        elif keyword == "additionalProperties" and isinstance(value, dict):
            found["additionalProperties"] = _structural(value, definitions, (*path, "{}"))
        elif keyword == "const":
            found["enum"] = [value]
        elif keyword not in _DROPPED:
            raise ValueError(f"{where}: a CRD does not know {keyword!r}")
    if "type" not in found:
        raise ValueError(f"{where}: no type")
    if found["type"] == "array":
        found.setdefault(LIST_TYPE, "atomic")
    if found["type"] == "integer":
        found.setdefault("format", "int64" if found.get("maximum", 0) > 2**31 - 1 else "int32")
    return found
