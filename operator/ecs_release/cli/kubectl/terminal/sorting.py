"""`--sort-by` as in kubectl, for paths of fields only: `.metadata.name`, `{.status.phase}`. Pure."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

from ecs_release.cli.kubectl.terminal.errors import CommandError

T = TypeVar("T")
Path: TypeAlias = tuple[str, ...]

_PATH = re.compile(r"\.?[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
_NUMBERS = re.compile(r"(\d+)", re.ASCII)


def parse_path(text: str) -> Path:
    """Parse a path of fields. Raises ArgumentTypeError for the rest of JSONPath."""
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    if not _PATH.fullmatch(inner):
        raise argparse.ArgumentTypeError(f"{text!r} is no path of fields such as .metadata.name: nothing else of JSONPath is known here")
    return tuple(inner.removeprefix(".").split("."))


def sort_by(wanted: Path, objects: Iterable[T]) -> list[T]:
    """Sort by a field: objects without it first, numbers by value, also in texts (v9 before v10). Raises CommandError if none has it."""
    listed = list(objects)
    keys = [_key(_value(one, wanted)) for one in listed]
    if listed and not any(keys):
        raise CommandError(f"no object has a field .{'.'.join(wanted)} to sort by")
    return [listed[n] for n in sorted(range(len(listed)), key=lambda n: keys[n])]


def _value(body: Any, wanted: Sequence[str]) -> Any:
    for name in wanted:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _key(value: Any) -> tuple[Any, ...]:
    """Return a key that compares with all others: missing values first, then booleans and numbers, then texts."""
    if isinstance(value, (bool, int, float)):
        return (0, float(value))
    if not isinstance(value, str):
        return ()
    parts = _NUMBERS.split(value)
    return (1, *((0, int(p), p) if n % 2 else (1, 0, p) for n, p in enumerate(parts) if p))
