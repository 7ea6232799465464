"""The hash of a revision's content: it tells a revision that was registered with our tags from a copy that took them along.

ECS does not answer what it was given: it adds defaults, leaves empty lists out or puts them in, and promises no order. Nor may a later
version of ECS change a hash: it adds fields to revisions that have long been there (`enableFaultInjection` and `versionConsistency` came
so). So what is hashed are the fields that are listed here, without what is empty or a default, and with all lists in one order except
those whose order means something (Amazon ECS API reference, "RegisterTaskDefinition" and "ContainerDefinition").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_VERSION = "1"
"""Of what is hashed and how. A hash of another version is not compared."""
_FIELDS = frozenset(
    {
        "family", "taskRoleArn", "executionRoleArn", "networkMode", "volumes", "placementConstraints", "requiresCompatibilities", "cpu",
        "memory", "pidMode", "ipcMode", "proxyConfiguration", "inferenceAccelerators", "ephemeralStorage", "runtimePlatform",
    }
)  # fmt: skip
_CONTAINER_FIELDS = frozenset(
    {
        "name", "image", "repositoryCredentials", "cpu", "memory", "memoryReservation", "links", "portMappings", "essential",
        "restartPolicy", "entryPoint", "command", "environment", "environmentFiles", "mountPoints", "volumesFrom", "linuxParameters",
        "secrets", "dependsOn", "startTimeout", "stopTimeout", "hostname", "user", "workingDirectory", "disableNetworking", "privileged",
        "readonlyRootFilesystem", "dnsServers", "dnsSearchDomains", "extraHosts", "dockerSecurityOptions", "interactive",
        "pseudoTerminal", "dockerLabels", "ulimits", "logConfiguration", "healthCheck", "systemControls", "resourceRequirements",
        "firelensConfiguration", "credentialSpecs",
    }
)  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {"essential": True, "protocol": "tcp", "interval": 30, "timeout": 5, "retries": 3}
"""What ECS fills in, by the names of fields, whatever they are fields of."""
_ORDERED = frozenset({"entryPoint", "command"})


def content_hash(content: Mapping[str, Any]) -> str:
    """Hash a revision's content, in the keys of RegisterTaskDefinition: equal as it is sent and as it is described. 34 characters."""
    chosen = {k: v for k, v in content.items() if k in _FIELDS}
    chosen["containerDefinitions"] = [
        {k: v for k, v in container.items() if k in _CONTAINER_FIELDS} for container in content.get("containerDefinitions") or ()
    ]
    text = json.dumps(_canonical(chosen), sort_keys=True, separators=(",", ":"))
    return f"{_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def is_comparable(said: str) -> bool:
    """Return whether a hash was made in the way of `content_hash`: one of another version, or an empty one, says nothing."""
    return said.partition("-")[0] == _VERSION


def _canonical(value: Any, field: str = "") -> Any:
    """Return a value without what is empty or a default, with lists and numbers in one form."""
    if isinstance(value, Mapping):
        # awsvpc: ECS fills in a host port that equals the container's (API reference, "PortMapping").
        redundant = "hostPort" if value.get("hostPort") == value.get("containerPort") else ""
        found = {k: _canonical(v, k) for k, v in value.items() if k != redundant and _DEFAULTS.get(k) != v}
        return {k: v for k, v in found.items() if v or k in _DEFAULTS}
    if isinstance(value, list | tuple):
        items = [_canonical(item) for item in value]
        return items if field in _ORDERED else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return int(value) if isinstance(value, float) and value.is_integer() else value
