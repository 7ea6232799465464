"""`python -m tests.documentation.reference [--check]` writes the pages of the API and of IAM (`make generate`).

The API's page is made of the CRDs, which are made of the models: every field of every kind. The policies of IAM stand on their page as they
are in examples/iam, by files and by sections of what somebody has written about them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ecs_release.api.crd import KINDS, definition

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
API, IAM = REFERENCE / "api.md", REFERENCE / "iam.md"
POLICIES = ROOT / "examples" / "iam"
_HEAD = """\
<!-- Generated from operator/ecs_release/api by `make generate`: do not edit. -->
# The API

Group `ecs-release.dev`, version `v1alpha1`: every field of every kind, as the API server checks it. `kubectl explain release.spec` says the same.
A field in bold is required. `status` is the operator's; its reasons are in [conditions.md](conditions.md).
"""
_BOUNDS = (
    ("enum", "one of {}"), ("pattern", "matches {}"), ("minLength", "at least {} characters"), ("maxLength", "at most {} characters"),
    ("minimum", "from {}"), ("maximum", "to {}"), ("minItems", "at least {} items"), ("maxItems", "at most {} items"),
    ("maxProperties", "at most {} entries"),
)  # fmt: skip
_JSON = re.compile(r"(<!-- policy: ([\w.-]+) -->\n).*?(?=<!-- end of policy -->)", re.DOTALL)
_UNBOUNDED = (-(2**62), 2**62)
"""What the models write where the number itself has no bound."""
Schema = Mapping[str, Any]


def pages() -> dict[Path, str]:
    """Return the content of each page."""
    return {API: api_page(), IAM: _JSON.sub(_policy, IAM.read_text())}


def api_page() -> str:
    """Return the page of the API."""
    return _HEAD + "".join(_kind(definition(kind)) for kind in KINDS)


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Yield each field under a schema with its path, and whether it is required where it stands."""
    for name, its in schema.get("properties", {}).items():
        below = f"{path}.{name}"
        yield below, its, name in schema.get("required", ())
        yield from fields(its, below)
        yield from fields(its.get("items", {}), f"{below}[]")
        more = its.get("additionalProperties")
        yield from fields(more if isinstance(more, dict) else {}, f"{below}.KEY")


def _kind(crd: Mapping[str, Any]) -> str:
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    short = ", ".join(f"`{name}`" for name in names["shortNames"])
    scope = "in a namespace" if crd["spec"]["scope"] == "Namespaced" else "of the cluster"
    text = f"\n## {names['kind']}\n{schema['description']}\n\n`{names['plural']}`, short {short}; {scope}.\n"
    for part in ("spec", "status"):
        its = schema["properties"][part]
        rows = [_row(path, field, required) for path, field, required in fields(its, part)]
        text += f"\n### {names['kind']} {part}\n{its['description']}\n\n| field | type | default, bounds | |\n| --- | --- | --- | --- |\n"
        text += "\n".join(rows) + "\n" + _rules(its, part)
    return text


def _row(path: str, its: Schema, required: bool) -> str:
    name = f"**`{path}`**" if required else f"`{path}`"
    default = [f"default `{json.dumps(its['default'])}`"] if "default" in its else []
    # Bounds of a list's or map's items are theirs: those of what they hold are in rows of their own, but for plain values.
    items = its.get("items", {}) if "properties" not in its.get("items", {}) else {}
    told = [*default, *_bounds(its), *(f"each {bound}" for bound in _bounds(items))]
    return f"| {name} | {_type(its)} | {_cell('; '.join(told))} | {_cell(its.get('description', ''))} |"


def _bounds(its: Schema) -> list[str]:
    told = [form.format(_shown(its[key])) for key, form in _BOUNDS if key in its and its[key] not in _UNBOUNDED]
    return ["not empty" if one in ("at least 1 characters", "at least 1 items") else one for one in told]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{v}`" for v in value)
    return f"`{value}`" if isinstance(value, str) else str(value)


def _type(its: Schema) -> str:
    if its.get("type") == "array":
        return f"list of {_type(its['items'])}"
    if isinstance(its.get("additionalProperties"), dict):
        return f"map of {_type(its['additionalProperties'])}"
    return str({"date-time": "time"}.get(its.get("format", ""), its.get("type", "any")))


def _rules(its: Schema, part: str) -> str:
    """List what holds between fields."""
    found = list(its.get("x-kubernetes-validations", ()))
    for path, field, _ in fields(its, part):
        for one in (field, field.get("items", {})):
            found += [{"message": f"`{path}`: {rule['message']}"} for rule in one.get("x-kubernetes-validations", ())]
    return "\nWhat holds between fields:\n\n" + "".join(f"- {rule['message']}\n" for rule in found) if found else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _policy(match: re.Match[str]) -> str:
    return f"{match[1]}```json\n{(POLICIES / match[2]).read_text().strip()}\n```\n"


def main(arguments: list[str]) -> int:
    """Write both pages, or with --check tell which is not as it should be: then the exit code is 1."""
    stale = {path: text for path, text in pages().items() if not path.is_file() or path.read_text() != text}
    if "--check" in arguments:
        for path in stale:
            print(f"verify: {path.relative_to(ROOT)} is not what it is made of says: run make generate", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
