"""Edits fields of a manifest's spec in place; every other line stays, comments included."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ecs_release.cli.kubectl.manifests.yaml_text import compose, dump, dump_documents, load_documents


@dataclass(frozen=True, slots=True)
class EditResult:
    """An edited text; `comments_kept` is whether all other lines stayed as they were."""

    text: str
    comments_kept: bool


def edit(text: str, index: int, fields: Mapping[str, Any]) -> EditResult:
    """Set fields of the spec of a text's document number `index`; None removes one.

    Lines are replaced if the spec is written in block style; the result is parsed, and must be exactly what was wanted. Else
    all documents are written anew, and comments are lost. Raises ValueError if the text is no YAML.
    """
    documents = load_documents(text)
    meant = [copy.deepcopy(d) for d in documents]
    meant[index]["spec"] = with_fields(meant[index].get("spec") or {}, fields)
    by_lines = _by_lines(text, index, fields)
    if by_lines is not None:
        try:
            if load_documents(by_lines) == meant:
                return EditResult(by_lines, comments_kept=True)
        except ValueError:
            pass
    return EditResult(dump_documents(d for d in meant if d is not None), comments_kept=False)


def with_fields(spec: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with fields set; None removes one. The order of fields stays."""
    changed = {**spec, **fields}
    return {k: v for k, v in changed.items() if v is not None}


def replacement_patch(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a merge patch that replaces fields: such a patch merges objects, so that old keys are removed explicitly (RFC 7386)."""
    patch: dict[str, Any] = {}
    for name, value in fields.items():
        was = before.get(name)
        if isinstance(value, Mapping) and isinstance(was, Mapping):
            patch[name] = {**dict.fromkeys(was.keys() - value.keys()), **replacement_patch(was, value)}
        else:
            patch[name] = value
    return patch


def _by_lines(text: str, index: int, fields: Mapping[str, Any]) -> str | None:
    """Replace the lines of the fields; None if the spec is not in block style."""
    spec = _value(compose(text)[index], "spec")
    if not isinstance(spec, yaml.MappingNode) or spec.flow_style or not spec.value:
        return None
    lines = text.splitlines(keepends=True)
    column = spec.value[0][0].start_mark.column
    spans = {key.value: (key.start_mark.line, _end(lines, key, value)) for key, value in spec.value}
    ends = max(end for _, end in spans.values())
    new = [(name, _block(name, value, column)) for name, value in fields.items() if value is not None]
    # From the last line to the first, so that earlier line numbers stay valid.
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
    """Return the line after a field's last one: PyYAML's end mark of a block is at the next token, after comments."""
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
