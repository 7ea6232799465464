"""Any cluster that a KUBECONFIG leads to, and what tests do with one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml


class KubectlError(RuntimeError):
    """kubectl ended with an error; the message is what it printed."""


class Cluster:
    """A cluster that runs. As a context manager it is stopped at the end where it is ours."""

    def __init__(self, kubeconfig: Path, kubectl: str, cache: Path | None = None) -> None:
        """`kubectl` is the program's path; `cache` is where it keeps what it has learnt of the API, its usual place where not given."""
        self.kubeconfig = kubeconfig
        self.kubectl_path = kubectl
        self._options = [f"--kubeconfig={kubeconfig}", *([f"--cache-dir={cache}"] if cache else [])]

    def __enter__(self) -> Cluster:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """It is not ours to stop."""

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout_s: float = 60) -> str:
        """Run kubectl and return what it prints. Raises KubectlError where it fails, unless `check` is off: then errors are returned too."""
        done = subprocess.run(
            [self.kubectl_path, *self._options, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s
        )
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

    def can(self, user: str, verb: str, resource: str, *scope: str) -> bool:
        """Return whether RBAC lets a user do something by now; `scope` is `-n` and a namespace, or `-A`."""
        try:
            self.kubectl("auth", "can-i", verb, resource, *scope, f"--as={user}")
        except KubectlError:
            return False
        return True

    def install_crds(self, folder: Path) -> None:
        """Apply all CRDs of a folder, if there are any, and wait until they are served."""
        if not any(folder.glob("*.yaml")):
            return
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder))
        self.kubectl("wait", "--for=condition=Established", "--timeout=300s", "-f", str(folder))

    def service_account_kubeconfig(self, namespace: str, name: str, *, duration: str = "12h") -> Path:
        """Write a KUBECONFIG, beside ours, of a service account that is there, with a real token: what RBAC says of it is then true of us."""
        token = self.kubectl("create", "token", name, "--namespace", namespace, f"--duration={duration}").strip()
        config = json.loads(self.kubectl("config", "view", "--minify", "--raw", "--flatten", "-o", "json"))
        config["users"] = [{"name": name, "user": {"token": token}}]
        config["contexts"][0]["context"]["user"] = name
        path = self.kubeconfig.with_name(f"{self.kubeconfig.name}-{namespace}-{name}")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path
