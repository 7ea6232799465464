"""The page for those who come from a deploy tracker: its manifests are what the API takes, and its table names every field of a tracker's file."""

from __future__ import annotations

from typing import Any

import jsonschema
import yaml

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.views.allowed import channel_of
from tests.documentation.blocks import DOCS, blocks

PAGE = "how-to/move-from-a-deploy-tracker.md"
MODELS = {"Environment": Environment, "Project": Project, "ReleaseSet": ReleaseSet}


def documents() -> list[dict[str, Any]]:
    return [d for b in blocks(PAGE) if b.language == "yaml" for d in yaml.safe_load_all(b.text)]


def test_the_manifests_are_what_the_api_takes() -> None:
    found = [d for d in documents() if "kind" in d]
    assert [d["kind"] for d in found] == ["Environment"] * 2 + ["Project"] + ["ReleaseSet"] * 3
    crds = [yaml.safe_load(path.read_text()) for path in (DOCS.parent / "crds").glob("*.yaml")]
    schemas = {c["spec"]["names"]["kind"]: c["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for c in crds}
    for document in found:
        MODELS[document["kind"]].model_validate(document)
        jsonschema.Draft202012Validator(schemas[document["kind"]]["properties"]["spec"]).validate(document["spec"])


def test_it_is_the_same_as_the_trackers_file() -> None:
    (tracker,) = (d for d in documents() if "kind" not in d)
    of_kind = {kind: {d["metadata"]["name"]: d["spec"] for d in documents() if d.get("kind") == kind} for kind in MODELS}
    (project,) = of_kind["Project"].values()
    services = {s["name"]: {x["name"] for x in s["services"]} for s in project["serviceSets"]}
    assert {name for names in services.values() for name in names} == tracker["services"].keys()
    assert of_kind["Environment"].keys() == tracker["environments"].keys()
    for name, environment in tracker["environments"].items():
        deployed = [services[s["serviceSet"]] for s in of_kind["ReleaseSet"].values() if s["environmentRef"]["name"] == name]
        assert set().union(*deployed) == set(environment["deploys"])
        sources = {
            s["source"].get("environmentRef", {}).get("name") for s in of_kind["ReleaseSet"].values() if s["environmentRef"]["name"] == name
        }
        assert environment.get("promote_from") in sources
    for document in documents():
        if document.get("kind") == "Environment":
            project_model = Project.model_validate(next(d for d in documents() if d.get("kind") == "Project"))
            assert channel_of(Environment.model_validate(document), project_model).startswith("C")


def test_every_field_of_a_trackers_file_has_its_row() -> None:
    text = (DOCS / PAGE).read_text()
    for field in (
        "services",
        "paths",
        "manifest",
        "environments",
        "host",
        "deploys",
        "promote_from",
        "overdue",
        "slack.channel",
        "labels",
        "pr_comments",
    ):
        assert any(field in row.split("|")[1] for row in text.splitlines() if row.startswith("| ")), field
