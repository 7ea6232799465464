"""A control plane: one that is there already (KUBECONFIG_TEST, kind), else our own processes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.control_plane.build import Binaries, binaries
from tests.control_plane.processes import ChildProcess, free_port

_READY_DEADLINE_S = 60
_AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Request"}]}


class KubectlError(RuntimeError):
    """kubectl ended with an error; the message is what it printed."""


class Cluster:
    """Any cluster that a KUBECONFIG leads to."""

    def __init__(self, kubeconfig: Path, kubectl: str) -> None:
        """`kubectl` is the program's path."""
        self.kubeconfig = kubeconfig
        self.kubectl_path = kubectl

    def __enter__(self) -> Cluster:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """It is not ours to stop."""

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = 60) -> str:
        """Run kubectl and return what it prints. Raises KubectlError where it fails, unless `check` is off: then errors are returned too."""
        done = subprocess.run(
            [self.kubectl_path, f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s,
        )  # fmt: skip
        if done.returncode and check:
            raise KubectlError(done.stderr or done.stdout)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, *objects: dict[str, Any] | str | Path) -> str:
        """Apply objects, YAML text or files with kubectl."""
        texts = [o.read_text() if isinstance(o, Path) else o if isinstance(o, str) else yaml.safe_dump(o) for o in objects]
        return self.kubectl("apply", "-f", "-", stdin="\n---\n".join(texts))

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get ... -o json` answers."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def install_crds(self, folder: Path) -> None:
        """Apply all CRDs of a folder and wait until they are served."""
        self.kubectl("apply", "--server-side", "-f", str(folder))
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(folder))


class ControlPlane(Cluster):
    """etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1, in a folder of their own."""

    def __init__(self, folder: Path | None = None, *, audit: bool = False) -> None:
        """`folder` is made where it is not there, and removed at the end unless it was given; `audit` keeps a log of all requests."""
        self._programs: Binaries = binaries()
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="control-plane-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        super().__init__(self.folder / "kubeconfig", self._programs.kubectl)
        self._audit = audit
        self._token = secrets.token_hex(16)
        self._running: list[ChildProcess] = []
        self.apiserver: ChildProcess
        self._port = free_port()
        self._etcd_port, self._peer_port, self._manager_port = free_port(), free_port(), free_port()

    def __enter__(self) -> ControlPlane:
        """Start everything; nothing stays behind where that fails."""
        try:
            self._prepare()
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """Stop all processes and remove the folder that was made for them."""
        self._stop_processes()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def wipe(self) -> None:
        """Lose everything that was in etcd and start again at the same address: what a restored cluster has lost."""
        self._stop_processes()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)
        self._start_all()

    def restart_apiserver(self) -> None:
        """End the API server and start it again: watches break."""
        self.apiserver.kill()
        self._running.remove(self.apiserver)
        self._start_apiserver()

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Yield the audit log's events."""
        path = self.folder / "audit.log"
        for line in path.read_text().splitlines():
            yield json.loads(line)

    def _prepare(self) -> None:
        (self.folder / "tokens.csv").write_text(f"{self._token},admin,admin,system:masters\n")
        (self.folder / "audit-policy.yaml").write_text(json.dumps(_AUDIT_POLICY))
        key = self.folder / "sa.key"
        _write_key(key)
        cluster = {"server": f"https://127.0.0.1:{self._port}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }  # fmt: skip
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def _start_all(self) -> None:
        self._start_etcd()
        self._start_apiserver()
        manager = self._start(
            "kube-controller-manager", self._programs.kube_controller_manager,
            f"--kubeconfig={self.kubeconfig}", f"--secure-port={self._manager_port}", "--bind-address=127.0.0.1",
            "--use-service-account-credentials", f"--service-account-private-key-file={self.folder / 'sa.key'}",
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller", "--leader-elect=false",
        )  # fmt: skip
        manager.wait_until(self._has_default_account, _READY_DEADLINE_S)

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        etcd = self._start(
            "etcd", self._programs.etcd, f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync", "--log-level=error",
        )  # fmt: skip
        etcd.wait_until(lambda: _answers(f"{client}/health"), _READY_DEADLINE_S)

    def _start_apiserver(self) -> None:
        key = self.folder / "sa.key"
        audit = (f"--audit-policy-file={self.folder / 'audit-policy.yaml'}", f"--audit-log-path={self.folder / 'audit.log'}")
        self.apiserver = self._start(
            "kube-apiserver", self._programs.kube_apiserver,
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}", f"--secure-port={self._port}", "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certificates'}", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={self.folder / 'tokens.csv'}", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24", *(audit if self._audit else ()),
        )  # fmt: skip
        self.apiserver.wait_until(lambda: _answers(f"https://127.0.0.1:{self._port}/readyz", self._token), _READY_DEADLINE_S)

    def _has_default_account(self) -> bool:
        return "default" in self.kubectl("get", "serviceaccount", "-n", "default", "-o", "name", check=False)

    def _start(self, name: str, *command: str) -> ChildProcess:
        process = ChildProcess(name, command, self.folder / f"{name}.log")
        self._running.append(process)
        return process

    def _stop_processes(self) -> None:
        for process in reversed(self._running):
            # The API server does not end while clients watch.
            process.stop(patience_s=1)
        self._running.clear()


def _write_key(path: Path) -> None:
    """Write an RSA key for service-account tokens."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    )
    path.chmod(0o600)


def _answers(url: str, token: str = "") -> bool:
    """Tell whether an HTTP endpoint answers with success."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    context = ssl._create_unverified_context() if url.startswith("https") else None
    try:
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def control_plane(folder: Path | None = None, *, audit: bool = False) -> Cluster:
    """Return a control plane, in this order: KUBECONFIG_TEST, a kind cluster, our own processes. Use it as a context manager."""
    given = os.environ.get("KUBECONFIG_TEST")
    if given:
        return Cluster(Path(given), _kubectl())
    if _kind_is_there():
        return KindCluster(folder)
    return ControlPlane(folder, audit=audit)


def _kubectl() -> str:
    return shutil.which("kubectl") or binaries().kubectl


def _kind_is_there() -> bool:
    if os.environ.get("KUBEBUILDER_ASSETS") or not (shutil.which("kind") and shutil.which("docker")):
        return False
    return _succeeds(["docker", "info"])


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class KindCluster(Cluster):
    """A kind cluster of its own name, deleted at the end."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` receives the KUBECONFIG."""
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kind-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name = f"ecs-release-{os.getpid()}-{int(time.time())}"
        super().__init__(self.folder / "kubeconfig", _kubectl())

    def __enter__(self) -> KindCluster:
        """Create it."""
        try:
            subprocess.run(
                ["kind", "create", "cluster", "--name", self._name, "--kubeconfig", str(self.kubeconfig), "--wait", "120s"],
                check=True, timeout=600,
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Delete it."""
        subprocess.run(["kind", "delete", "cluster", "--name", self._name], check=False, timeout=120)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
