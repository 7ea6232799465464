"""Reduces the SDK's models of AWS's services to what is used: the rest costs memory, and most of the time to parse a response.

DescribeServices returns up to a hundred events with each service, and has no parameter to omit them. Parsed by the model they cost 14 ms
of CPU for a call of ten services, left as JSON 2.5 ms (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.loaders import JSONFileLoader
from botocore.utils import parse_timestamp

# All operations that are called. A client creates methods, and keeps shapes, for every operation in its model.
_OPERATIONS = {
    "ECS": {
        "DescribeServices", "DescribeTasks", "ListTasks", "DescribeTaskDefinition", "ListTaskDefinitions", "RegisterTaskDefinition",
        "UpdateService", "ListServiceDeployments", "DescribeServiceDeployments", "StopServiceDeployment", "GetTaskProtection",
        "ContinueServiceDeployment", "ListServices",
    },
    "ECR": {"DescribeImages", "DescribeRepositories", "BatchGetImage", "PutImage"},
    "SQS": {"ReceiveMessage", "DeleteMessageBatch"},
    "SNS": {"Publish"},
    "EventBridge": {"PutEvents"},
    "DynamoDB": {
        "GetItem", "Query", "TransactWriteItems", "DescribeTable", "CreateTable", "DescribeContinuousBackups", "UpdateContinuousBackups",
    },
}  # fmt: skip
# Names in endpoints.json of all services that Sessions creates clients for.
_ENDPOINTS = frozenset({"ecs", "ecr", "api.ecr", "sts", "sqs", "sns", "events", "dynamodb"})
# A shape declared as a string is not parsed: events then are lists of objects, and their times numbers.
_AS_IT_CAME = {"ECS": ("ServiceEvents",)}


class LeanFileLoader:
    """Loads the SDK's data files: the `file_loader` of botocore's Loader."""

    def __init__(self) -> None:
        self._files = JSONFileLoader()

    def exists(self, file_path: str) -> bool:
        """Return whether a file exists."""
        return bool(self._files.exists(file_path))

    def load_file(self, file_path: str) -> Any:
        """Load a file; None if it does not exist."""
        data = self._files.load_file(file_path)
        if isinstance(data, dict) and "partitions" in data and file_path.endswith("endpoints"):
            return _of_our_services(data)
        if not isinstance(data, dict) or "shapes" not in data:
            return data
        lean: dict[str, Any] = _without_documentation(_of_our_operations(data))
        for shape in _AS_IT_CAME.get(lean["metadata"].get("serviceId"), ()):
            lean["shapes"][shape] = {"type": "string"}
        return lean


def _of_our_services(endpoints: dict[str, Any]) -> dict[str, Any]:
    """Copy the endpoints with the services that are called only: all of them take 7 MB."""
    partitions = [
        {**partition, "services": {name: found for name, found in partition["services"].items() if name in _ENDPOINTS}}
        for partition in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": partitions}


def _of_our_operations(model: dict[str, Any]) -> dict[str, Any]:
    """Copy a service's model with the operations that are called, and their shapes, only."""
    wanted = _OPERATIONS.get(model["metadata"].get("serviceId"))
    if wanted is None:
        return model
    operations = {name: found for name, found in model["operations"].items() if name in wanted}
    shapes: dict[str, Any] = {}
    left = list(_shapes_in(operations))
    while left:
        name = left.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            left += _shapes_in(shapes[name])
    return {**model, "operations": operations, "shapes": shapes}


def _shapes_in(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        if isinstance(data.get("shape"), str):
            yield data["shape"]
        data = list(data.values())
    if isinstance(data, list):
        for value in data:
            yield from _shapes_in(value)


def read_time(value: Any) -> datetime:
    """Parse a time as UTC: botocore creates a time zone object of 200 bytes for each time, and we keep many times."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    read: datetime = parse_timestamp(value)
    return read.astimezone(UTC)


def _without_documentation(data: Any) -> Any:
    """Copy a model without documentation; a member that is named so is kept."""
    if isinstance(data, dict):
        return {k: _without_documentation(v) for k, v in data.items() if k != "documentation" or not isinstance(v, str)}
    return [_without_documentation(v) for v in data] if isinstance(data, list) else data
