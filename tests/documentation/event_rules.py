"""What EventBridge makes of an event by a rule: its pattern, its input transformer, and what a connection adds to the body.

Amazon EventBridge user guide: "Comparison operators for use in event patterns", "Amazon EventBridge input transformation", and API reference,
ConnectionHttpParameters. Where the guide leaves something open, the reading that breaks more is taken: it says that values which the
paths extract are not escaped, so a text goes into the template as it is, and one that is not there leaves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_-]+)>")
_PATH = re.compile(r"\$(\.[A-Za-z0-9_-]+)+")
MOST_PATHS, MOST_TEMPLATE = 100, 8192
"""API reference, InputTransformer."""
_GONE = object()


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether an event matches a pattern: each field that is named has one of the values, or fits one of the operators."""
    for name, wanted in pattern.items():
        value = event.get(name, _GONE)
        if isinstance(wanted, Mapping):
            if not matches(wanted, value if isinstance(value, Mapping) else {}):
                return False
        elif not any(_fits(one, value) for one in wanted):
            return False
    return True


def _fits(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return bool(wanted == value)
    ((operator, operand),) = wanted.items()
    if operator == "exists":
        return (value is not _GONE) is operand
    if operator == "anything-but":
        if isinstance(operand, Mapping):
            return isinstance(value, str) and not any(_is_like(text, value) for text in operand["wildcard"])
        return value is not _GONE and value not in operand
    raise AssertionError(f"{operator} is not read here")


def _is_like(wildcard: str, value: str) -> bool:
    r"""Return whether a value fits a wildcard, in which `\*` and `\\` are the characters themselves."""
    parts = re.findall(r"\\.|.", wildcard, re.DOTALL)
    pattern = "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def transformed(rule: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """Return the body that a rule's transformer makes of an event."""
    paths, template = rule["paths"], rule["template"]
    assert len(paths) <= MOST_PATHS and 1 <= len(template) <= MOST_TEMPLATE
    values = {name: _at(path, event) for name, path in paths.items()}
    made, begin = "", 0
    for found in _PLACEHOLDER.finditer(template):
        made += template[begin : found.start()]
        made += _written(values[found[1]], in_text=_ends_in_text(template[: found.start()]))
        begin = found.end()
    return made + template[begin:]


def with_parameters(body: str, parameters: Mapping[str, str]) -> str:
    """Return a body with what the connection adds to it."""
    return json.dumps(json.loads(body) | parameters)


def _at(path: str, event: Mapping[str, Any]) -> Any:
    assert _PATH.fullmatch(path), f"EventBridge reads dots, dashes, underscores, letters and digits in {path}"
    value: Any = event
    for name in path.split(".")[1:]:
        value = value.get(name, _GONE) if isinstance(value, Mapping) else _GONE
    return value


def _ends_in_text(before: str) -> bool:
    """Return whether what comes next in a JSON text is inside of a string."""
    return len(re.findall(r'(?<!\\)"', before)) % 2 == 1


def _written(value: Any, *, in_text: bool) -> str:
    if value is _GONE:
        return ""
    if isinstance(value, str):
        return value if in_text else f'"{value}"'
    return json.dumps(value).replace('"', "") if in_text else json.dumps(value)
