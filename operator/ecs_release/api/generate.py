"""Write the CRDs and the schema of notifications: `python -m ecs_release.api.generate [FOLDER [FOLDER]]`.

`make generate` runs it, and a test fails if files differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from ecs_release.api.crd import KINDS, definition
from ecs_release.api.names import GROUP, PLURALS
from ecs_release.api.notification import SCHEMA_FILE, schema

HEADER = "# Generated from operator/ecs_release/api by `make generate`: do not edit.\n"


def files() -> dict[str, str]:
    """Return the content of each file by its name."""
    return {f"{GROUP}_{PLURALS[kind.name]}.yaml": HEADER + yaml.safe_dump(definition(kind), sort_keys=False, width=120) for kind in KINDS}


def notification_schema() -> str:
    """Return the content of the file with the schema of notifications."""
    return json.dumps(schema(), indent=2) + "\n"


def main(arguments: list[str]) -> None:
    """Write all files, and remove outdated ones. The schema goes to the second folder; with only one folder it is not written."""
    folder = Path(arguments[0] if arguments else "crds")
    reference = Path("docs/reference") if not arguments else Path(arguments[1]) if arguments[1:] else None
    if reference is not None:
        reference.mkdir(parents=True, exist_ok=True)
        (reference / SCHEMA_FILE).write_text(notification_schema(), encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    made = files()
    for path in folder.glob("*.yaml"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
