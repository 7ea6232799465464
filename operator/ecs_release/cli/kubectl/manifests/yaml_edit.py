"""Editing a manifest in place: some fields of its spec change, and every other line stays, comments too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ecs_release.cli.kubectl.manifests.yaml_text import compose, dump, dump_documents, load_documents


@dataclass(frozen=True, slots=True)
class Edited:
    """A text after the edit; `kept` tells whether all that was not meant stayed as it was written, comments included."""

    text: str
    kept: bool


def edited(text: str, index: int, fields: Mapping[str, Any]) -> Edited:
    """Set fields of the spec of a text's document number `index`; None removes one.

    Lines are replaced where the spec is written in block style; what comes of that is read back, and must be just what was meant. Else
    all documents are written anew, and comments are lost. Raises ValueError where the text is no YAML.
    """
    documents = load_documents(text)
    meant = [copy.deepcopy(d) for d in documents]
    meant[index]["spec"] = with_fields(meant[index].get("spec") or {}, fields)
    by_lines = _by_lines(text, index, fields)
    if by_lines is not None:
        try:
            if load_documents(by_lines) == meant:
                return Edited(by_lines, kept=True)
        except ValueError:
            pass
    return Edited(dump_documents(d for d in meant if d is not None), kept=False)


def with_fields(spec: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with fields set, in their places; None removes one."""
    changed = {**spec, **fields}
    return {k: v for k, v in changed.items() if v is not None}


def replacing(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Make a merge patch that sets fields to just what is given: such a patch merges objects, and forgets nothing unasked (RFC 7386)."""
    patch: dict[str, Any] = {}
    for name, value in fields.items():
        was = before.get(name)
        if isinstance(value, Mapping) and isinstance(was, Mapping):
            patch[name] = {**dict.fromkeys(was.keys() - value.keys()), **replacing(was, value)}
        else:
            patch[name] = value
    return patch


def _by_lines(text: str, index: int, fields: Mapping[str, Any]) -> str | None:
    """Replace the lines of the fields; None where the spec is not a block of lines."""
    spec = _value(compose(text)[index], "spec")
    if not isinstance(spec, yaml.MappingNode) or spec.flow_style or not spec.value:
        return None
    lines = text.splitlines(keepends=True)
    column = spec.value[0][0].start_mark.column
    spans = {key.value: (key.start_mark.line, _end(lines, key, value)) for key, value in spec.value}
    ends = max(end for _, end in spans.values())
    new = [(name, _block(name, value, column)) for name, value in fields.items() if value is not None]
    # From the last line to the first, so that the numbers of those before stay true.
    places = sorted((spans.get(n, (ends, ends)), n) for n in fields)
    written = dict(new)
    for (first, after), name in reversed(places):
        if first == len(lines) and lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines[first:after] = [written.get(name, "")]
    return "".join(lines)


def _value(node: Any, name: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if key.value == name), None)


def _end(lines: list[str], key: Any, value: Any) -> int:
    """Return the number of the line after a field's last: a block's mark stands where the next thing begins, past comments."""
    if value.start_mark.line == value.end_mark.line:
        return int(value.end_mark.line) + 1
    end = int(value.end_mark.line) + (1 if value.end_mark.column else 0)
    if not getattr(value, "flow_style", True):
        end = int(value.end_mark.line)
    if isinstance(value, yaml.ScalarNode):
        end = int(value.end_mark.line) + (0 if value.style in ("|", ">") else 1)
    while end > key.start_mark.line + 1 and (end > len(lines) or _is_blank(lines[end - 1])):
        end -= 1
    return end


def _is_blank(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#") or stripped == "---"


def _block(name: str, value: object, column: int) -> str:
    return "".join(" " * column + line for line in dump({name: value}).splitlines(keepends=True))
