"""Objects that are as large as a CRD's schema admits, one list after the other: a list that is new in a schema is covered by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Schema = Mapping[str, Any]
Path = tuple[str, ...]

ITEMS, VALUES = "[]", "{}"
LARGEST = 1_000_000
"""Bytes of JSON: etcd takes 1.5 MiB a request, and managed fields come on top."""
_LENGTHS = (100_000, 2048, 1024, 512, 255, 128, 63, 32, 16, 8, 0)

# Texts with a form of their own; `{n}` makes them different. Others are made of letters.
_FORMED = (
    "sha256:{n:064x}", "{n:012}", "eu-west-{n}", "arn:aws:iam::111122223333:role/r{n}", "r{n}{{releaseHash}}", "{n} * * * *",
    "https://a/{n}", "arn:aws:sns:eu-west-1:111122223333:t{n}", "arn:aws:events:eu-west-1:111122223333:event-bus/b{n}",
    "keep.{{environment}}.{{service}}", "owner/r{n}", "C{n:09}",
)  # fmt: skip
_ONE_OF = re.compile(r"set exactly one of (.+)")


def lists_of(schema: Schema, path: Path = ()) -> Iterator[Path]:
    """Name every list and every map of a schema by its path."""
    for name, inner in schema.get("properties", {}).items():
        yield from lists_of(inner, (*path, name))
    if "items" in schema:
        yield path
        yield from lists_of(schema["items"], (*path, ITEMS))
    if isinstance(schema.get("additionalProperties"), dict):
        yield path
        yield from lists_of(schema["additionalProperties"], (*path, VALUES))


def maximal(schema: Schema, path: Path) -> Any:
    """Make a value in which the list at a path has as many items as it may, and so has each list that it is in.

    Other fields are there only if they must be. Texts are as long as the size of a whole object admits.
    """
    for length in _LENGTHS:
        made = _Maker(length).value(schema, path)
        if len(json.dumps(made)) <= LARGEST:
            return made
    raise AssertionError(f"{'.'.join(path)}: more than an object can hold, even with the shortest texts")


@dataclass(slots=True)
class _Maker:
    length: int
    numbers: Iterator[int] = field(default_factory=count)

    def value(self, schema: Schema, path: Path | None) -> Any:
        """Make a value; of lists that are not on the path the shortest."""
        if "enum" in schema:
            return schema["enum"][0]
        match schema["type"]:
            case "object":
                return self._object(schema, path)
            case "array":
                size = schema.get("minItems", 0) if path is None else schema["maxItems"]
                below, values = path[1:] if path else None, schema["items"].get("enum")
                return values[:size] if values else [self.value(schema["items"], below) for _ in range(size)]
            case "string":
                return self._text(schema)
            case "boolean":
                return True
            case _:
                return schema.get("maximum", 1)

    def _object(self, schema: Schema, path: Path | None) -> dict[str, Any]:
        if isinstance(schema.get("additionalProperties"), dict):
            below = path[1:] if path else None
            keys = ("k" + str(next(self.numbers)) for _ in range(schema["maxProperties"] if path is not None else 0))
            return {key: self.value(schema["additionalProperties"], below) for key in keys}
        fields = schema.get("properties", {})
        asked = {path[0]} if path else set[str]()
        wanted = asked | set(schema.get("required", ()))
        for rule in schema.get("x-kubernetes-validations", ()):
            wanted |= _also(rule["message"], wanted)
        return {name: self.value(fields[name], path[1:] if path and name == path[0] else None) for name in fields if name in wanted}

    def _text(self, schema: Schema) -> str:
        if schema.get("format") == "date-time":
            return f"2026-01-01T00:00:{next(self.numbers) % 60:02}Z"
        number, longest, least = next(self.numbers), schema.get("maxLength", 1024), schema.get("minLength", 0)
        text = f"a{number}".ljust(min(max(self.length, least), longest), "x")
        for candidate in (text, *(form.format(n=number) for form in _FORMED), *(form.format(n=1) for form in _FORMED)):
            if len(candidate) <= longest and re.search(schema.get("pattern", ""), candidate):
                return candidate
        raise AssertionError(f"no text of {schema}: add one to the forms")


def _also(message: str, there: set[str]) -> set[str]:
    """Return the fields that a rule asks for, too, by its message."""
    one_of = _ONE_OF.fullmatch(message)
    if one_of:
        names = re.split(r", | and ", one_of[1])
        return set() if there & set(names) else {names[0]}
    if message == "set durationSeconds with cron, and only with it":
        return {"durationSeconds"} if "cron" in there else set()
    if message.startswith("set source, or overrides"):
        return set() if "overrides" in there else {"source"}
    return set()
