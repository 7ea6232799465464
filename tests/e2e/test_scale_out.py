"""Several operators: one acts for a shard, the next goes on where it is killed, and one that wakes too late does nothing."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.control_plane.control_plane import ControlPlane
from tests.e2e.bed import Bed, Place, triple
from tests.e2e.queues import Inbox, event_queue, topic
from tests.e2e.replicas import HELD, SHORT, Replicas, empty_bed, until

OTHER_ACCOUNT = "444455556666"


@pytest.fixture(scope="module")
def quiet_bed() -> Iterator[Bed]:
    with empty_bed() as bed:
        yield bed


@pytest.fixture
def replicas(quiet_bed: Bed) -> Iterator[Replicas]:
    with ExitStack() as stack:
        yield Replicas(quiet_bed, stack)


@pytest.fixture
def place(quiet_bed: Bed) -> Iterator[Place]:
    with quiet_bed.cleared():
        yield Place(quiet_bed)


def shop(place: Place) -> Place:
    place.service("v1")
    place.environment()
    place.project()
    return place


def lease(place: Place, shard: str = "default") -> dict[str, Any]:
    return dict(place.bed.cluster.get("lease", f"ecs-release.default.{shard}", "-n", "ecs-release")["spec"])


def test_killed_in_mid_rollout_the_other_goes_on_and_the_source_is_deployed_once(replicas: Replicas, place: Place) -> None:
    """With the default durations. AWS carries UpdateService out after its caller is dead: nobody has seen the answer."""
    shop(place)
    replicas.start("one")
    assert replicas.leader() == "one"
    two = replicas.start("two")
    place.push("v2")
    place.aws.fault("UpdateService", kind="delay", seconds=1, match=place.name)
    place.release("v2")
    until(place.updates, "UpdateService")
    mark = place.aws.mark()
    killed = time.monotonic()
    replicas._all["one"].kill()

    until(lambda: HELD in two.log.read_text(), "the other to hold the Lease")
    held = time.monotonic() - killed
    until(lambda: replicas.calls("two", mark, action="DescribeServices"), "the other to look at the service")
    acted = time.monotonic() - killed
    place.wait("Succeeded")
    print(f"\nhand-over after SIGKILL: lease {held:.1f} s, first look {acted:.1f} s, Release Ready {time.monotonic() - killed:.1f} s")
    assert acted < 30
    assert len(place.updates()) == 1
    assert [h["outcome"] for h in place.status()["history"]] == ["Succeeded"]
    assert lease(place)["leaseTransitions"] >= 1


def test_one_that_ends_in_good_order_hands_over_at_once(replicas: Replicas, place: Place) -> None:
    shop(place)
    one = replicas.start("one")
    replicas.leader()
    two = replicas.start("two")
    assert replicas.calls("two", place.begun) == []
    place.push("slow.v2", "v2")
    place.release("v2")
    until(place.updates, "UpdateService")
    identity = lease(place)["holderIdentity"]
    stopping = time.monotonic()
    assert one.stop() == 0
    assert lease(place).get("holderIdentity") != identity, "it is given up, not left to end"
    stopped = time.monotonic() - stopping
    until(lambda: HELD in two.log.read_text(), "the other to hold the Lease")
    print(f"\norderly: the one ended after {stopped:.1f} s, the other held the Lease after {time.monotonic() - stopping:.1f} s")
    place.wait("Succeeded")
    assert len(place.updates()) == 1
    assert not [c for c in replicas.calls("two", place.begun) if c["action"] == "UpdateService"]


def test_too_few_tasks_are_not_forgotten_at_a_hand_over(replicas: Replicas, place: Place) -> None:
    """The next one has not seen since when they are too few."""
    shop(place)
    replicas.start("one", SHORT)
    replicas.leader()
    replicas.start("two", SHORT)
    place.release("v1")
    place.wait("Succeeded")
    place.aws.behave(place.running()["app"].pop(), "pullfail")
    for task in place.ecs().list_tasks(cluster=place.name, serviceName="web")["taskArns"]:
        place.ecs().stop_task(cluster=place.name, task=task)
    unhealthy = place.wait("TasksUnhealthy")
    mark = place.aws.mark()
    replicas._all["one"].kill()
    until(lambda: replicas.calls("two", mark, action="DescribeServices"), "the other to look at the service")
    status = place.stays("TasksUnhealthy", seconds=6)
    assert triple(status)[0] != "True" and status["health"] == unhealthy["health"]


def test_one_that_wakes_after_its_lease_is_gone_changes_nothing_and_ends(replicas: Replicas, place: Place) -> None:
    """It is paused while AWS carries its RegisterTaskDefinition out: what it would do next is a status write and UpdateService."""
    shop(place)
    one = replicas.start("one", SHORT)
    replicas.leader()
    identity = lease(place)["holderIdentity"]
    two = replicas.start("two", SHORT)
    place.push("v2")
    place.aws.fault("RegisterTaskDefinition", kind="delay", seconds=1)
    place.release("v2")
    until(lambda: replicas.calls("one", place.begun, action="RegisterTaskDefinition"), "RegisterTaskDefinition")
    one.process.signal(signal.SIGSTOP)
    paused = time.monotonic()
    until(lambda: HELD in two.log.read_text(), "the other to hold the Lease")
    print(f"\nhand-over after SIGSTOP: {time.monotonic() - paused:.1f} s of a Lease of 8 s")
    place.wait("Succeeded")
    # There is plenty that it would like to do.
    place.push("v3")
    place.release("v3")
    place.wait("Succeeded")
    mark, woken = place.aws.mark(), datetime.now(UTC)
    one.process.signal(signal.SIGCONT)
    begun = time.monotonic()
    until(lambda: one.process.exit_code is not None, "the woken one to end")
    print(f"the woken one ended after {time.monotonic() - begun:.1f} s: {one.tail(400)}")
    assert one.process.exit_code == 1
    assert "is lost: it was not renewed within" in one.tail()
    assert [c["action"] for c in replicas.calls("one", mark, mutating=True)] == []
    assert writes(place, identity, woken) == []
    assert two.process.exit_code is None
    assert len([c for c in place.updates() if not c["error"]]) == 2


def test_one_that_cannot_reach_the_api_server_changes_nothing_in_aws_either_and_ends(replicas: Replicas, place: Place) -> None:
    cluster = place.bed.cluster
    if not isinstance(cluster, ControlPlane):
        pytest.skip("needs an API server of our own to pause")
    shop(place)
    one = replicas.start("one", SHORT)
    replicas.leader()
    replicas.start("two", SHORT)
    place.push("v2")
    # The answer comes when the Lease has ended: the next call would be UpdateService, after a status write.
    place.aws.fault("RegisterTaskDefinition", kind="delay", seconds=8)
    place.release("v2")
    until(lambda: replicas.calls("one", place.begun, action="RegisterTaskDefinition"), "RegisterTaskDefinition")
    with cluster.apiserver.paused():
        begun = time.monotonic()
        until(lambda: one.process.exit_code is not None, "the one that is cut off to end")
        took = time.monotonic() - begun
        print(f"\ncut off: ended after {took:.1f} s; renew deadline 6 s")
        assert one.process.exit_code == 1
        assert [c["action"] for c in replicas.calls("one", place.begun, mutating=True)] == ["RegisterTaskDefinition"]
    assert replicas.leader() == "two"
    place.wait("Succeeded")
    assert [c for c in place.updates() if not c["error"]] == replicas.calls("two", place.begun, action="UpdateService")
    assert len(place.updates()) == 1


def heard_and_told(place: Place, **spec: Any) -> tuple[str, Inbox]:
    """Set up a shop whose Environment names an event queue and a sink. Returns the queue's URL, and where the notifications come."""
    inbox = Inbox(place)
    url = event_queue(place)
    place.services("web")
    place.environment(observation={"intervalSeconds": 60, "eventQueueURL": url}, notify={"snsTopicARN": topic(place, inbox)}, **spec)
    return url, inbox


def test_one_that_wakes_late_deletes_no_message_and_tells_nobody(replicas: Replicas, place: Place) -> None:
    """It is paused while it polls its queue, with an attempt that its sink has refused so far: when it wakes it has a message in its hands."""
    sqs = place.aws.client("sqs")
    one = replicas.start("one", SHORT)
    replicas.leader()
    url, inbox = heard_and_told(place)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "2"})
    place.until(lambda: place.get_environment()["status"].get("notifiedTime"), "notifiedTime")
    two = replicas.start("two", SHORT)
    place.aws.deny(action="Publish", match=place.name)
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    until(lambda: replicas.calls("one", place.begun, action="Publish"), "Publish")
    until(lambda: in_queue(sqs, url) == 0, "an empty queue")
    one.process.signal(signal.SIGSTOP)
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    until(lambda: HELD in two.log.read_text(), "the other to hold the Lease")
    place.aws.clear_faults(place.name)
    inbox.until("web deployment.started", "web deployment.succeeded")
    mark = place.aws.mark()
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    one.process.signal(signal.SIGCONT)
    until(lambda: one.process.exit_code is not None, "the woken one to end")
    its = {c["action"] for c in replicas.calls("one", mark)}
    assert not its & {"DeleteMessageBatch", "Publish", "PutEvents"}
    assert replicas.calls("one", mark, mutating=True) == []
    until(lambda: in_queue(sqs, url) == 0, "the other to take all messages in")
    assert inbox.kinds() == ["web deployment.started", "web deployment.succeeded"]


def in_queue(sqs: Any, url: str) -> int:
    """Count what waits in a queue, and what somebody has taken and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_what_one_has_not_told_the_next_one_tells(replicas: Replicas, place: Place) -> None:
    """Killed twice: with everything of an attempt still to tell, and in the middle of one."""
    replicas.start("one", SHORT)
    replicas.leader()
    _, inbox = heard_and_told(place)
    place.until(lambda: place.get_environment()["status"].get("notifiedTime"), "notifiedTime")
    replicas.start("two", SHORT)
    place.aws.deny(action="Publish", match=place.name)
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    until(lambda: replicas.calls("one", place.begun, action="Publish"), "Publish")
    replicas._all["one"].kill()
    place.aws.clear_faults(place.name)
    inbox.until("web deployment.started", "web deployment.succeeded")
    assert replicas.leader() == "two"

    replicas.start("three", SHORT)
    place.push("slow.v3", "v3")
    place.release("v3")
    until(lambda: inbox.look() or inbox.kinds().count("web deployment.started") == 2, "the beginning to be told")
    replicas._all["two"].kill()
    place.wait("Succeeded")
    until(lambda: inbox.look() or inbox.kinds().count("web deployment.succeeded") == 2, "the end to be told")
    assert inbox.kinds() == ["web deployment.started", "web deployment.succeeded"] * 2
    attempts = [h["attemptID"] for h in reversed(place.status()["history"])]
    told = {(n["data"]["attemptID"], n["type"].split(".")[-2]) for n in inbox.got}
    assert told == {(attempt, kind) for attempt in attempts for kind in ("started", "succeeded")}
    assert len(place.updates()) == 2


def writes(place: Place, identity: str, since: datetime) -> list[str]:
    """List what one process has written to the API server since then, by the audit log."""
    cluster = place.bed.cluster
    if not isinstance(cluster, ControlPlane):
        return []
    its = [e for e in cluster.audit_events() if identity in e.get("userAgent", "")]
    # It did write before, or this would say nothing.
    assert any(e["verb"] not in {"get", "list", "watch"} for e in its)
    late = [e for e in its if datetime.fromisoformat(e["requestReceivedTimestamp"]) >= since]
    return [f"{e['verb']} {e['requestURI']}" for e in late if e["verb"] not in {"get", "list", "watch"}]


def test_two_shards_act_each_on_its_own_account(replicas: Replicas, quiet_bed: Bed) -> None:
    table = {"ECS_RELEASE_SHARDS": json.dumps({"prod": [f"{OTHER_ACCOUNT}/{REGION}"]})}
    rest, prod = shop(Place(quiet_bed)), shop(Place(quiet_bed, account=OTHER_ACCOUNT))
    mark = quiet_bed.aws.mark()
    replicas.start("rest", table)
    for place in (rest, prod):
        place.push("v2")
        place.release("v2")
    rest.wait("Succeeded")
    # Nobody serves the other shard yet: nothing is said of its Release, nor of its Environment.
    assert "conditions" not in prod.status()
    assert "lastSweepTime" not in (prod.get_environment().get("status") or {})
    replicas.start("prod", table | {"ECS_RELEASE_SHARD": "prod"})
    prod.wait("Succeeded")
    assert {c["account"] for c in replicas.calls("rest", mark)} == {ACCOUNT}
    assert {c["account"] for c in replicas.calls("prod", mark)} == {OTHER_ACCOUNT}
    assert len(rest.updates()) == len(prod.updates()) == 1
    # A Project belongs to no account: the default shard tells of it, and counts all.
    for place in (rest, prod):
        place.until(lambda p=place: p.kubectl("get", "project", "shop", "-o", "jsonpath={.status.releases}") == "1", "the Project's status")
    holders = {shard: lease(rest, shard)["holderIdentity"] for shard in ("default", "prod")}
    assert len(set(holders.values())) == 2


def test_what_waits_in_another_shard_s_environment_is_overdue(replicas: Replicas, quiet_bed: Bed) -> None:
    """Staging is another account's, and another operator's: its Release's status is all that production's goes by."""
    table = {"ECS_RELEASE_SHARDS": json.dumps({"test": [f"{OTHER_ACCOUNT}/{REGION}"]})}
    place, name = shop(Place(quiet_bed)), "staging"
    place.aws.client("ecs", OTHER_ACCOUNT, REGION).create_cluster(clusterName=place.name)
    image = image_name(place.repository("web"), "ref.v1", account=ACCOUNT, region=REGION)
    place.aws.create_service("web", {"app": image}, cluster=place.name, account=OTHER_ACCOUNT, region=REGION)
    aws = {"accountID": OTHER_ACCOUNT, "region": REGION, "roleARN": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{place.name}"}
    there = place.environment(f"{place.name}-{name}", aws=aws, artifacts={"registryID": ACCOUNT})
    place.environment(promotion={"from": {"name": there}, "overdueAfterSeconds": 2})
    replicas.start("here", table)
    replicas.start("there", table | {"ECS_RELEASE_SHARD": "test"})
    place.release("v1")
    place.release("v1", name=name, environmentRef={"name": there})
    for one in ("web", name):
        place.wait("Succeeded", one)
    place.push("v2")
    place.release("v2", name=name, environmentRef={"name": there})
    place.until(lambda: (place.status().get("promotion") or {}).get("state") == "Overdue", "it to be overdue")
    place.until(lambda: (place.get_environment()["status"].get("promotion") or {}).get("overdue") == 1, "the Environment to say so")
    place.release("v2")
    place.wait("Succeeded")
    assert "promotion" not in place.status()


def test_an_operator_with_another_table_waits_until_all_have_the_same(replicas: Replicas, place: Place) -> None:
    table = {"ECS_RELEASE_SHARDS": json.dumps({"new": [ACCOUNT]}), "ECS_RELEASE_SHARD": "new"}
    shop(place)
    replicas.start("old")
    replicas.leader()
    new = replicas.start("new", table)
    until(lambda: "is held by an operator with another table of shards" in new.tail(20000), "the new one to wait")
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    assert replicas.calls("new", place.begun) == []
    assert replicas._all["old"].stop() == 0
    until(lambda: HELD in new.log.read_text(), "the new one to act")
    place.push("v3")
    place.release("v3")
    place.wait("Succeeded")
    assert (
        len(replicas.calls("old", place.begun, action="UpdateService"))
        == len(replicas.calls("new", place.begun, action="UpdateService"))
        == 1
    )


def ended(place: Place) -> tuple[str, str]:
    """Return hash and outcome of the last attempt."""
    last = (place.status().get("history") or [{}])[0]
    return last.get("hash", ""), last.get("outcome", "")


def test_killed_or_paused_again_and_again_with_a_standby_each_source_is_deployed_once(replicas: Replicas, place: Place) -> None:
    """At random moments, most of them while AWS carries a call out; those that were paused wake after the other has finished."""
    chance = random.Random(5)
    shop(place)
    replicas.start("a0", SHORT)
    latency_s = 0.4
    for action in ("RegisterTaskDefinition", "UpdateService"):
        place.aws.fault(action, kind="delay", seconds=latency_s, times=None, match=place.name)
    sources = [f"v{number}" for number in range(2, 10)]
    active = "a0"
    for number, source in enumerate(sources, 1):
        standby = f"a{number}"
        replicas.start(standby, SHORT)
        place.push(source)
        known = len(place.mutations())
        place.release(source)
        until(lambda known=known: len(place.mutations()) > known, "a change")
        time.sleep(chance.uniform(0, 3 * latency_s))
        before = replicas._all[active].process
        before.signal(signal.SIGSTOP if number % 2 else signal.SIGKILL)
        place.until(lambda n=standby, s=source: replicas.keep(n) or ended(place) == (s, "Succeeded"), f"{source} to be through")
        mark = place.aws.mark()
        before.signal(signal.SIGCONT)
        until(lambda before=before: before.exit_code is not None, "the one before to end")
        # A busy one may have lost its Lease before it was killed.
        assert before.exit_code == 1 or (before.exit_code == -signal.SIGKILL and number % 2 == 0)
        assert replicas.calls(active, mark, mutating=True) == []
        active = standby
    assert [c["parameters"]["service"] for c in place.updates() if not c["error"]] == ["web"] * len(sources)
    assert [h["hash"] for h in place.status()["history"]] == sources[::-1]


def test_shards_that_overlap_are_refused_at_the_start(quiet_bed: Bed) -> None:
    command = [sys.executable, "-m", "ecs_release.cli.operator", "--shards", json.dumps({"a": [ACCOUNT], "b": [f"{ACCOUNT}/{REGION}"]})]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert (
        f"shards 'a' and 'b' overlap: the one has account {ACCOUNT} in all regions, the other account {ACCOUNT} in region {REGION}"
        in done.stderr
    )
