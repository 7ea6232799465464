"""helm: it renders the chart and refuses values; and the matrix of values that golden files are kept of."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.chart.generate import CHART
from tests.chart.programs import programs

GOLDEN = Path(__file__).parent / "golden"
EVERYTHING: dict[str, Any] = {
    "nameOverride": "releases",
    "fullnameOverride": "releaser",
    "commonLabels": {"team": "platform"},
    "image": {"repository": "example.com/ecs-release-operator", "digest": f"sha256:{'a' * 64}", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 3,
    "settings": {"installation": "main", "logLevel": "debug", "awsRateShare": 0.25, "metricsReleaseConditions": False, "resyncSeconds": 7200},
    "ledger": {
        "table": "ecs-release-ledger", "region": "eu-west-1", "accountID": "999988887777", "roleARN": "arn:aws:iam::999988887777:role/ledger",
        "externalID": "ledger", "create": True,
    },
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "crds": {"keep": False},
    "policies": {"operators": ["other:operator"]},
    "rbac": {"readNamespaces": False},
    "userRoles": {"aggregate": False},
    "serviceAccount": {"name": "releaser-account", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::999988887777:role/operator"}},
    "metrics": {
        "port": 9090,
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"},
        "rules": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"folder": "ECS"}},
    },
    "probes": {"port": 9091},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egressPorts": [443],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    "runAsUser": 1000,
    "terminationGracePeriodSeconds": 60,
    "priorityClassName": "system-cluster-critical",
    "topologySpreadConstraints": [],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "platform", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "podAnnotations": {"example.com/x": "y"},
    "podLabels": {"example.com/z": "w"},
}  # fmt: skip
SHARDS = {"shards": {"prod": ["111122223333"], "europe": ["444455556666/eu-west-1", "444455556666/eu-central-1"]}}
NAMESPACED = {"watchNamespaces": ["shop", "storage"], "rbac": {"readNamespaces": False}}
COMMITS: dict[str, Any] = {
    "commits": {
        "enabled": True,
        "bindings": [
            {
                "hosts": ["git.example.com"], "repositories": ["shop/*"], "namespaces": ["shop", "shop-*"], "caFile": "/var/run/git/ca.crt",
                "credential": {"username": "x-access-token", "passwordFile": "/var/run/git/shop"},
            }
        ],
        "limits": {"answerSeconds": 20},
        "cache": {"maxBytes": 4294967296, "maxRepositories": 50},
        "credentialsSecret": "git",
        # A token that the chart makes is another one each time.
        "tokenSecret": "commits-token",
    },
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "interval": "15s"}},
}  # fmt: skip
BOARD: dict[str, Any] = {
    "board": {
        "enabled": True,
        "host": "releases.example.com",
        "groupsPrefix": "oidc:",
        "proxy": {"args": ["--provider=oidc", "--oidc-issuer-url=https://login.example.com", "--email-domain=*"], "secret": "board-login"},
        "ingress": {"enabled": True, "className": "nginx", "annotations": {"example.com/x": "y"}, "tlsSecret": "board-tls"},
        "gateway": {"parentRefs": [{"name": "public", "namespace": "gateways"}]},
        "networkPolicy": {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]},
    },
}
BOARD_NAMESPACED: dict[str, Any] = {**BOARD, **NAMESPACED}
BOARD_WITH_COMMITS: dict[str, Any] = {**BOARD, **COMMITS}
BOARD_LOAD_BALANCER: dict[str, Any] = {
    "board": {
        "enabled": True,
        "host": "releases.example.com",
        "loadBalancer": {
            "arns": ["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/board/0123456789abcdef"],
            "clientID": "board",
            "userClaim": "email",
        },
        "ingress": {"enabled": True, "className": "alb", "annotations": {"alb.ingress.kubernetes.io/target-type": "ip"}},
        "networkPolicy": {"from": [{"ipBlock": {"cidr": "10.0.0.0/20"}}]},
    },
    "ledger": {"table": "ecs-release-ledger", "region": "eu-west-1"},
}
CONNECTIONS: dict[str, Any] = {
    "connections": {
        "github": [
            {
                "name": "main",
                "app": {"id": 4711, "installationID": 81, "privateKeyFile": "/var/run/ecs-release-connections/github.pem"},
            }
        ],
        "slack": [{"name": "main", "tokenFile": "/var/run/ecs-release-connections/slack"}],
        "secret": "ecs-release-connections",
    },
    "podAnnotations": {"example.com/x": "y"},
}
MATRIX: dict[str, tuple[Mapping[str, Any], str]] = {
    "defaults": ({}, "1.36.3"),
    "everything": (EVERYTHING, "1.36.3"),
    "shards": (SHARDS, "1.36.3"),
    "one-replica": ({"replicas": 1, "settings": {"leaderElect": False}, "metrics": {"enabled": False}}, "1.36.3"),
    "guest": (
        {
            "policies": {"install": False}, "crds": {"install": False}, "userRoles": {"create": False}, "rbac": {"create": False},
            "serviceAccount": {"create": False, "name": "theirs"}, "podDisruptionBudget": {"enabled": False},
        },
        "1.36.3",
    ),
    "namespaced": (NAMESPACED, "1.36.3"),
    "commits": (COMMITS, "1.36.3"),
    "board": (BOARD, "1.36.3"),
    "board-namespaced": (BOARD_NAMESPACED, "1.36.3"),
    "board-with-commits": (BOARD_WITH_COMMITS, "1.36.3"),
    "board-load-balancer": (BOARD_LOAD_BALANCER, "1.36.3"),
    "connections": (CONNECTIONS, "1.36.3"),
    "old-kubernetes": ({}, "1.32.0"),
}  # fmt: skip
"""Values, and the cluster's version."""


class HelmError(RuntimeError):
    """helm ended with an error; the message is what it printed."""


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Run helm; the values come by standard input. Returns what it prints. Raises HelmError."""
    given = ["--values=-"] if values is not None else []
    # JSON: an unquoted y is true to helm's YAML.
    stdin = json.dumps(values) if values is not None else None
    done = subprocess.run(
        [programs().helm, *arguments, *given], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def render(
    values: Mapping[str, Any] | None = None,
    version: str = "1.36.3",
    name: str = "ecs-release-operator",
    namespace: str = "ecs-release",
    chart: Path = CHART,
) -> str:
    """Render the chart as `helm template` does, for a cluster of a version: `helm install` asks the cluster what it serves."""
    serves = ["--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"] if version >= "1.36" else []
    return helm("template", name, str(chart), f"--namespace={namespace}", f"--kube-version={version}", *serves, values=values or {})


def notes(folder: Path, values: Mapping[str, Any] | None = None, version: str = "1.36.3") -> str:
    """Return what is told after an installation. `helm template` leaves it out: a copy of the chart in a folder says it in a template."""
    copy = shutil.copytree(CHART, folder / "chart")
    text = (CHART / "templates" / "NOTES.txt").read_text()
    wrapped = '{{ define "notes" }}' + text + '{{ end }}\nkind: Notes\nmetadata: {name: notes}\ntext: {{ include "notes" . | toJson }}\n'
    (copy / "templates" / "notes.yaml").write_text(wrapped)
    return str(objects(render(values, version, chart=copy))["Notes", "notes"]["text"])


def objects(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return rendered objects by kind and name."""
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.safe_load_all(text) if o}


def golden(case: str) -> str:
    """Render a case of the matrix without the CRDs, whose templates have a test of their own: a golden file would be 120 KB more."""
    values, version = MATRIX[case]
    documents = render(values, version).split("\n---\n")
    return "\n---\n".join(d for d in documents if "\nkind: CustomResourceDefinition\n" not in d)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for one in MATRIX:
        (GOLDEN / f"{one}.yaml").write_text(golden(one))
