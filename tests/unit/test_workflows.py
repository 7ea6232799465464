"""The workflows: what they may do, and that they do what the documentation says. Nothing here can run them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.environment import plain

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yaml")}
EXAMPLE = ROOT / "examples" / "argo-cd" / "repository" / ".github" / "workflows" / "promote.yaml"
FLOWS: dict[str, Any] = {name: yaml.safe_load(path.read_text()) for name, path in FILES.items()}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


RIGHTS = {
    ("release", "image"): {"contents": "read", "packages": "write", "id-token": "write", "attestations": "write"},
    ("release", "verify"): {"contents": "read", "packages": "read", "attestations": "read"},
    ("release", "publish"): {"contents": "write"},
}
"""Of jobs that may do more than read the repository."""


def steps(flow: Any) -> list[dict[str, Any]]:
    return [step for job in flow["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.parametrize("name", FLOWS)
def test_rights_and_time_are_bounded(name: str) -> None:
    flow = FLOWS[name]
    assert flow["permissions"] == {}, "each job names what it may"
    for key, job in flow["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 90
        assert job["permissions"] == RIGHTS.get((name, key), {"contents": "read"})
    checkouts = [s for s in steps(flow) if s.get("uses", "").startswith("actions/checkout@")]
    assert all(s["with"]["persist-credentials"] is False for s in checkouts)


def test_actions_are_named_by_commit() -> None:
    """A tag can be moved to other code. The release that a commit is of stands in a comment, and is the same everywhere."""
    lines = [
        line.strip() for path in (*FILES.values(), EXAMPLE) for line in path.read_text().splitlines() if re.match(r"\s*(- )?uses:", line)
    ]
    commits: dict[str, set[str]] = {}
    for line in lines:
        found = re.fullmatch(r"(?:- )?uses: (?:\./[\w./-]+|([\w.-]+/[\w.-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+))", line)
        assert found, line
        if found[1]:
            commits.setdefault(found[1], set()).add(found[2])
    assert len(commits) >= 10
    assert [action for action, named in commits.items() if len(named) > 1] == []


@pytest.mark.parametrize("name", FLOWS)
def test_no_text_of_others_becomes_a_command(name: str) -> None:
    """An expression in `run` is pasted into the script: what it needs comes as an environment variable, in quotes."""
    assert [step["run"] for step in steps(FLOWS[name]) if "${{" in step.get("run", "")] == []
    for step in steps(FLOWS[name]):
        for line in step.get("run", "").splitlines():
            assert not re.search(r"\bmake\b.*[$`]", line), f"make would expand it: {line}"
            bare = re.sub(r"\$\(.*?\)", "", re.sub(r'"[^"]*"', "", line)).partition("#")[0]
            assert "$" not in bare, f"not in quotes: {line}"


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_name_of_a_tag_is_passed_on_as_it_is(tmp_path: Path) -> None:
    """Git allows most characters in it: neither make nor a shell may run what stands there."""
    made = tmp_path / "made"
    for tag in (f"v1$(shell touch {made})", f"v1$(touch${{IFS}}{made})", f"v1`touch {made}`", f"v1';touch {made};'", f'v1";touch {made};"'):
        environment = {**plain("MAKE"), "TAG": tag}
        command = ["make", "--old-file=verify", "release-check", "RUN=printf %s\\\\n"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert tag in done.stdout.splitlines(), done
        assert not made.exists()


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
    assert jobs["image"]["needs"] == ["check", "kind"] and jobs["publish"]["needs"] == "verify"
    check = next(step for step in jobs["check"]["steps"] if step.get("run") == "make release-check")
    assert check["env"] == {"TAG": "${{ github.ref_name }}"}
    build = next(s for s in jobs["image"]["steps"] if s.get("uses", "").startswith("docker/build-push-action@"))["with"]
    assert (build["sbom"], build["provenance"], build["file"]) == (True, "mode=max", "operator/Dockerfile")
    passed = {line.split("=")[0] for line in build["build-args"].splitlines()}
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "operator/Dockerfile").read_text(), re.MULTILINE))
    assert passed == declared


def test_provenance_and_sbom_are_attested_and_then_verified() -> None:
    jobs = FLOWS["release"]["jobs"]
    attested = [s for s in jobs["image"]["steps"] if s.get("uses", "").startswith("actions/attest-")]
    assert [s["uses"].partition("@")[0] for s in attested] == [
        "actions/attest-build-provenance",
        "actions/attest-sbom",
        "actions/attest-sbom",
    ]
    assert {s["with"]["subject-digest"] for s in attested} == {"${{ steps.build.outputs.digest }}"}
    assert [s["with"]["sbom-path"] for s in attested[1:]] == ["sbom-amd64.spdx.json", "sbom-arm64.spdx.json"]
    assert all(s["with"]["push-to-registry"] for s in attested)
    assert jobs["verify"]["needs"] == "image"
    verified = jobs["verify"]["steps"][-1]["run"]
    install = (ROOT / "docs" / "how-to" / "install.md").read_text()
    for part in (
        "https://slsa.dev/provenance/v1",
        "https://spdx.dev/Document/v2.3",
        "--signer-workflow",
        "--source-ref",
        "--deny-self-hosted-runners",
    ):
        assert part in verified and part in install
    assert '"oci://$IMAGE@$DIGEST"' in verified and "--source-digest" in verified


def test_vulnerabilities_are_looked_up_every_day_and_in_each_pull_request() -> None:
    assert {"schedule", "pull_request", "push"} <= set(FLOWS["audit"][True])
    assert steps(FLOWS["audit"])[-1] == {"run": "make audit"}
    (recipe,) = re.findall(r"^\t@.*pip-audit (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"--strict", "--require-hashes"} <= set(recipe.split())


def test_uv_is_installed_by_its_hashes() -> None:
    """Everything else is installed by it. Both the checkout and the image take the same file."""
    wanted = (ROOT / "scripts" / "uv.txt").read_text()
    assert re.search(r"^uv==\d+\.\d+\.\d+ \\$", wanted, re.MULTILINE) and len(re.findall(r"--hash=sha256:[0-9a-f]{64}", wanted)) > 10
    for name in ("scripts/bootstrap", "operator/Dockerfile"):
        (line,) = [part for part in (ROOT / name).read_text().splitlines() if "uv.txt" in part and "--requirement" in part]
        assert "--require-hashes" in line and "--only-binary :all:" in line


def test_the_base_of_a_release_is_pinned() -> None:
    facts = next(s for s in FLOWS["release"]["jobs"]["image"]["steps"] if s.get("id") == "facts")["run"]
    # In an echo its failure would be lost.
    assert re.search(r"^base=\$\(scripts/base-image --pinned\)$", facts, re.MULTILINE)


def test_the_oldest_kubernetes_is_tried_by_schedule() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert FLOWS["kind"][True]["schedule"]
    assert "v1.32." in FILES["kind"].read_text()


def test_the_promises_are_attacked_each_night() -> None:
    assert FLOWS["soak"][True]["schedule"]
    assert "make soak" in [step.get("run") for step in steps(FLOWS["soak"])]
