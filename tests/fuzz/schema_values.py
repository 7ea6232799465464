"""Values that a structural schema admits, and now and then one that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Path: TypeAlias = tuple[str, ...]
Schema: TypeAlias = dict[str, Any]

_MOST_ITEMS = 4
_TIMES = ("2026-06-01T12:00:00Z", "2026-06-01T12:01:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z")
_TEXTS = (
    "", "x", "a" * 300, "\N{ROCKET}\u202e", "nul\0", "line\nbreak", "../..", "{service}", "{namespace}", "*", "1e400", "Europe/London",
)  # fmt: skip
_OTHER_TYPES: tuple[Any, ...] = (None, 7, -(10**18), 1.5, True, "x", [], {}, [None], {"a": "b"})


def nodes(schema: Schema, path: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Yield every field below a schema, with its own schema; `[]` is an item of a list, `{}` a value of a map."""
    if path:
        yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, (*path, name))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from nodes(schema["additionalProperties"], (*path, "{}"))
    if "items" in schema:
        yield from nodes(schema["items"], (*path, "[]"))


def values(schema: Schema, names: tuple[str, ...]) -> SearchStrategy[Any]:
    """Draw what a schema admits, CEL's rules aside; texts are among `names` often, and one value in ten is of another type."""
    return st.integers(0, 9).flatmap(lambda n: _admitted(schema, names) if n else st.sampled_from(_OTHER_TYPES))


def _admitted(schema: Schema, names: tuple[str, ...]) -> SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "integer":
        least, most = schema.get("minimum", -(2**31)), schema.get("maximum", 2**31)
        return st.one_of(st.sampled_from((least, most)), st.integers(least, most))
    if kind == "array":
        most = min(schema.get("maxItems", _MOST_ITEMS), _MOST_ITEMS)
        return st.lists(values(schema["items"], names), min_size=min(schema.get("minItems", 0), most), max_size=most)
    if kind == "object":
        return _objects(schema, names)
    return st.booleans() if kind == "boolean" else _texts(schema, names)


def _texts(schema: Schema, names: tuple[str, ...]) -> SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return st.sampled_from(_TIMES)
    known = st.sampled_from((*names, *_TEXTS))
    if "pattern" in schema:
        formed = st.from_regex(schema["pattern"]).map(lambda text: text[: schema.get("maxLength", 2048)])
        return st.one_of(known, formed)
    return st.one_of(known, st.text(max_size=min(schema.get("maxLength", 64), 64)))


def _objects(schema: Schema, names: tuple[str, ...]) -> SearchStrategy[dict[str, Any]]:
    properties = schema.get("properties", {})
    if not properties:
        below = schema.get("additionalProperties")
        inner = values(below, names) if isinstance(below, dict) else st.sampled_from(_OTHER_TYPES)
        return st.dictionaries(st.sampled_from((*names, *_TEXTS)), inner, max_size=_MOST_ITEMS)
    required = {name: values(properties[name], names) for name in schema.get("required", ())}
    optional = {name: values(below, names) for name, below in properties.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)
