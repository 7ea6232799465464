"""A kind cluster, for those who have kind and a Docker engine: its nodes are real."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.control_plane.cluster import Cluster

_CREATE_DEADLINE_S = 600


def kind_is_there() -> bool:
    """Return whether kind can be used, and nobody wants something else: KUBEBUILDER_ASSETS, or ECS_RELEASE_TEST_KIND=never."""
    unwanted = os.environ.get("KUBEBUILDER_ASSETS") or os.environ.get("ECS_RELEASE_TEST_KIND") == "never"
    if unwanted or not (shutil.which("kind") and shutil.which("docker")):
        return False
    return _succeeds(["docker", "info"])


class KindCluster(Cluster):
    """A kind cluster of its own name, deleted at the end."""

    def __init__(self, kubectl: str, folder: Path | None = None) -> None:
        """`folder` receives the KUBECONFIG."""
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kind-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = f"ecs-release-{secrets.token_hex(4)}"
        super().__init__(self.folder / "kubeconfig", kubectl, self.folder / "kubectl-cache")

    def __enter__(self) -> KindCluster:
        """Create it, of the node image that ECS_RELEASE_TEST_KIND_IMAGE names; nothing stays behind where that fails."""
        image = os.environ.get("ECS_RELEASE_TEST_KIND_IMAGE")
        try:
            subprocess.run(
                ["kind", "create", "cluster", "--name", self.name, "--kubeconfig", str(self.kubeconfig), "--wait", "120s",
                 *(["--image", image] if image else [])],
                check=True, timeout=_CREATE_DEADLINE_S,
            )  # fmt: skip
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Delete it."""
        subprocess.run(["kind", "delete", "cluster", "--name", self.name], check=False, timeout=120)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
