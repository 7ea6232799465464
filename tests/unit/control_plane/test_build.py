"""The build of the control plane: once, whole or not at all, and with a word to who waits. Go is played by a script."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.control_plane import compile as compiling
from tests.control_plane.build import Binaries, BuildError, binaries
from tests.control_plane.processes import ChildProcess

ROOT = Path(__file__).parent.parent.parent.parent
GO = """#!{python}
import os, pathlib, sys, time
log = pathlib.Path({log!r})
with log.open("a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1:] == ["env", "GOVERSION"]:
    print({version!r})
elif sys.argv[1] == "list":
    print("one\\ntwo\\nthree")
elif sys.argv[1] == "build":
    print("one", file=sys.stderr, flush=True)
    time.sleep({build_s})
    output, packages = sys.argv[sys.argv.index("-o") + 1], sys.argv[sys.argv.index("-o") + 2:]
    for package in packages:
        (pathlib.Path(output) / package.removesuffix("/v3").rsplit("/", 1)[1]).write_text("program")
    sys.exit({exit_code})
"""


class Go:
    """A Go that does as it is told, and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "go.log"
        self.log.touch()
        self.becomes()

    def becomes(self, version: str = "go1.26.8", build_s: float = 0, exit_code: int = 0) -> None:
        script = GO.format(python=sys.executable, log=str(self.log), version=version, build_s=build_s, exit_code=exit_code)
        (self.folder / "go").write_text(script)
        (self.folder / "go").chmod(0o755)

    def builds(self) -> int:
        return sum(line.startswith("build ") for line in self.log.read_text().splitlines())


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Go:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return Go(tmp_path / "bin")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "ecs-release-operator"


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_builds_once(go: Go, cache: Path) -> None:
    first = binaries()
    second = binaries()

    assert first == second
    assert [Path(path).read_text() for path in (first.etcd, first.kube_apiserver, first.kube_controller_manager, first.kubectl)] == [
        "program"
    ] * 4
    assert go.builds() == 1
    assert folders(cache) == [Path(first.etcd).parent]


def test_builds_again_for_another_go(go: Go) -> None:
    first = binaries()
    go.becomes(version="go1.27.1")

    assert binaries() != first


def test_two_at_once_build_once(go: Go) -> None:
    go.becomes(build_s=0.3)
    found: list[Binaries] = []
    threads = [threading.Thread(target=lambda: found.append(binaries())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == 3
    assert len(set(found)) == 1
    assert go.builds() == 1


def test_a_failed_build_leaves_nothing(go: Go, cache: Path) -> None:
    go.becomes(exit_code=1)

    with pytest.raises(BuildError, match=r"go build .* failed in .*tests/control_plane/module:\none"):
        binaries()

    assert folders(cache) == []


def test_a_killed_build_is_begun_anew(go: Go, cache: Path, tmp_path: Path) -> None:
    go.becomes(build_s=60)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = ChildProcess("build", [sys.executable, "-m", "tests.control_plane", "build"], tmp_path / "log", environment)
    process.wait_until(lambda: go.builds() == 1, 20)
    process.kill()
    assert [path.suffix for path in folders(cache)] == [".building"]
    (folders(cache)[0] / "half").write_text("")

    go.becomes()
    built = Path(binaries().etcd).parent

    assert folders(cache) == [built]
    assert sorted(path.name for path in built.iterdir()) == ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]


def test_a_build_that_hangs_is_given_up(go: Go, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go.becomes(build_s=60)
    monkeypatch.setenv("CI", "")
    monkeypatch.setattr(compiling, "_DEADLINE_S", 1)
    monkeypatch.setattr(compiling, "_REPORT_S", 0.2)

    with pytest.raises(BuildError, match="not built within 1 s"):
        binaries()

    assert folders(cache) == []


def test_what_nobody_used_for_a_month_is_removed(go: Go, cache: Path) -> None:
    old, recent = cache / "control-plane-old", cache / "control-plane-recent"
    for folder, days in ((old, 31), (recent, 29)):
        folder.mkdir(parents=True)
        os.utime(folder, (0, time.time() - days * 86400))

    binaries()

    assert not old.exists()
    assert recent.exists()


@pytest.mark.parametrize("version", ["go1.25.9", "", "devel +abc"])
def test_a_go_that_is_too_old_is_said(go: Go, version: str) -> None:
    go.becomes(version=version)

    with pytest.raises(BuildError, match=r"Go is .*: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS or KUBECONFIG_TEST"):
        binaries()


def test_no_go_is_said(go: Go) -> None:
    (go.folder / "go").unlink()

    with pytest.raises(BuildError, match=r"Go is needed .*: install Go"):
        binaries()


def test_assets_that_are_given_are_not_built(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert binaries().etcd == str(tmp_path / "etcd")
    assert go.log.read_text() == ""


def test_what_envtest_lacks_is_built(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """envtest ships no kube-controller-manager, and without one nothing is garbage-collected."""
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    found = binaries()

    assert found.kube_apiserver == str(tmp_path / "kube-apiserver")
    assert Path(found.kube_controller_manager).read_text() == "program"
    assert go.builds() == 1


@pytest.mark.parametrize(
    ("compiled", "elapsed_s", "said"),
    [
        (0, 5, "etcd: 0 of at most 600 packages, 5 s"),
        (300, 120, "etcd: 300 of at most 600 packages, 120 s, at most 2 min left"),
        (599, 240, "etcd: 599 of at most 600 packages, 240 s, at most 1 min left"),
        (600, 250, "etcd: linking, 250 s"),
    ],
)
def test_progress(compiled: int, elapsed_s: float, said: str) -> None:
    assert compiling._progress("etcd", compiled, 600, elapsed_s) == said
