"""The bootstrap on machines that lack something. Python and uv are played by scripts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("sh", "dirname", "mkdir", "mktemp", "rm", "mv", "cat", "env", "chmod", "cp", "sed")
UV = '#!/bin/sh\necho uv "$@" >> calls\n'
PYTHON = """#!/bin/sh
# Answers: -c (is it new enough?), --version, -m venv DIR, -m pip.
case "$1 $2" in
  "-c "*) {new_enough} && echo "$0" ;;
  "--version "*) echo Python ;;
  "-m venv") {venv} && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m pip") {pip} || exit 1
    case "$*" in *--version*) exit 0 ;; *--target*) bin="$5/bin" ;; *) bin=$(dirname "$0") ;; esac
    mkdir -p "$bin" && cp "{uv}" "$bin/uv" ;;
esac
"""


class Machine:
    """A checkout, and a PATH with just what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.uv = folder / "uv"
        (self.checkout / "scripts").mkdir(parents=True)
        for script in ("bootstrap", "uv.txt"):
            shutil.copy(ROOT / "scripts" / script, self.checkout / "scripts")
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self._write(self.uv, UV)

    def python(self, name: str = "python3", *, new_enough: bool = True, venv: bool = True, pip: bool = True) -> None:
        facts = {"new_enough": new_enough, "venv": venv, "pip": pip}
        self._write(self.bin / name, PYTHON.format(uv=self.uv, **{k: str(v).lower() for k, v in facts.items()}))

    def bootstrap(self, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.checkout / "scripts" / "bootstrap")]
        return subprocess.run(command, env={"PATH": str(self.bin), **environment}, capture_output=True, text=True, check=False, timeout=300)

    def calls(self) -> list[str]:
        return (self.checkout / "calls").read_text().splitlines()

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("venv", "pip"), [(True, True), (False, True)], ids=["with venv", "with pip alone"])
def test_installs_uv_and_syncs(machine: Machine, venv: bool, pip: bool) -> None:
    machine.python(venv=venv, pip=pip)

    done = machine.bootstrap()

    assert done.returncode == 0, done.stderr
    assert machine.calls() == [f"uv sync --frozen --quiet --python {machine.bin / 'python3'}"]
    assert [path.name.startswith("uv-") for path in (machine.checkout / ".tools").iterdir()] == [True]
    assert "installing uv" in done.stderr


def test_installs_uv_once(machine: Machine) -> None:
    machine.python()
    machine.bootstrap()

    assert "installing uv" not in machine.bootstrap().stderr


def test_keeps_the_interpreter_that_the_environment_has(machine: Machine) -> None:
    machine.python()
    machine.bootstrap()
    (machine.checkout / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(machine.bin / "python3", machine.checkout / ".venv" / "bin" / "python")

    machine.bootstrap()

    assert machine.calls()[-1] == "uv sync --frozen --quiet"


def test_takes_the_first_python_that_is_new_enough(machine: Machine) -> None:
    machine.python("python3", new_enough=False)
    machine.python("python3.12")

    machine.bootstrap()

    assert machine.calls() == [f"uv sync --frozen --quiet --python {machine.bin / 'python3.12'}"]


def test_takes_the_python_that_is_named(machine: Machine) -> None:
    machine.python("python3")
    machine.python("python3.13")

    machine.bootstrap(PYTHON="python3.13")

    assert machine.calls() == [f"uv sync --frozen --quiet --python {machine.bin / 'python3.13'}"]


def test_says_that_no_python_is_new_enough(machine: Machine) -> None:
    machine.python("python3", new_enough=False)

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "no Python from 3.11 to 3.14 found: install one, or name it" in done.stderr


def test_says_that_the_python_named_does_not_fit(machine: Machine) -> None:
    machine.python("python3")
    machine.python("python3.9", new_enough=False)

    done = machine.bootstrap(PYTHON="python3.9")

    assert done.returncode == 1
    assert "PYTHON=python3.9 is not a Python from 3.11 to 3.14" in done.stderr


def test_says_what_to_install_where_python_has_neither_venv_nor_pip(machine: Machine) -> None:
    machine.python(venv=False, pip=False)

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert list((machine.checkout / ".tools").iterdir()) == [], "nothing half-done stays"


def test_says_that_pip_could_not_install(machine: Machine) -> None:
    machine.python(venv=True, pip=False)

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "pip could not install uv" in done.stderr
