"""Sinks on the simulated AWS: what is accepted, what each refusal becomes, and what of a batch is sent again."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ecs_release.api.notification import Notification, NotificationData, NotifiedImage, NotifiedTarget
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.clients.sinks import BotoEventBus
from ecs_release.domain.model.errors import Denied, Problem, Retryable, Throttled
from tests.aws_simulator.client import Simulator
from tests.builders.aws import access

TOPIC = "arn:aws:sns:eu-west-1:111122223333:{}"
BUS = "arn:aws:events:eu-west-1:111122223333:event-bus/{}"
DIGEST = f"sha256:{'a' * 64}"
_numbers = itertools.count(1)


def notification(number: int = 1, message: str = "a message", images: int = 1) -> Notification:
    data = NotificationData(
        installation="default", environment="prod", kind="Release", namespace="shop", name="web", uid="u", project="shop",
        target=NotifiedTarget(account_id="111122223333", region="eu-west-1"), message=message, window=message,
        description=message, images=[NotifiedImage(container="c" * 100, from_digest=DIGEST, to_digest=DIGEST) for _ in range(images)],
    )  # fmt: skip
    return Notification(
        id=f"u.{number}.started", source="//ecs-release.dev/default/prod", type="dev.ecs-release.deployment.started.v1",
        subject="release/shop/web", time=datetime(2026, 5, 4, tzinfo=UTC), data=data,
    )  # fmt: skip


async def test_a_topic_takes_one_at_a_time(aws: BotoAws, sim: Simulator) -> None:
    name = f"topic{next(_numbers)}"
    arn = sim.client("sns").create_topic(Name=name)["TopicArn"]
    sqs = sim.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sim.client("sns").subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint=TOPIC.format(name).replace(":sns:", ":sqs:"), Attributes={"RawMessageDelivery": "true"}
    )
    assert await aws.sink(access(), arn).send([notification(1), notification(2)]) == 1
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"]) == notification(1).to_kubernetes()


@pytest.mark.parametrize("arn", [TOPIC, BUS])
@pytest.mark.parametrize(("error", "problem"), [("Throttling", Throttled), ("AuthorizationError", Denied), ("InternalError", Retryable)])
async def test_what_a_sink_answers_is_translated(aws: BotoAws, sim: Simulator, arn: str, error: str, problem: type[Problem]) -> None:
    name = f"sink{next(_numbers)}"
    action = "Publish" if ":sns:" in arn else "PutEvents"
    sim.fault(action, code=error, status=400 if problem is not Retryable else 500, times=8, match=name)
    with pytest.raises(problem, match=name):
        await aws.sink(access(), arn.format(name)).send([notification()])


@pytest.mark.parametrize("arn", [TOPIC, BUS])
async def test_a_sink_that_is_not_there_says_so(aws: BotoAws, arn: str) -> None:
    name = f"gone{next(_numbers)}"
    with pytest.raises(Problem, match=name):
        await aws.sink(access(), arn.format(name)).send([notification()])


async def test_sinks_that_hang_delay_no_other(aws: BotoAws, sim: Simulator) -> None:
    """As many as there may be at once: each waits in a thread of its own."""
    name = f"alive{next(_numbers)}"
    arn = sim.client("sns").create_topic(Name=name)["TopicArn"]
    sim.fault("Publish", kind="delay", seconds=12, times=None, match="hangs")
    hanging = [asyncio.create_task(aws.sink(access(), TOPIC.format(f"hangs{n}")).send([notification()])) for n in range(60)]
    try:
        await asyncio.sleep(1)
        async with asyncio.timeout(8):
            assert await aws.sink(access(), arn).send([notification()]) == 1
        assert not any(task.done() for task in hanging)
    finally:
        sim.clear_faults("hangs")
        for task in hanging:
            task.cancel()
        await asyncio.wait(hanging)


class FakeCaller:
    """Answers of PutEvents that moto never gives: some entries refused."""

    def __init__(self, *codes: str) -> None:
        self.codes = codes
        self.entries: list[dict[str, Any]] = []

    async def call(self, *_: object, parameters: dict[str, Any], parse: Any, **__: object) -> Any:
        self.entries = parameters["Entries"]
        entries = [{"ErrorCode": c, "ErrorMessage": "no"} if c else {"EventId": "1"} for c in self.codes] or [{"EventId": "1"}] * len(
            self.entries
        )
        return parse({"FailedEntryCount": sum(map(bool, self.codes)), "Entries": entries})


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 3),
        (("", "ThrottlingException", ""), 1),
        (("", "", "InternalFailure"), 2),
        (("ThrottlingException", "", ""), Throttled),
        (("InternalFailure", "", ""), Retryable),
        (("NotAuthorizedForSourceException", "", ""), Denied),
    ],
)
async def test_what_a_bus_refuses_is_sent_again(codes: tuple[str, ...], expected: int | type[Problem]) -> None:
    bus = BotoEventBus(FakeCaller(*codes), access(), BUS.format("b"))  # type: ignore[arg-type]
    sent = [notification(n) for n in (1, 2, 3)]
    if isinstance(expected, int):
        assert await bus.send(sent) == expected
        return
    with pytest.raises(expected, match="event-bus/b"):
        await bus.send(sent)


async def test_large_events_go_in_several_calls() -> None:
    caller = FakeCaller()
    bus = BotoEventBus(caller, access(), BUS.format("b"))  # type: ignore[arg-type]
    large = [notification(n, "☃" * 1024, images=20) for n in range(10)]
    count = await bus.send(large)
    assert 1 <= count < len(large)
    assert sum(len(entry["Detail"].encode()) for entry in caller.entries) <= 256 * 1024
    assert await bus.send([notification(n) for n in range(25)]) == 10
