"""`make test-kind`: what it does, in which order, and that not having run is never taken for a pass. All programs are played by scripts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

from ecs_release.config import Settings
from tests.control_plane.cluster import Cluster
from tests.e2e.bed import running_bed
from tests.kind import __main__ as kind
from tests.kind import steps
from tests.kind.installed import InstalledOperator
from tests.operator_process import FAST

ROOT = Path(__file__).parents[3]
PROGRAM = """#!{python}
import pathlib, sys, time
name = pathlib.Path(sys.argv[0]).name
line = " ".join([name, *sys.argv[1:]])
with pathlib.Path({log!r}).open("a") as file:
    print(line, file=file)
if {fails!r} and {fails!r} in line:
    sys.exit(3)
if "port-forward" in line:
    print("Forwarding from 127.0.0.1", flush=True)
    time.sleep(60)
"""
PYTEST = """#!{python}
import os, pathlib, sys
with pathlib.Path({log!r}).open("a") as file:
    print("pytest", os.environ["ECS_RELEASE_TEST_INSTALLED"].rpartition(":")[0], pathlib.Path(os.environ["KUBECONFIG_TEST"]).name, file=file)
path = next(a.partition("=")[2] for a in sys.argv if a.startswith("--junit-xml="))
tests, skipped, failures = {counts}
pathlib.Path(path).write_text(
    f'<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="{{failures}}" skipped="{{skipped}}" tests="{{tests}}" time="1">'
)
sys.exit(1 if failures else 0)
"""


class Machine:
    """A PATH of programs that do as they are told, and remember what they were asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder / "bin", folder / "log"
        self.folder.mkdir()
        self.log.touch()
        for name in ("docker", "kind", "helm", "kubectl", "base-image"):
            self.program(name)
        self.suite()
        monkeypatch.setenv("PATH", str(self.folder))
        monkeypatch.setattr(steps, "CHART", folder)
        monkeypatch.setattr(steps, "BASE_IMAGE", str(self.folder / "base-image"))
        monkeypatch.setattr(steps, "PYTHON", str(self.folder / "python"))

    def program(self, name: str, fails: str = "") -> None:
        self._write(name, PROGRAM.format(python=sys.executable, log=str(self.log), fails=fails))

    def suite(self, tests: int = 60, skipped: int = 10, failures: int = 0) -> None:
        self._write("python", PYTEST.format(python=sys.executable, log=str(self.log), counts=(tests, skipped, failures)))

    def calls(self, pattern: str = "") -> list[str]:
        return [line for line in self.log.read_text().splitlines() if re.search(pattern, line)]

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: (m.folder / "kind").unlink(), "kind is not installed"),
        (lambda m: (m.folder / "docker").unlink(), "docker is not installed"),
        (lambda m: m.program("docker", fails="info"), "no container engine answers"),
    ],
)
def test_what_is_missing_is_said_and_no_pass(machine: Machine, capsys: pytest.CaptureFixture[str], change: object, said: str) -> None:
    assert callable(change)
    change(machine)

    assert kind.main() == 75
    assert "NOT RUN, nothing was tested" in (err := capsys.readouterr().err) and said in err
    assert machine.calls("build|create|install|pytest") == []


def test_the_code_is_none_that_somebody_takes_for_something_else() -> None:
    """0 passed; 1 failed; 2 is make's and argparse's; 5 is pytest's for no tests; 77 and 4 are a skip for test harnesses."""
    assert kind.NOT_RUN not in {0, 1, 2, 4, 5, 77}


def test_everything_in_its_order(machine: Machine) -> None:
    assert kind.main() == 0

    done = [" ".join(line.split()[:2]) for line in machine.calls() if line != "docker info"]
    assert done[0].startswith("base-image")
    assert [line for line in done if not line.startswith("base-image")] == [
        "docker build", "docker build", "kind create", "kind load", "kind load", "kubectl --kubeconfig=" + kubeconfig(machine),
        "kubectl --kubeconfig=" + kubeconfig(machine), "helm install", *without_order(machine), "kind delete",
    ]  # fmt: skip
    assert machine.calls("^pytest") == ["pytest http://127.0.0.1 kubeconfig"]
    names = {line.split("--name ")[1].split()[0] for line in machine.calls("^kind")}
    assert len(names) == 1, "one cluster, loaded, and deleted"


def kubeconfig(machine: Machine) -> str:
    return machine.calls("rollout")[0].split("--kubeconfig=")[1].split()[0]


def without_order(machine: Machine) -> list[str]:
    """The port is forwarded, then pytest runs."""
    return ["kubectl --kubeconfig=" + kubeconfig(machine), "pytest http://127.0.0.1"]


@pytest.mark.parametrize("step", ["--file operator/Dockerfile", "kind load", "rollout status", "helm install"])
def test_a_step_that_fails_is_a_failure_and_leaves_no_cluster(machine: Machine, step: str) -> None:
    for name in ("docker", "kind", "kubectl", "helm"):
        machine.program(name, fails=step.removeprefix(f"{name} "))

    assert kind.main() == 1
    assert len(machine.calls("^kind delete")) == len(machine.calls("^kind create"))
    assert machine.calls("^pytest") == []


@pytest.mark.parametrize(
    ("counts", "code"),
    [((60, 10, 0), 0), ((60, 10, 1), 1), ((60, 30, 0), 1), ((0, 0, 0), 1)],
    ids=["passes", "fails", "skips itself", "collects nothing"],
)
def test_a_suite_that_did_not_test_is_no_pass(machine: Machine, counts: tuple[int, int, int], code: int) -> None:
    machine.suite(*counts)

    assert kind.main() == code
    assert bool(machine.calls("kubectl .*logs")) is bool(code), "what tells why it failed is shown"
    assert len(machine.calls("^kind delete")) == 1


def test_the_values_are_settings_of_the_operator() -> None:
    values = steps.values()
    known = {steps.camel(f"ECS_RELEASE_{name.upper()}") for name in Settings.model_fields}
    assert values["settings"].keys() <= known
    assert len(values["settings"]) == len(FAST)
    assert values["replicas"] == 1 and values["settings"]["leaderElect"] is False
    assert steps.camel("ECS_RELEASE_ROLLOUT_INTERVAL_SECONDS") == "rolloutIntervalSeconds"


def test_the_manifest_runs_what_is_built() -> None:
    objects = {o["kind"]: o for o in yaml.safe_load_all((ROOT / "tests/kind/simulator.yaml").read_text())}
    container = objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["imagePullPolicy"]) == (steps.SIMULATOR, "Never")
    service = f"http://{objects['Service']['metadata']['name']}.{objects['Namespace']['metadata']['name']}:5000"
    assert {"name": "AWS_ENDPOINT_URL", "value": service} in steps.values()["extraEnv"]
    dockerfile = (ROOT / "tests/kind/simulator.Dockerfile").read_text()
    assert '"--port", "5000"' in dockerfile
    copied = [source for line in dockerfile.splitlines() if line.startswith("COPY ") for source in line.split()[1:-1]]
    allowed = (ROOT / "tests/kind/simulator.Dockerfile.dockerignore").read_text().splitlines()
    assert [source for source in copied if not (ROOT / source).exists() or f"!{source}" not in allowed] == []
    assert "--require-hashes" in next(line for line in dockerfile.splitlines() if "pip install" in line)


def test_what_needs_a_process_is_skipped_and_says_so() -> None:
    operator = InstalledOperator(Cluster(Path("kubeconfig"), "kubectl"))
    with pytest.raises(pytest.skip.Exception, match=r"needs the operator as a process of its own \(kill\)"):
        operator.kill()


def test_a_bed_with_settings_of_its_own_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(steps.INSTALLED, "http://127.0.0.1:1")
    with pytest.raises(pytest.skip.Exception, match="settings or rights of its own"), running_bed({**FAST}):
        pass
