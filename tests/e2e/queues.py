"""Queues of the simulated AWS: one that ECS's events come to, and one behind a sink of notifications."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.e2e.bed import Place
from tests.waiting import PATIENCE_S

PATTERN = {
    "source": ["aws.ecs", "aws.ecr"],
    "detail-type": [
        "ECS Deployment State Change", "ECS Service Action", "ECS Task State Change", "ECS Hook State Change", "ECR Image Action", "AWS API Call via CloudTrail",
    ],
}  # fmt: skip


def event_queue(place: Place) -> str:
    """Make a queue and a rule that feeds it. Returns the queue's URL."""
    sqs, bridge = place.aws.client("sqs"), place.aws.client("events")
    url = str(sqs.create_queue(QueueName=place.name)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bridge.put_rule(Name=place.name, EventPattern=json.dumps(PATTERN))
    bridge.put_targets(Rule=place.name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/notification.schema.json").read_text(encoding="utf-8"))


VALID = Draft202012Validator(SCHEMA)


class Inbox:
    """A queue behind a sink, and all that has come: notifications, each checked against the schema, doubles included."""

    def __init__(self, place: Place, fifo: bool = False) -> None:
        self.place = place
        self.got: list[dict[str, Any]] = []
        self.attributes: list[dict[str, str]] = []
        self._sqs = place.aws.client("sqs")
        attributes = {"FifoQueue": "true"} if fifo else {}
        self.url = self._sqs.create_queue(QueueName=f"{place.name}-inbox{'.fifo' if fifo else ''}", Attributes=attributes)["QueueUrl"]
        self.arn = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def look(self) -> None:
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            for message in messages:
                body = json.loads(message["Body"])
                notification = body["detail"] if "detail-type" in body else body
                VALID.validate(notification)
                self.got.append(notification)
                self.attributes.append({name: a["StringValue"] for name, a in (message.get("MessageAttributes") or {}).items()})
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def kinds(self) -> list[str]:
        """List what came, in order and each once: `web deployment.started`."""
        seen: dict[str, str] = {}
        for one in self.got:
            kind = one["type"].removeprefix("dev.ecs-release.").removesuffix(".v1")
            seen.setdefault(one["id"], f"{one['data']['name']} {kind}")
        return list(seen.values())

    def until(self, *kinds: str, deadline_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Wait until these have come, in any order."""

        def there() -> bool:
            self.look()
            return set(kinds) <= set(self.kinds())

        self.place.until(there, f"notifications {kinds}", deadline_s=deadline_s, show=self.kinds)
        return self.got

    def of(self, kind: str) -> dict[str, Any]:
        return next(one for one in reversed(self.got) if one["type"] == f"dev.ecs-release.{kind}.v1")


def topic(place: Place, inbox: Inbox, fifo: bool = False) -> str:
    sns = place.aws.client("sns")
    attributes = {"FifoTopic": "true"} if fifo else {}
    arn = str(sns.create_topic(Name=f"{place.name}{'.fifo' if fifo else ''}", Attributes=attributes)["TopicArn"])
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=inbox.arn, Attributes={"RawMessageDelivery": "true"})
    return arn
