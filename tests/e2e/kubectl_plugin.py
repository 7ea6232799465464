"""The kubectl plugin as people run it: through kubectl, which finds it on the PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.control_plane.cluster import Cluster


@dataclass(frozen=True)
class Done:
    """What a run of the plugin left."""

    code: int
    out: str
    err: str


def ecs_release(
    cluster: Cluster,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str = "",
    check: bool = True,
) -> Done:
    """Run `kubectl ecs-release`. Raises AssertionError where it fails, unless `check` is off."""
    usual = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ECS_RELEASE_", "KUBE", "GIT_", "GITHUB_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), usual.get("PATH", "")])
    # kubectl hands a plugin its environment, and none of its own flags.
    everything = {**usual, "KUBECONFIG": str(cluster.kubeconfig), "GIT_CEILING_DIRECTORIES": "/", **(environment or {}), "PATH": path}
    done = subprocess.run(
        [cluster.kubectl_path, "ecs-release", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        env=everything,
        cwd=folder,
    )
    if check and done.returncode:
        raise AssertionError(f"kubectl ecs-release {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Done(done.returncode, done.stdout, done.stderr)
