"""JSON schemas of our CRDs, as kubeconform reads them, so that manifests are checked where there is no cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

LOCATION = "{{.ResourceKind}}-{{.ResourceAPIVersion}}.json"


def write_schemas(crds: Path, folder: Path) -> str:
    """Write a schema for each kind and version. Returns what kubeconform's -schema-location takes."""
    for path in crds.glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        for version in spec["versions"]:
            name = f"{spec['names']['kind'].lower()}-{version['name']}.json"
            (folder / name).write_text(json.dumps(_closed(version["schema"]["openAPIV3Schema"])))
    return str(folder / LOCATION)


def _closed(schema: Any) -> Any:
    """Refuse what is not there: an API server drops it, or with strict validation refuses it."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: {k: _closed(v) for k, v in its.items()} if key == "properties" else _closed(its) for key, its in schema.items()}
    if "properties" in closed and "additionalProperties" not in closed and not _is_metadata(closed):
        closed["additionalProperties"] = False
    return closed


def _is_metadata(schema: dict[str, Any]) -> bool:
    """Return whether it is `metadata`, of which a CRD says only the bounds of the name."""
    return schema["properties"].keys() == {"name"} and "maxLength" in schema["properties"]["name"] and "required" not in schema
