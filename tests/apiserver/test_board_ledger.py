"""The board with a ledger on the simulated AWS: older attempts, one Query for many pages, and what happens while it is away."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import boto3
import pytest

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.aws.ledger import items, keys
from ecs_release.aws.ledger.table import definition
from tests.apiserver.board_bed import BoardBed, board_bed
from tests.aws_simulator.client import REGION, Simulator
from tests.builders.board_objects import rolled_back
from tests.control_plane.control_plane import Cluster
from tests.unit.cli.kubectl.objects import NOW
from tests.waiting import PATIENCE_S

TABLE = "ecs-release-ledger"


@pytest.fixture(scope="module")
def aws() -> Iterator[Simulator]:
    with Simulator() as running:
        dynamodb(running).create_table(**definition(TABLE))
        yield running


@pytest.fixture(scope="module")
def bed(cluster: Cluster, aws: Simulator) -> Iterator[BoardBed]:
    settings = {"ECS_RELEASE_BOARD_LEDGER_TABLE": TABLE, "ECS_RELEASE_BOARD_LEDGER_REGION": REGION}
    with board_bed(cluster, settings, aws) as running_board:
        running_board.observe("staging")
        yield running_board


def dynamodb(aws: Simulator) -> Any:
    """A client with the credentials that the board has: they say which account's tables there are."""
    given = aws.environment()
    return boto3.client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=aws.endpoint,
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )


def record(aws: Simulator, namespace: str, attempt: str, **more: Any) -> None:
    entry = LedgerEntry(
        installation="default", namespace=namespace, project="shop", service="checkout", environment="staging", attempt_id=attempt,
        stage=Stage.END, start_time=NOW.replace(day=1), completion_time=NOW.replace(day=1, hour=13), outcome="Succeeded",
        description="long ago", **more,
    )  # fmt: skip
    item = {**entry.to_kubernetes(), **keys.entry_key(entry), items.KIND: items.Kind.ENTRY}
    dynamodb(aws).put_item(TableName=TABLE, Item=items.to_item(item))


async def page(bed: BoardBed, namespace: str, user: str) -> tuple[int, dict[str, Any]]:
    url = f"{bed.process.address}/services/{namespace}/shop/checkout/staging?format=json"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"X-Forwarded-User": user}) as answer:
        return answer.status, json.loads(await answer.text())


def has(attempt: str) -> Callable[[dict[str, Any]], bool]:
    return lambda shown: attempt in [a["id"] for a in shown["history"]]


async def until(bed: BoardBed, namespace: str, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask for the page until it is as it should be. Whoever saw nothing yet sees nothing for up to 40 s."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status, shown = await page(bed, namespace, namespace)
            if status == 200 and done(shown):
                return shown
            await asyncio.sleep(0.2)


async def test_older_attempts_come_from_the_ledger_by_one_query_for_all(bed: BoardBed, aws: Simulator, namespace: str) -> None:
    bed.put(namespace, rolled_back())
    bed.allow(namespace, namespace)
    record(aws, namespace, "0")
    record(aws, f"{namespace}-2", "hidden")
    since = aws.mark()
    found = await until(bed, namespace, has("0"))
    (old,) = [a for a in found["history"] if a["id"] == "0"]
    assert (old["outcome"], old["description"], found["ledger"]) == ("Succeeded", "long ago", "")
    await asyncio.gather(*(page(bed, namespace, namespace) for _ in range(20)))
    asked = [c for c in aws.calls(since=since, service="dynamodb") if c["action"] == "Query"]
    assert len(asked) == 1
    assert (await page(bed, namespace, "eve"))[0] == 404
    assert "hidden" not in json.dumps(found)


async def test_while_the_ledger_is_away_the_page_says_so_and_has_what_the_status_has(bed: BoardBed, aws: Simulator, namespace: str) -> None:
    bed.put(namespace, rolled_back())
    bed.allow(namespace, namespace)
    record(aws, namespace, "0")
    aws.fault("Query", status=503)
    begun = time.monotonic()
    found = await until(bed, namespace, lambda shown: "cannot be read" in shown["ledger"])
    assert [a["id"] for a in found["history"]] == ["3", "2", "foreign-9", "1"]
    found = await until(bed, namespace, has("0"))
    assert (found["ledger"], time.monotonic() - begun > 10) == ("", True), "not asked again at once"
    assert "the ledger cannot be read" in bed.process.process.tail()
