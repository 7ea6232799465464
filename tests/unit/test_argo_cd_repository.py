"""The repository of examples/argo-cd: what the models know, and whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from ecs_release.api.environment import Environment
from ecs_release.api.names import API_VERSION, ENVIRONMENT, GROUP, PLURALS, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.manifests.yaml_edit import edit
from ecs_release.cli.kubectl.manifests.yaml_text import load_documents
from tests.argo_cd import EXAMPLES

REPOSITORY = EXAMPLES / "repository"
MODELS: dict[str, type[BaseModel]] = {RELEASE: Release, RELEASE_SET: ReleaseSet, PROJECT: Project, ENVIRONMENT: Environment}


def manifests(folder: str = "") -> list[tuple[Path, dict[str, Any]]]:
    return [
        (p, o) for p in sorted((REPOSITORY / folder).rglob("*.yaml")) if ".github" not in p.parts for o in load_documents(p.read_text())
    ]


def unknown(given: Any, known: Any, at: str = "spec") -> list[str]:
    """List the fields of a manifest that a model does not give back as they were."""
    if isinstance(given, dict) and isinstance(known, dict):
        return [x for k, v in given.items() for x in unknown(v, known.get(k), f"{at}.{k}")]
    if isinstance(given, list) and isinstance(known, list) and len(given) == len(known):
        return [x for n, (v, w) in enumerate(zip(given, known, strict=True)) for x in unknown(v, w, f"{at}[{n}]")]
    return [] if given == known else [at]


OURS = [(path, o) for path, o in manifests() if o["apiVersion"] == API_VERSION]


@pytest.mark.parametrize(("path", "manifest"), OURS, ids=lambda x: x.stem if isinstance(x, Path) else x["kind"])
def test_manifests_of_the_repository_are_what_the_models_know(path: Path, manifest: dict[str, Any]) -> None:
    model: Any = MODELS[manifest["kind"]]
    assert unknown(manifest["spec"], model.model_validate(manifest).to_kubernetes()["spec"]) == []
    assert manifest["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"
    assert "suspend" not in manifest["spec"] and not any(a.startswith(GROUP) for a in manifest["metadata"]["annotations"])


def test_the_repository_is_whole() -> None:
    by_kind: dict[str, dict[str, dict[str, Any]]] = {}
    for _, o in manifests():
        by_kind.setdefault(o["kind"], {})[o["metadata"]["name"]] = o
    environments, projects = by_kind["Environment"], by_kind["AppProject"]
    services = {s["name"]: [x["name"] for x in s["services"]] for s in by_kind["Project"]["shop"]["spec"]["serviceSets"]}
    for release_set in by_kind["ReleaseSet"].values():
        spec = release_set["spec"]
        assert spec["environmentRef"]["name"] in environments and spec["serviceSet"] in services
        assert release_set["metadata"]["namespace"] in environments[spec["environmentRef"]["name"]]["spec"]["allowedNamespaces"]["names"]
        overridden = [o["service"] for o in spec.get("overrides") or ()]
        assert "source" in spec or sorted(overridden) == sorted(services[spec["serviceSet"]])
    for path, o in manifests("shop"):
        assert path.parent.name in ("project", o["spec"].get("environmentRef", {}).get("name"))
    for application in by_kind["Application"].values():
        assert (REPOSITORY / application["spec"]["source"]["path"]).is_dir()
        assert application["spec"]["project"] in {*projects, "default"}
    (generated,) = by_kind["ApplicationSet"].values()
    assert generated["spec"]["template"]["spec"]["project"] in projects
    assert generated["spec"]["generators"][0]["git"]["directories"] == [{"path": "shop/*"}]
    for made in (*by_kind["Application"].values(), generated["spec"]["template"]):
        compared = (made["metadata"].get("annotations") or {}).get("argocd.argoproj.io/compare-options") == "ServerSideDiff=true"
        assert ("ServerSideApply=true" in made["spec"]["syncPolicy"].get("syncOptions", ())) == compared, "both or neither"
    shop = projects["releases-shop"]["spec"]
    assert shop["clusterResourceWhitelist"] == [], "an Environment names an AWS role: it is the platform team's"
    assert {r["kind"] for r in shop["namespaceResourceWhitelist"]} == set(PLURALS) - {ENVIRONMENT}
    urls = {u for _, o in manifests("bootstrap") for u in re.findall(r"https://github\S+?\.git", yaml.safe_dump(o))}
    assert len(urls) == 1


def test_a_promotion_keeps_every_other_line() -> None:
    """What promote writes into the file of production leaves its comments, its annotations and its strategy alone."""
    text = (REPOSITORY / "shop" / "production" / "storefront.yaml").read_text()
    result = edit(text, 0, {"source": None, "overrides": [{"service": "web"}], "change": {"description": "x"}})
    assert result.comments_kept
    assert "# How, which promote leaves alone" in result.text and "onFailure: RollBack" in result.text and "Prune=confirm" in result.text


def test_the_workflow_promotes_into_a_file_that_is_there() -> None:
    text = (REPOSITORY / ".github" / "workflows" / "promote.yaml").read_text()
    (promotes,) = (s["run"] for s in yaml.safe_load(text)["jobs"]["promote"]["steps"] if "promote staging" in s.get("run", ""))
    (file,) = re.findall(r"-f (\S+)", promotes)
    assert (REPOSITORY / file).is_file()
