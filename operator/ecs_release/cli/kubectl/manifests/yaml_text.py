"""Reads and writes manifests as YAML that every parser reads the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ecs_release.api.visible_text import visible

_LOOKS_LIKE_ANOTHER_TYPE = re.compile(r"[-+.0-9~=<].*|y|n|yes|no|on|off|true|false|null", re.IGNORECASE)
"""Strings that some parser reads as a number, a date or a boolean: that of Kubernetes reads the release hash 12e4567 as a number,
which PyYAML does not (YAML 1.2 core schema, "Tag resolution")."""


class _Dumper(yaml.SafeDumper):
    """Quotes strings that could be read as another type, and indents lists."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes these line breaks unquoted, and reads them as spaces.
    has_breaks = any(character in text for character in "\x85\u2028\u2029")
    style = '"' if has_breaks or _LOOKS_LIKE_ANOTHER_TYPE.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


class _Loader(yaml.SafeLoader):
    """Reads dates as strings, as JSON does, and refuses duplicate keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen and key != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} comes twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def dump(value: object) -> str:
    """Return a value as YAML, keys in their order."""
    text = _dump(value, allow_unicode=True)
    # As escapes of YAML: then a terminal does not interpret them, and it is the same value still.
    return text if visible(text) == text else _dump(value, allow_unicode=False)


def _dump(value: object, *, allow_unicode: bool) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=allow_unicode, width=140)


def dump_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Return several documents as YAML."""
    return "---\n".join(dump(document) for document in documents)


def load_documents(text: str) -> list[Any]:
    """Parse all documents of a text. Raises ValueError with the position of the error."""
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise ValueError(f"this is no YAML: {' '.join(str(error).split())}") from error


def compose(text: str) -> list[Any]:
    """Parse all documents of a text as nodes with their positions. Raises ValueError."""
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise ValueError(f"this is no YAML: {' '.join(str(error).split())}") from error
