"""What is done for `make test-kind`: images, cluster, chart, suite. Each step is a command that fails with what it printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.control_plane.cluster import Cluster
from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess
from tests.operator_process import FAST

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "ecs-release-operator"
OPERATOR, SIMULATOR = "ecs-release-operator:test", "ecs-release-simulator:test"
BASE_IMAGE = str(ROOT / "scripts" / "base-image")
PYTHON = sys.executable
NAMESPACE, RELEASE = "ecs-release", "ecs-release-operator"
INSTALLED = "ECS_RELEASE_TEST_INSTALLED"
"""Names the simulator's endpoint: with it, tests/e2e uses the operator that is installed (`tests.kind.installed`)."""

_BUILD_S, _LOAD_S, _INSTALL_S, _SUITE_S = 1200, 300, 300, 3600
_AT_LEAST = 40
"""Tests that must have passed: a suite that skips itself would pass as well."""


def lacking() -> list[str]:
    """List what is missing on this machine; empty where the suite can run."""
    said = [f"{program} is not installed" for program in ("docker", "kind", "helm", "kubectl") if not shutil.which(program)]
    if shutil.which("docker") and not _answers(["docker", "info"]):
        said.append("no container engine answers (docker info)")
    if not CHART.is_dir():
        said.append("charts/ecs-release-operator is not there")
    return said


def build_images() -> None:
    """Build the operator's image and the simulator's, on the base that a release has."""
    base = _run([BASE_IMAGE], 120).strip()
    for file, tag in (("operator/Dockerfile", OPERATOR), ("tests/kind/simulator.Dockerfile", SIMULATOR)):
        _run(["docker", "build", "--quiet", "--file", file, "--build-arg", f"BASE={base}", "--tag", tag, "."], _BUILD_S)


def install(cluster: Cluster, name: str) -> None:
    """Load the images into the kind cluster of a name, and install the simulator and the chart there."""
    for image in (OPERATOR, SIMULATOR):
        _run(["kind", "load", "docker-image", image, "--name", name], _LOAD_S)
    cluster.apply(ROOT / "tests" / "kind" / "simulator.yaml")
    cluster.kubectl("rollout", "status", "deployment/simulator", "-n", "aws", f"--timeout={_INSTALL_S}s", timeout_s=_INSTALL_S + 10)
    _run(
        ["helm", "install", RELEASE, str(CHART), "--kubeconfig", str(cluster.kubeconfig), "--namespace", NAMESPACE, "--create-namespace",
         "--values", "-", "--wait", "--timeout", f"{_INSTALL_S}s"],
        _INSTALL_S + 30,
        yaml.safe_dump(values()),
    )  # fmt: skip


def values() -> dict[str, Any]:
    """Return the chart's values: as by default, but for what would take minutes, and for AWS."""
    repository, tag = OPERATOR.split(":")
    aws = {
        "AWS_ENDPOINT_URL": "http://simulator.aws:5000", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    return {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
        "replicas": 1,
        "settings": {camel(name): yaml.safe_load(value) for name, value in FAST.items()},
        "extraEnv": [{"name": name, "value": value} for name, value in aws.items()],
        # Most tests write what the policies keep for others.
        "policies": {"install": False},
        "networkPolicy": {"metricsFrom": [{"podSelector": {}}], "extraEgress": [{"ports": [{"port": 5000, "protocol": "TCP"}]}]},
    }


def camel(setting: str) -> str:
    """Name a setting as the chart does: ECS_RELEASE_LOG_LEVEL is logLevel."""
    first, *rest = setting.removeprefix("ECS_RELEASE_").lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


def run_suite(cluster: Cluster, folder: Path) -> int:
    """Run tests/e2e on what is installed. Returns pytest's exit code; 1 where too few tests have run."""
    port = free_port()
    forward = [cluster.kubectl_path, f"--kubeconfig={cluster.kubeconfig}", "port-forward", "-n", "aws", "service/simulator", f"{port}:5000"]
    forwarding = ChildProcess("port-forward", forward, folder / "port-forward.log")
    try:
        forwarding.wait_until(lambda: "Forwarding from" in forwarding.tail(), 60)
        environment = {**os.environ, "KUBECONFIG_TEST": str(cluster.kubeconfig), INSTALLED: f"http://127.0.0.1:{port}"}
        report = folder / "report.xml"
        command = [PYTHON, "-m", "pytest", "tests/e2e", "--numprocesses=0", f"--junit-xml={report}"]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=_SUITE_S).returncode
    finally:
        forwarding.stop(5)
        release_port(port)
    passed = passed_in(report.read_text()) if report.exists() else 0
    print(f"test-kind: {passed} tests passed", file=sys.stderr)
    return code or (0 if passed >= _AT_LEAST else 1)


def passed_in(report: str) -> int:
    """Count the tests that passed, in a report in JUnit's form."""
    counts = [int(re.findall(rf'<testsuite [^>]*\b{name}="(\d+)"', report)[0]) for name in ("tests", "skipped", "failures", "errors")]
    return counts[0] - sum(counts[1:])


def show(cluster: Cluster) -> None:
    """Print what tells why it failed."""
    for arguments in (("get", "pods,events", "-A"), ("logs", "-n", NAMESPACE, f"deployment/{RELEASE}", "--tail=200")):
        print(cluster.kubectl(*arguments, check=False), file=sys.stderr)


def _run(command: list[str], timeout_s: float, stdin: str | None = None) -> str:
    print(f"test-kind: {' '.join(command)}", file=sys.stderr)
    done = subprocess.run(command, cwd=ROOT, input=stdin, stdout=subprocess.PIPE, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
    return done.stdout


def _answers(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
