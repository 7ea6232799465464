"""Which rights were used: each action that was asked for, by whom and with which tool. The log of calls forgets, and is reset; this is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.aws_simulator.request import Request

# A transaction is authorised by its parts (DynamoDB developer guide, "Using IAM with DynamoDB transactions"), a batch as one of its calls.
_PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_BATCHES = {"DeleteMessageBatch": "DeleteMessage"}
_PARTITION = "pk"
_used: Counter[tuple[str, str, str, str]] = Counter()


def note(request: Request) -> None:
    """Remember what a request needs. Call it with the world's lock held."""
    for action, partition in _rights(request):
        _used[(request.caller, request.user_agent, f"{request.service}:{action}", partition)] += 1


def listed() -> list[dict[str, Any]]:
    """List them, with the number of calls. `partition` is the beginning of DynamoDB's partition key, up to its first `#`."""
    names = ("caller", "user_agent", "action", "partition")
    return [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(_used.items())]


def _rights(request: Request) -> Iterator[tuple[str, str]]:
    if request.action != "TransactWriteItems":
        yield _BATCHES.get(request.action, request.action), ""
        return
    for item in request.parameters.get("TransactItems", ()):
        for kind, part in item.items():
            key = (part.get("Key") or part.get("Item") or {}).get(_PARTITION, {}).get("S", "")
            yield _PARTS[kind], "".join(key.partition("#")[:2])
