"""The environment of processes that tests start: what whoever runs the tests has set for themselves is none of their business."""

from __future__ import annotations

import os

_NOBODYS = ("AWS_", "ECS_RELEASE_", "KUBE", "GIT_", "GITHUB_", "NO_COLOR")


def plain(*more: str) -> dict[str, str]:
    """Return our own environment without credentials, clusters, settings, repositories and the like; nor what begins as `more` says."""
    return {name: value for name, value in os.environ.items() if not name.startswith((*_NOBODYS, *more))}
