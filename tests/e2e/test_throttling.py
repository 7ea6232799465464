"""AWS that throttles and stumbles: everything takes longer, and nothing fails that would not have failed anyway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.bed import Bed, Place, condition

THROTTLED = {"code": "ThrottlingException", "message": "Rate exceeded", "status": 400}
SERVICES = [f"s{number:02}" for number in range(12)]


def far(bed: Bed, region: str) -> Iterator[Place]:
    """Make a place in an account and region of its own: what slows its buckets down slows no other test, and its calls are its own."""
    with bed.cleared():
        place = Place(bed, account="777788889999", region=region)
        place.services(*SERVICES, desired=1)
        place.environment()
        yield place
        place.aws.clear_faults(place.name)


@pytest.fixture
def north(bed: Bed) -> Iterator[Place]:
    yield from far(bed, "eu-north-1")


@pytest.fixture
def south(bed: Bed) -> Iterator[Place]:
    yield from far(bed, "eu-south-1")


def requests(place: Place, action: str) -> int:
    return len(place.aws.calls(account=place.account, region=place.region, action=action, since=place.begun))


def counted(place: Place, action: str, **labels: str) -> int:
    labels |= {"account": place.account, "region": place.region, "action": f"ecs:{action}"}
    return int(place.bed.operator.metric("ecs_release_aws_calls_total", **labels))


def test_no_release_fails_when_a_sweep_and_rollouts_are_throttled(north: Place) -> None:
    far, rolled = north, SERVICES[:3]
    for service in SERVICES:
        far.release("v1", service)
    for service in SERVICES:
        far.wait("Succeeded", service)
    for service in rolled:
        far.push("v2", service=service)
    for action in ("DescribeServices", "ListTasks", "DescribeTasks", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"):
        far.aws.fault(action, times=None, match=far.name, fraction=0.4, **THROTTLED)
        far.aws.fault(action, times=None, match=far.name, fraction=0.1, status=503)
    for service in rolled:
        far.release("v2", service)
    for service in rolled:
        far.wait("Succeeded", service)
        assert far.status(service)["history"][0]["images"][0]["toHash"] == "v2"
    for service in SERVICES:
        status = far.status(service)
        assert {entry["outcome"] for entry in status["history"]} == {"Succeeded"}, service
        assert condition(status, "Stalled")["status"] == "False", service
    assert len(far.updates()) - sum(bool(c["error"]) for c in far.updates()) == len(rolled), "nobody was deployed twice"
    assert counted(far, "DescribeServices", result="Throttled") > 0
    assert counted(far, "DescribeServices", result="Retryable") > 0


def test_every_request_is_counted_by_its_own_result(south: Place) -> None:
    """What the metric says is what AWS has seen: repetitions are no secret of the SDK's."""
    south.aws.fault("DescribeServices", times=4, match=south.name, **THROTTLED)
    south.aws.fault("DescribeServices", times=2, match=south.name, status=500)
    for service in SERVICES[:2]:
        south.release("v1", service)
        south.wait("Succeeded", service)

    def agree() -> bool:
        counts = [counted(south, "DescribeServices", result=result) for result in ("Throttled", "Retryable", "ok")]
        return counts[:2] == [4, 2] and sum(counts) == requests(south, "DescribeServices")

    south.until(agree, "both counts to agree", SERVICES[0])


def test_looks_from_before_a_slow_update_service_supersede_nothing(south: Place) -> None:
    """It is carried out later than a new deployment may stay invisible (5 s), and until then every look shows the former one."""
    south.release("v1", "s00")
    south.wait("Succeeded", "s00")
    south.push("v2", service="s00")
    south.aws.fault("UpdateService", kind="delay", seconds=8, match=south.name)
    south.release("v2", "s00")
    south.wait("Succeeded", "s00")
    assert [entry["outcome"] for entry in south.status("s00")["history"]] == ["Succeeded", "Succeeded"]
    assert len(south.updates()) == 1
