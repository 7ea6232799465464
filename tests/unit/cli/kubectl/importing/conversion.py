"""Manifests converted for tests, and a check of documents as the API server would make it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.cli.kubectl.importing.names import container_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes, read
from ecs_release.cli.kubectl.importing.weco_objects import ImportNames, Options, convert
from ecs_release.cli.kubectl.manifests.yaml_text import dump_documents


def converted(text: str, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    notes, names = Notes(), ImportNames()
    found = [d for p in read(text, notes) for d in convert(p, Options(**options), notes, names)]
    return found, notes.lines


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [d for d in found if d["kind"] == kind]


def services(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {s["name"]: s for p in of_kind(found, "Project") for g in p["spec"]["serviceSets"] for s in g["services"]}


def check(found: list[dict[str, Any]]) -> None:
    """Check documents as the API server would: models, and the CRDs' rules across fields."""
    names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in found]
    assert len(names) == len(set(names)), "one would be applied over the other"
    allowed = {
        (e["metadata"]["name"], c, s)
        for e in of_kind(found, "Environment")
        for rule in e["spec"]["target"].get("allowed", ())
        for c in rule["clusters"]
        for s in rule["serviceNames"]
    }
    named: set[tuple[str, str, str]] = set()
    for document in found:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", document["metadata"]["name"])
        if document["kind"] == "Environment":
            spec = Environment.model_validate(document).spec
            rest = re.sub(r"\{(project|serviceSet|service|environment|namespace)\}", "", spec.target.service_name)
            assert re.fullmatch(r"[a-zA-Z0-9_-]*", rest) and "{service}" in spec.target.service_name
        else:
            sets = Project.model_validate(document).spec.service_sets
            listed = [s.name for g in sets for s in g.services]
            assert len(listed) == len(set(listed)) and len({g.name for g in sets}) == len(sets)
            for service in (s for g in sets for s in g.services):
                containers = [c.name for c in service.containers]
                assert len(containers) == len(set(containers))
                assert service.name == service_name(service.name) and containers == [container_name(c) for c in containers]
                named |= {(t.environment, t.cluster, t.service_name) for t in service.targets or ()}
    assert named == allowed, "what the Project names is allowed, and nothing else"
    assert list(yaml.safe_load_all(dump_documents(found))) == found or not found
