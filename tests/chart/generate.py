"""`python -m tests.chart.generate [--check]` writes what the chart and its page have from elsewhere (`make generate`).

The CRDs are the models', policies and alerts those of `examples/`: a packaged chart has to hold them itself. The schema of `settings` is
that of the operator's settings, and docs/reference/chart.md tells of values.yaml.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ecs_release.api import generate as crds
from ecs_release.config import Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "ecs-release-operator"
PAGE = ROOT / "docs" / "reference" / "chart.md"
OURS = re.compile(r"probe_|metrics_(host|port)|(lease|watch)_namespaces?|shards?$|ledger_|commits_|connections_")
"""Settings that the chart makes of other values."""
_BEGIN, _END = "<!-- values: make generate -->\n", "<!-- end of values -->\n"
_KEPT = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "description", "default")


def files() -> dict[Path, str]:
    """Return the content of each generated file by its path."""
    resources = CHART / "resources"
    made = {resources / "crds" / name: text for name, text in crds.files().items()}
    made |= {resources / "policies" / p.name: p.read_text() for p in (ROOT / "examples" / "policies").glob("*.yaml")}
    made[resources / "monitoring" / "rules.yaml"] = (ROOT / "examples" / "monitoring" / "rules.yaml").read_text()
    schema = json.loads((CHART / "values.schema.json").read_text())
    schema["properties"]["settings"]["properties"] = settings()
    made[CHART / "values.schema.json"] = json.dumps(schema, indent=2) + "\n"
    made[PAGE] = _page(PAGE.read_text())
    return made


def settings() -> dict[str, Any]:
    """Return the schema of each setting that is a value, by its name in camelCase."""
    found = Settings.model_json_schema()["properties"]
    return {_camel(name): _plain(its) for name, its in found.items() if not OURS.match(name)}


def stale() -> list[Path]:
    """List what is not as it would be written, and what would not be there."""
    made = files()
    folders = {path.parent for path in made if "resources" in path.parts}
    strays = [path for folder in folders for path in folder.glob("*") if path not in made]
    return [path for path, text in made.items() if not path.is_file() or path.read_text() != text] + strays


def values() -> Iterator[tuple[str, str, str]]:
    """Yield each value of values.yaml with its default and what its comment says. Raises KeyError where a comment is missing."""
    text = (CHART / "values.yaml").read_text()
    yield from _values(yaml.compose(text), text.splitlines(), "", yaml.safe_load(text))


def _values(node: Any, lines: list[str], prefix: str, given: Any) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        above = lines[key.start_mark.line - 1].strip() if key.start_mark.line else ""
        name = f"{prefix}{key.value}"
        if above.startswith("# -- "):
            yield name, json.dumps(given[key.value], separators=(",", ": ")), above.removeprefix("# -- ")
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _values(value, lines, f"{name}.", given[key.value])
        else:
            raise KeyError(f"values.yaml: {name} has no comment that begins with '# -- '")


def _plain(its: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Helm does not need; what may be None is left out of the values instead."""
    one = next((a for a in its.get("anyOf", ()) if a.get("type") != "null"), {})
    return {k: v for k, v in {**one, **its}.items() if k in _KEPT and v is not None}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _page(text: str) -> str:
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    rows = [(n, d, t) for n, d, t in values()]
    rows += [(f"settings.{n}", json.dumps(its["default"]) if "default" in its else "", its["description"]) for n, its in settings().items()]
    table = "\n".join(["| value | default | |", "| --- | --- | --- |", *(f"| `{n}` | {f'`{d}`' if d else ''} | {t} |" for n, d, t in rows)])
    return f"{before}{_BEGIN}\n{table}\n\n{_END}{after}"


def main(arguments: list[str]) -> int:
    """Write all files, or with --check tell which are not as they should be: then the exit code is 1."""
    if "--check" in arguments:
        for path in stale():
            print(f"verify: {path.relative_to(ROOT)} is not what it is made of says: run make generate", file=sys.stderr)
        return 1 if stale() else 0
    made = files()
    for path in stale():
        if path not in made:
            path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
