"""A control plane: one that is there already (KUBECONFIG_TEST, kind), else our own processes."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
import ssl
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import yaml

from tests.control_plane.build import binaries
from tests.control_plane.certificates import write_certificates
from tests.control_plane.cluster import Cluster, KubectlError
from tests.control_plane.kind import KindCluster, kind_is_there
from tests.control_plane.ports import free_port, release_port
from tests.control_plane.processes import ChildProcess

_READY_DEADLINE_S = 300
_ATTEMPTS = 3
_CONTROLLERS = "garbage-collector-controller,namespace-controller,serviceaccount-controller,clusterrole-aggregation-controller"
_AUDIT_POLICY = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Request"}]}

__all__ = ["Cluster", "ControlPlane", "KindCluster", "KubectlError", "control_plane"]


def control_plane(folder: Path | None = None, *, audit: bool | Mapping[str, Any] = False) -> Cluster:
    """Return a control plane, in this order: KUBECONFIG_TEST, a kind cluster, our own processes. Use it as a context manager.

    `audit` has only our own processes keep an audit log.
    """
    given = os.environ.get("KUBECONFIG_TEST")
    if given:
        if not Path(given).is_file():
            raise FileNotFoundError(f"KUBECONFIG_TEST names {given}, and there is no such file")
        return Cluster(Path(given).absolute(), _kubectl())
    if kind_is_there():
        return KindCluster(_kubectl(), folder)
    return ControlPlane(folder, audit=audit)


class ControlPlane(Cluster):
    """etcd, kube-apiserver and kube-controller-manager on free ports of 127.0.0.1, in a folder of their own.

    There are no nodes: nothing runs in pods. Garbage collection, namespaces, service accounts and RBAC, aggregated roles too, are real.
    """

    def __init__(self, folder: Path | None = None, *, audit: bool | Mapping[str, Any] = False) -> None:
        """`folder` is made where it is not there, and removed at the end unless it was given; `audit` keeps a log of requests.

        That is of all with their bodies, or as an audit policy has it.
        """
        self._programs = binaries()
        self._own_folder = folder is None
        self.folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="control-plane-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._certificates = self.folder / "certificates"
        super().__init__(self.folder / "kubeconfig", self._programs.kubectl, self.folder / "kubectl-cache")
        self._audit = _AUDIT_POLICY if audit is True else audit
        self._token = secrets.token_hex(16)
        self._tls: ssl.SSLContext | None = None
        self._running: list[ChildProcess] = []
        self._ports: list[int] = []
        self._lock: TextIOWrapper | None = None
        self.apiserver: ChildProcess

    def __enter__(self) -> ControlPlane:
        """Start everything; nothing stays behind where that fails."""
        self._take_folder()
        try:
            self._start_on_free_ports()
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
        if self._lock:
            self._lock.close()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def wipe(self) -> None:
        """Lose everything that was in etcd and start again at the same address: what a restored cluster has lost."""
        self._stop_processes(keep_ports=True)
        self._start_empty()

    def restart_apiserver(self) -> None:
        """Kill the API server and start it again: watches break, what etcd holds stays."""
        self.apiserver.kill()
        self._running.remove(self.apiserver)
        self._start_apiserver()

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Yield the audit log's events so far. Raises FileNotFoundError without `audit`."""
        # Texts may hold other line breaks of Unicode's, which a file is not read by. What follows the last one may be half written.
        with (self.folder / "audit.log").open() as log:
            for line in log:
                if line.endswith("\n"):
                    yield json.loads(line)

    def _take_folder(self) -> None:
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise RuntimeError(f"another control plane runs in {self.folder}: stop it, or name another folder") from error
        self._lock = lock

    def _start_on_free_ports(self) -> None:
        write_certificates(self._certificates)
        self._tls = ssl.create_default_context(cafile=str(self._certificates / "ca.crt"))
        (self.folder / "tokens.csv").touch(mode=0o600)
        (self.folder / "tokens.csv").write_text(f"{self._token},admin,admin,system:masters\n")
        (self.folder / "audit-policy.yaml").write_text(json.dumps(self._audit or _AUDIT_POLICY))
        for attempt in range(1, _ATTEMPTS + 1):
            self._ports = [free_port() for _ in range(4)]
            self._write_kubeconfig()
            try:
                return self._start_empty()
            except RuntimeError as error:
                self._stop_processes()
                # Somebody else, who does not share our locks, was quicker.
                if attempt == _ATTEMPTS or "address already in use" not in str(error):
                    raise

    def _write_kubeconfig(self) -> None:
        authority = (self._certificates / "ca.crt").read_bytes()
        cluster = {"server": self._url, "certificate-authority-data": base64.b64encode(authority).decode()}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }  # fmt: skip
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(config))

    @property
    def _url(self) -> str:
        return f"https://127.0.0.1:{self._ports[0]}"

    def _start_empty(self) -> None:
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)
        self._start_etcd()
        self._start_apiserver()
        self._start_controller_manager()

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in self._ports[1:3])
        etcd = self._start(
            "etcd", self._programs.etcd, f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            # Nothing here outlives the machine.
            "--unsafe-no-fsync", "--log-level=error",
        )  # fmt: skip
        etcd.wait_until(lambda: self._answers(f"{client}/health"), _READY_DEADLINE_S)

    def _start_apiserver(self) -> None:
        files = self._certificates
        audit = (f"--audit-policy-file={self.folder / 'audit-policy.yaml'}", f"--audit-log-path={self.folder / 'audit.log'}")
        self.apiserver = self._start(
            "kube-apiserver", self._programs.kube_apiserver,
            f"--etcd-servers=http://127.0.0.1:{self._ports[1]}", f"--secure-port={self._ports[0]}", "--bind-address=127.0.0.1",
            f"--cert-dir={files}", f"--tls-cert-file={files / 'serving.crt'}", f"--tls-private-key-file={files / 'serving.key'}",
            f"--service-account-key-file={files / 'sa.key'}", f"--service-account-signing-key-file={files / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", *(audit if self._audit else ()),
        )  # fmt: skip
        self.apiserver.wait_until(lambda: self._answers(f"{self._url}/readyz"), _READY_DEADLINE_S)

    def _start_controller_manager(self) -> None:
        manager = self._start(
            "kube-controller-manager", self._programs.kube_controller_manager,
            f"--kubeconfig={self.kubeconfig}", f"--secure-port={self._ports[3]}", "--bind-address=127.0.0.1",
            f"--cert-dir={self._certificates / 'controller-manager'}", "--use-service-account-credentials",
            f"--service-account-private-key-file={self._certificates / 'sa.key'}", f"--controllers={_CONTROLLERS}", "--leader-elect=false",
        )  # fmt: skip
        account = f"{self._url}/api/v1/namespaces/default/serviceaccounts/default"
        manager.wait_until(lambda: self._answers(account), _READY_DEADLINE_S)

    def _start(self, name: str, *command: str) -> ChildProcess:
        process = ChildProcess(name, command, self.folder / f"{name}.log")
        self._running.append(process)
        return process

    def _stop_processes(self, *, keep_ports: bool = False) -> None:
        for process in reversed(self._running):
            # The API server does not end while clients watch.
            process.stop(patience_s=1)
        self._running.clear()
        while self._ports and not keep_ports:
            release_port(self._ports.pop())

    def _answers(self, url: str) -> bool:
        """Return whether an HTTP endpoint answers with success."""
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self._token}"})
        try:
            with urllib.request.urlopen(request, timeout=2, context=self._tls if url.startswith("https") else None) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _kubectl() -> str:
    return shutil.which("kubectl") or binaries().kubectl
