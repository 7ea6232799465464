"""Objects for tests: valid, and no more than must be in them."""

from __future__ import annotations

from typing import Any

API = "ecs-release.dev/v1alpha1"


def release(namespace: str, name: str = "web", environment: str = "nowhere") -> dict[str, Any]:
    return {
        "apiVersion": API, "kind": "Release", "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": environment},
            "source": {"releaseHash": "3f2a91c"},
        },
    }  # fmt: skip


def environment(name: str) -> dict[str, Any]:
    return {
        "apiVersion": API, "kind": "Environment", "metadata": {"name": name},
        "spec": {
            "aws": {"accountID": "111122223333", "region": "eu-west-1", "roleARN": "arn:aws:iam::111122223333:role/releases"},
            "target": {"cluster": name, "serviceName": "{service}"},
            "artifacts": {"registryID": "111122223333", "region": "eu-west-1", "tagFormats": ["{releaseHash}"], "allowedRepositories": ["*"]},
        },
    }  # fmt: skip
