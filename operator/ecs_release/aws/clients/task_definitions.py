"""Reads task definitions completely: fields that the SDK does not know are listed, so that they are never lost silently.

botocore drops fields that are newer than itself when it parses an answer; a copy registered from that would lack them
(aws-actions/amazon-ecs-deploy-task-definition#430). So the raw answer is compared with the SDK's model.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from ecs_release.aws.sessions.fields import Fields
from ecs_release.domain.ecs.service import TaskDefinition

_RAW = threading.local()
_PATHS = 20


def watch_raw(client: Any) -> None:
    """Keep the raw body of each DescribeTaskDefinition of this thread, for `describe` to compare."""
    client.meta.events.register_first("before-parse.ecs.DescribeTaskDefinition", _keep, unique_id="ecs-release-raw")


def _keep(response_dict: Mapping[str, Any], **_: object) -> None:
    _RAW.body = response_dict.get("body")


def describe(client: Any, parameters: Mapping[str, Any]) -> TaskDefinition:
    """Describe a revision with its tags. Runs in a thread."""
    watch_raw(client)
    _RAW.body = None
    answer = client.describe_task_definition(**parameters)
    model = client.meta.service_model
    output = model.operation_model("DescribeTaskDefinition").output_shape
    unknown: list[str] = []
    if _RAW.body:
        raw = json.loads(_RAW.body)
        _compare(raw.get("taskDefinition", {}) if isinstance(raw, Mapping) else {}, output.members["taskDefinition"], "", unknown)
    return _revision(answer, client, tuple(unknown[:_PATHS]))


def register(client: Any, parameters: Mapping[str, Any]) -> TaskDefinition:
    """Register a revision. Runs in a thread."""
    return _revision(client.register_task_definition(**parameters), client, ())


def _revision(answer: Mapping[str, Any], client: Any, unknown: tuple[str, ...]) -> TaskDefinition:
    whole = Fields(answer)
    revision = whole.needed_part("taskDefinition")
    raw = revision.raw
    for container in revision.parts("containerDefinitions"):
        # What images are read from; everything else is copied as it is.
        container.text("name", None)
        container.text("image")
    # What RegisterTaskDefinition takes, whatever that is in this version; its tags are at the top of the answer.
    taken = client.meta.service_model.shape_for("RegisterTaskDefinitionRequest").members.keys() - {"tags"}
    return TaskDefinition(
        arn=revision.text("taskDefinitionArn", None),
        family=revision.text("family", None),
        revision=revision.count("revision"),
        status=revision.text("status"),
        content={k: v for k, v in raw.items() if k in taken},
        tags={t.text("key"): t.text("value") for t in whole.parts("tags")},
        unknown_fields=unknown,
        registered_by=revision.text("registeredBy"),
        registered_at=revision.time("registeredAt"),
    )


def _compare(raw: Any, shape: Shape, path: str, unknown: list[str]) -> None:
    """Collect the paths of fields that the model does not have."""
    if isinstance(shape, StructureShape) and isinstance(raw, dict):
        for name, value in raw.items():
            where = f"{path}.{name}" if path else name
            member = shape.members.get(name)
            if member is not None:
                _compare(value, member, where, unknown)
            elif value is not None:
                unknown.append(where)
    elif isinstance(shape, ListShape) and isinstance(raw, list):
        for index, value in enumerate(raw):
            _compare(value, shape.member, f"{path}[{index}]", unknown)
    elif isinstance(shape, MapShape) and isinstance(raw, dict):
        for key, value in raw.items():
            _compare(value, shape.value, f"{path}[{key!r}]", unknown)
