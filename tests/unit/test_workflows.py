"""The workflows: what they may do, and that they do what the documentation says. Nothing here can run them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yaml")}
FLOWS: dict[str, Any] = {name: yaml.safe_load(path.read_text()) for name, path in FILES.items()}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(flow: Any) -> list[dict[str, Any]]:
    return [step for job in flow["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.parametrize("name", FLOWS)
def test_rights_and_time_are_bounded(name: str) -> None:
    flow = FLOWS[name]
    assert flow["permissions"] == {"contents": "read"}
    for job in flow["jobs"].values():
        assert "uses" in job or job["timeout-minutes"] <= 90
    checkouts = [s for s in steps(flow) if s.get("uses", "").startswith("actions/checkout@")]
    assert all(s["with"]["persist-credentials"] is False for s in checkouts)


@pytest.mark.parametrize("name", FLOWS)
def test_no_text_of_others_becomes_a_command(name: str) -> None:
    """An expression in `run` is pasted into the script: what it needs comes as an environment variable."""
    assert [step["run"] for step in steps(FLOWS[name]) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", FLOWS)
def test_what_they_make_is_there(name: str) -> None:
    called = {target for step in steps(FLOWS[name]) for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))}
    assert called <= TARGETS
    for step in steps(FLOWS[name]):
        for script in re.findall(r"\b(scripts/[\w-]+|\.ci/run)\b", step.get("run", "")):
            assert (ROOT / script).exists()


def test_a_suite_that_has_not_run_fails_the_job() -> None:
    run = [step for step in steps(FLOWS["kind"]) if step.get("run") == "make test-kind"]
    assert len(run) == 1 and "continue-on-error" not in run[0] and "if" not in run[0]
    assert [job for flow in FLOWS.values() for job in flow["jobs"].values() if "continue-on-error" in job] == []


def test_a_release_is_checked_before_it_is_built() -> None:
    jobs = FLOWS["release"]["jobs"]
    assert jobs["image"]["needs"] == ["check", "kind"] and jobs["publish"]["needs"] == "image"
    assert any("release-check TAG=" in step.get("run", "") for step in jobs["check"]["steps"])
    build = next(s for s in jobs["image"]["steps"] if s.get("uses", "").startswith("docker/build-push-action@"))["with"]
    assert (build["sbom"], build["provenance"], build["file"]) == (True, "mode=max", "operator/Dockerfile")
    passed = {line.split("=")[0] for line in build["build-args"].splitlines()}
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "operator/Dockerfile").read_text(), re.MULTILINE))
    assert passed == declared - {"UV_VERSION"}


def test_the_base_of_a_release_is_pinned() -> None:
    facts = next(s for s in FLOWS["release"]["jobs"]["image"]["steps"] if s.get("id") == "facts")["run"]
    # In an echo its failure would be lost.
    assert re.search(r"^base=\$\(scripts/base-image --pinned\)$", facts, re.MULTILINE)


def test_the_oldest_kubernetes_is_tried_by_schedule() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert FLOWS["kind"][True]["schedule"]
    assert "v1.32." in FILES["kind"].read_text()
