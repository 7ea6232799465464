"""Tags of ours count on a revision that we registered, and on no copy of it that somebody changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ecs_release.api.names import TAG_CONTENT
from ecs_release.domain.ecs.revision_content import content_hash
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership, ownership, with_ownership

SENT: dict[str, Any] = {
    "family": "web",
    "taskRoleArn": "arn:aws:iam::111122223333:role/web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "1024",
    "memory": "2048",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@sha256:" + "a" * 64,
            "portMappings": [{"containerPort": 8080}],
            "command": ["serve", "--port", "8080"],
            "environment": [{"name": "LEVEL", "value": "info"}, {"name": "SIZE", "value": "2"}],
            "secrets": [{"name": "DB", "valueFrom": "arn:aws:ssm:eu-west-1:111122223333:parameter/db"}],
            "healthCheck": {"command": ["CMD-SHELL", "true"]},
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "web", "awslogs-region": "eu-west-1"}},
        },
        {"name": "log", "image": "fluent/fluent-bit:3", "essential": False},
    ],
}


def container(index: int = 0, **fields: Any) -> dict[str, Any]:
    """The same content with other fields of a container; None leaves one out."""
    containers = [dict(c) for c in SENT["containerDefinitions"]]
    containers[index] = {k: v for k, v in (containers[index] | fields).items() if v is not None}
    return SENT | {"containerDefinitions": containers}


APP = SENT["containerDefinitions"][0]


@pytest.mark.parametrize(
    ("what", "described"),
    [
        ("the very same", SENT),
        ("empty lists and defaults of ECS", container(mountPoints=[], volumesFrom=[], systemControls=[], cpu=0, essential=True)),
        ("a port's defaults", container(portMappings=[{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}])),
        ("a health check's defaults", container(healthCheck=APP["healthCheck"] | {"interval": 30, "timeout": 5, "retries": 3})),
        ("another order of variables", container(environment=APP["environment"][::-1])),
        ("numbers of another type", container(cpu=0.0)),
        (
            "fields that ECS adds to all revisions one day",
            container(versionConsistency="enabled", warpDrive=True) | {"warpDrive": {"on": 1}},
        ),
        ("empty lists at the top", SENT | {"volumes": [], "placementConstraints": [], "enableFaultInjection": False}),
        ("another order of containers", SENT | {"containerDefinitions": SENT["containerDefinitions"][::-1]}),
    ],
)
def test_what_ecs_describes_has_the_hash_of_what_was_sent(what: str, described: dict[str, Any]) -> None:
    assert content_hash(described) == content_hash(SENT), what


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("another image", container(image="nginx:1")),
        ("another variable", container(environment=[{"name": "LEVEL", "value": "debug"}])),
        ("a variable more", container(environment=[*APP["environment"], {"name": "A", "value": "b"}])),
        ("another secret", container(secrets=[{"name": "DB", "valueFrom": "else"}])),
        ("another order of the command", container(command=["--port", "8080", "serve"])),
        ("another port", container(portMappings=[{"containerPort": 8081}])),
        ("no longer a sidecar", container(1, essential=None)),
        ("another log group", container(logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "other"}})),
        ("a container less", SENT | {"containerDefinitions": [APP]}),
        ("another size", SENT | {"cpu": "2048"}),
        ("another role", SENT | {"taskRoleArn": "arn:aws:iam::111122223333:role/other"}),
        ("another family", SENT | {"family": "other"}),
        ("a volume", SENT | {"volumes": [{"name": "data"}]}),
    ],
)
def test_what_somebody_changed_has_another_hash(what: str, changed: dict[str, Any]) -> None:
    assert content_hash(changed) != content_hash(SENT), what


OWNER = Ownership("default", "shop/web", "src", "a1", "7")
OURS = TaskDefinition("arn:web:8", "web", 8, "ACTIVE", SENT)
TAGGED = replace(OURS, tags=with_ownership(OURS, OWNER, SENT))


@pytest.mark.parametrize(
    ("what", "revision", "owner"),
    [
        ("ours", TAGGED, OWNER),
        ("a copy with another variable", replace(TAGGED, content=container(environment=[])), None),
        ("a copy without any change", replace(TAGGED, arn="arn:web:9", revision=9), OWNER),
        ("registered by an earlier version", replace(TAGGED, tags={k: v for k, v in TAGGED.tags.items() if k != TAG_CONTENT}), OWNER),
        ("hashed by a later version", replace(TAGGED, tags=TAGGED.tags | {TAG_CONTENT: "2-abc"}), OWNER),
        ("nobody's", OURS, None),
    ],
)
def test_tags_of_a_copy_name_no_owner(what: str, revision: TaskDefinition, owner: Ownership | None) -> None:
    assert ownership(revision) == owner, what
