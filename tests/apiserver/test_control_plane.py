"""The control plane for tests: real where it matters, apart from others, and gone whatever happens."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_plane import control_plane as module
from tests.control_plane.cluster import Cluster, KubectlError
from tests.control_plane.control_plane import ControlPlane, control_plane
from tests.control_plane.processes import ChildProcess
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = {"etcd", "kube-apiserver", "kube-controller-manager"}


@pytest.fixture(scope="module")
def own() -> Iterator[ControlPlane]:
    """A control plane that these tests may break."""
    with ControlPlane() as running:
        yield running


def eventually(condition: Callable[[], Any], deadline_s: float = PATIENCE_S) -> Any:
    until = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)
    return value


def programs_of(folder: Path) -> dict[str, int]:
    """Return the processes, by name, whose command line speaks of a folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().split(b"\0")
            name = Path(command[0].decode()).name
            if name in PROGRAMS and any(str(folder).encode() in argument for argument in command):
                found[name] = int(path.parent.name)
    return found


def listeners(pids: set[int]) -> set[str]:
    """Return the addresses, in hexadecimal, on which processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes |= set(re.findall(r"socket:\[(\d+)\]", str(link.readlink())))
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


class TestRunning:
    """What runs is a real control plane."""

    def test_owned_objects_are_collected(self, own: ControlPlane) -> None:
        own.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner", "namespace": "default"}})
        owner = own.get("configmap", "owner")
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        owned = {"name": "owned", "namespace": "default", "ownerReferences": [reference]}
        own.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": owned})

        own.kubectl("delete", "configmap", "owner")

        eventually(lambda: "NotFound" in own.kubectl("get", "configmap", "owned", check=False))

    def test_a_service_account_may_do_what_its_roles_say(self, own: ControlPlane) -> None:
        own.kubectl("create", "serviceaccount", "reader")
        own.kubectl("create", "role", "read", "--verb=list", "--resource=configmaps")
        own.kubectl("create", "rolebinding", "read", "--role=read", "--serviceaccount=default:reader")

        reader = Cluster(own.service_account_kubeconfig("default", "reader"), own.kubectl_path)

        assert reader.get("configmaps")["kind"] == "List"
        with pytest.raises(KubectlError, match=r"system:serviceaccount:default:reader.*cannot list resource .secrets."):
            reader.kubectl("get", "secrets")

    def test_clients_verify_its_certificate(self, own: ControlPlane, tmp_path: Path) -> None:
        config = yaml.safe_load(own.kubeconfig.read_text())
        del config["clusters"][0]["cluster"]["certificate-authority-data"]
        (tmp_path / "without-authority").write_text(yaml.safe_dump(config))

        with pytest.raises(KubectlError, match="certificate signed by unknown authority"):
            Cluster(tmp_path / "without-authority", own.kubectl_path).kubectl("get", "namespaces")
        assert "insecure-skip-tls-verify" not in own.kubeconfig.read_text()

    def test_nobody_else_reads_its_secrets(self, own: ControlPlane) -> None:
        secret = [own.kubeconfig, own.folder / "tokens.csv", *(own.folder / "certificates").glob("*.key")]

        assert {path.name: path.stat().st_mode & 0o077 for path in secret} == {path.name: 0 for path in secret}

    def test_listens_on_loopback_only(self, own: ControlPlane) -> None:
        pids = programs_of(own.folder)

        assert set(pids) == PROGRAMS
        assert listeners(set(pids.values())) == {"0100007F"}

    def test_wiped_it_is_empty_at_the_same_address(self, own: ControlPlane) -> None:
        own.kubectl("create", "namespace", "lost")
        before = own.kubeconfig.read_text()

        own.wipe()

        assert "NotFound" in own.kubectl("get", "namespace", "lost", check=False)
        assert own.kubeconfig.read_text() == before

    def test_a_restarted_api_server_has_lost_nothing(self, own: ControlPlane) -> None:
        own.kubectl("create", "namespace", "kept")
        pid = own.apiserver.pid

        own.restart_apiserver()

        assert own.get("namespace", "kept")["metadata"]["name"] == "kept"
        assert own.apiserver.pid != pid

    def test_a_paused_api_server_answers_nothing_until_it_goes_on(self, own: ControlPlane) -> None:
        with own.apiserver.paused():
            answer = own.kubectl("get", "namespaces", "--request-timeout=500ms", check=False)

        assert "default" not in answer
        assert own.get("namespace", "default")["metadata"]["name"] == "default"

    def test_the_audit_log_tells_who_asked_for_what(self, cluster: Cluster) -> None:
        if not isinstance(cluster, ControlPlane):
            pytest.skip("needs a control plane of our own processes")
        cluster.kubectl("get", "namespace", "no-such-namespace", check=False)

        def asked() -> list[dict[str, Any]]:
            events = [e for e in cluster.audit_events() if e["user"].get("username") == "admin"]
            return [e for e in events if e.get("objectRef", {}).get("name") == "no-such-namespace"]

        event = eventually(asked)[0]
        assert (event["verb"], event["responseStatus"]["code"]) == ("get", 404)

    def test_an_empty_folder_of_crds_is_no_error(self, own: ControlPlane, tmp_path: Path) -> None:
        own.install_crds(tmp_path)


class TestApart:
    """Two run side by side and never meet."""

    def test_two_side_by_side(self, own: ControlPlane) -> None:
        with ControlPlane() as other:
            other.kubectl("create", "namespace", "only-there")

            assert "NotFound" in own.kubectl("get", "namespace", "only-there", check=False)
            assert not set(own._ports) & set(other._ports)
        assert not other.folder.exists()

    def test_one_folder_holds_one(self, own: ControlPlane) -> None:
        second = ControlPlane(own.folder)

        with pytest.raises(RuntimeError, match=f"another control plane runs in {own.folder}"), second:
            pass
        assert set(programs_of(own.folder)) == PROGRAMS

    def test_a_port_that_somebody_took_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who does not share our locks binds between our look and our start."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            real, offered = module.free_port, [taken.getsockname()[1]]
            monkeypatch.setattr(module, "free_port", lambda: offered.pop() if offered else real())

            with ControlPlane() as running:
                assert running.get("namespace", "default")
                assert taken.getsockname()[1] not in running._ports


class TestEnd:
    """Nothing stays behind."""

    def test_a_failed_start_leaves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_CONTROLLERS", "no-such-controller")
        plane = ControlPlane()

        with pytest.raises(RuntimeError, match="no-such-controller"), plane:
            pass

        assert programs_of(plane.folder) == {}
        assert not plane.folder.exists()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_the_command_stops_everything_when_stopped(self, tmp_path: Path, number: signal.Signals) -> None:
        with command(tmp_path) as process:
            ready(process, tmp_path)
            assert set(programs_of(tmp_path)) == PROGRAMS

            process.signal(number)

            eventually(lambda: process.exit_code is not None)
        assert process.exit_code == 0
        assert programs_of(tmp_path) == {}

    def test_stopped_while_it_starts(self, tmp_path: Path) -> None:
        with command(tmp_path) as process:
            eventually(lambda: "etcd" in programs_of(tmp_path))

            process.signal(signal.SIGTERM)

            eventually(lambda: process.exit_code is not None)
        assert process.exit_code == 130
        assert programs_of(tmp_path) == {}

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
    def test_killed_without_a_chance_to_stop_anything(self, tmp_path: Path) -> None:
        with command(tmp_path) as process:
            ready(process, tmp_path)

            process.kill()

            eventually(lambda: programs_of(tmp_path) == {}, 5)

    def test_a_child_outlives_the_thread_that_asked_for_it(self, tmp_path: Path) -> None:
        import threading

        children: list[ChildProcess] = []
        thread = threading.Thread(target=lambda: children.append(ChildProcess("sleep", ["sleep", "60"], tmp_path / "log")))
        thread.start()
        thread.join()

        with pytest.raises(subprocess.TimeoutExpired):
            children[0]._process.wait(0.3)
        assert children[0].stop() == -signal.SIGTERM


class TestChoice:
    """Which control plane is taken."""

    def test_the_one_that_is_given_goes_first(self, own: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG_TEST", str(own.kubeconfig))

        with control_plane() as given:
            assert given.kubeconfig == own.kubeconfig
        assert own.get("namespace", "default"), "it is not ours to stop"

    def test_one_that_is_given_and_not_there_is_an_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("KUBECONFIG_TEST", str(tmp_path / "none"))

        with pytest.raises(FileNotFoundError, match="KUBECONFIG_TEST names"):
            control_plane()

    def test_kind_goes_before_our_own_only_where_docker_answers(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("KUBECONFIG_TEST", raising=False)
        monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
        monkeypatch.delenv("ECS_RELEASE_TEST_KIND", raising=False)
        log = tmp_path / "calls"
        fake(tmp_path / "kind", f'echo "kind $*" >> {log}')
        fake(tmp_path / "kubectl", "true")
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        fake(tmp_path / "docker", "exit 1")
        monkeypatch.setattr(module, "ControlPlane", lambda *_, **__: "our own")
        assert control_plane() == "our own"

        fake(tmp_path / "docker", "exit 0")
        with control_plane():
            created = log.read_text()
        monkeypatch.setenv("ECS_RELEASE_TEST_KIND", "never")
        assert control_plane() == "our own"
        name = re.search(r"create cluster --name (\S+) --kubeconfig", created)

        assert name
        assert log.read_text().splitlines()[-1] == f"kind delete cluster --name {name[1]}"


def fake(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@contextlib.contextmanager
def command(folder: Path) -> Iterator[ChildProcess]:
    environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG_TEST"} | {"PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-m", "tests.control_plane", "up", str(folder)]
    process = ChildProcess("up", arguments, folder / "up.log", environment)
    try:
        yield process
    finally:
        process.stop()
        left = programs_of(folder)
        for pid in left.values():
            os.kill(pid, signal.SIGKILL)
        assert not left, "it left processes behind"


def ready(process: ChildProcess, folder: Path) -> None:
    process.wait_until(lambda: str(folder / "kubeconfig") in process.tail(), PATIENCE_S)


def test_the_module_pins_one_kubernetes_version() -> None:
    """Kubernetes' own modules are taken from one release, for helm, too: go.mod's v0.x.y of each is the v1.x.y of all.

    kube-openapi has no releases; kubeconform asks for a newer one than Kubernetes, whose API must not change by that.
    """
    from tests.control_plane.build import VERSION
    from tests.control_plane.compile import MODULE

    go_mod = subprocess.run(["go", "mod", "edit", "-json"], cwd=MODULE, capture_output=True, check=True, timeout=300).stdout
    parsed = json.loads(go_mod)
    required = {r["Path"]: r["Version"] for r in parsed["Require"]}

    replaced = {r["Old"]["Path"]: r["New"]["Version"] for r in parsed["Replace"]}

    assert required["k8s.io/kubernetes"] == VERSION
    assert replaced.pop("k8s.io/kube-openapi", None)
    assert set(replaced.values()) == {VERSION.replace("v1.", "v0.")}
