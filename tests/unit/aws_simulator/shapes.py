"""Compares an answer with botocore's model of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.model import Shape

_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "long": (int,), "double": (int, float), "float": (int, float), "boolean": (bool,),
    "timestamp": (int, float, str, datetime), "blob": (str, bytes),
}  # fmt: skip


def differences(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Name each field that the model does not know, each wrong type, each value that an enum does not have."""
    if shape.type_name == "structure":
        yield from _structure(value, shape, path)
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, item in enumerate(value):
            yield from differences(item, shape.member, f"{path}[{number}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from differences(item, shape.value, f"{path}.{key}")
    else:
        yield from _scalar(value, shape, path)


def _structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no structure"
        return
    for key in shape.required_members:
        if key not in value:
            yield f"{path}: lacks {key}"
    for key, item in value.items():
        if key not in shape.members:
            yield f"{path}: {key} is not in {shape.name}"
        else:
            yield from differences(item, shape.members[key], f"{path}.{key}")


def _scalar(value: Any, shape: Any, path: str) -> Iterator[str]:
    wanted = _SCALARS[shape.type_name]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is not one of {', '.join(shape.enum)}"
