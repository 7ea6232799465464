"""The record that lasts: each attempt's start and end once, however the ledger and the operator fail; and what is current."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release.api.ledger import LedgerEntry
from ecs_release.aws.ledger.queries import LedgerReader
from tests.aws_simulator.client import ACCOUNT, REGION, image_name
from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e import plugin
from tests.e2e.bed import ADMIN, ROOT, Bed, Place, condition, running_bed
from tests.e2e.queues import Inbox, topic
from tests.operator_process import FAST

TABLE = "ecs-release"
SETTINGS = {
    **FAST,
    "ECS_RELEASE_LEDGER_TABLE": TABLE,
    "ECS_RELEASE_LEDGER_REGION": REGION,
    "ECS_RELEASE_LEDGER_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/ledger",
    "ECS_RELEASE_LEDGER_CREATE": "true",
    "ECS_RELEASE_CLOSING_SECONDS": "2",
    "ECS_RELEASE_LOG_FORMAT": "json",
}


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """A bed whose operator keeps a ledger."""
    with running_bed(SETTINGS) as running:
        yield running


@pytest.fixture
def place(bed: Bed) -> Iterator[Place]:
    with bed.cleared():
        yield Place(bed)
        bed.aws.clear_faults(TABLE)


def reader(place: Place) -> LedgerReader:
    return LedgerReader(place.aws.client("dynamodb", ACCOUNT, REGION), TABLE)


def entries(place: Place, service: str = "web") -> list[LedgerEntry]:
    """A service's entries, oldest first."""
    return list(reader(place).history_of(place.name, place.name, "shop", service))[::-1]


def told(place: Place, service: str = "web") -> list[tuple[str, str, str, str | None]]:
    """Cause, hash, stage and outcome of each entry, an attempt's start before its end."""
    found = sorted(entries(place, service), key=lambda e: (e.start_time, e.attempt_id, e.stage == "end", e.stage))
    return [(e.cause or "", e.hash or "", str(e.stage), e.outcome) for e in found]


def recorded(place: Place, name: str = "web") -> dict[str, Any]:
    """Wait until all that a Release's status tells is in the ledger."""
    return place.until(lambda: condition(place.status(name), "Recorded").get("status") == "True", "Recorded", name)


def current(place: Place, service: str = "web") -> Any:
    return next(c for c in reader(place).deployed_in(place.name) if c.service == service)


def cut_off(place: Place, kind: str = "error", **facts: Any) -> None:
    for action in ("TransactWriteItems", "GetItem"):
        place.aws.fault(action, kind=kind, times=None, match=TABLE, **facts)


DOWN: dict[str, Any] = {"code": "InternalServerError", "status": 500}


def test_an_attempt_is_recorded_from_start_to_end(place: Place) -> None:
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    digest = place.push("v2")
    change = {"description": "faster", "requestedBy": "ada", "url": "https://example.com/7", "revision": "abc", "ticket": "SHOP-1"}
    place.release("v2", change=change)
    place.wait("Succeeded")
    recorded(place)
    # Those that begin within a second stand in any order.
    assert sorted(told(place), key=lambda t: (t[1], t[2] == "end")) == [
        ("Adopted", "v1", "start", None), ("Adopted", "v1", "end", "Succeeded"),
        ("Requested", "v2", "start", None), ("Requested", "v2", "end", "Succeeded"),
    ]  # fmt: skip
    start, end = sorted((e for e in entries(place) if e.cause == "Requested"), key=lambda e: e.stage == "end")
    assert (start.requested_by, start.description, start.url, start.revision, start.ticket) == tuple(
        change[k] for k in ("requestedBy", "description", "url", "revision", "ticket")
    )
    (image,) = end.images or ()
    assert (image.from_hash, image.to_hash, image.to_digest) == ("v1", "v2", digest)
    assert end.request_id and end.deployment_id and end.service_arn and end.number == start.number == 2
    assert start.requested_time is not None and start.requested_time <= (end.completion_time or start.start_time)
    now = current(place)
    assert now.wanted.hash == now.observed.hash == "v2" and now.deployed.outcome == "Succeeded" and not now.drifted
    history = place.status()["history"]
    assert [h["number"] for h in history] == [2, 1]
    environment = place.get_environment()["status"]
    assert environment["ledgerTable"].endswith(f"table/{TABLE}") and condition(environment, "Recorded")["status"] == "True"


def test_who_answered_a_hook_and_why_is_recorded_and_told(place: Place) -> None:
    inbox = Inbox(place)
    place.service("v1", deploymentConfiguration=strategy("BLUE_GREEN", hooks=(pause_hook("POST_SCALE_UP"),)))
    place.environment(notify={"snsTopicARN": topic(place, inbox)})
    place.project()
    place.push("v2")
    place.release("v2")
    place.annotate("web", **{"continue": f"1/{_open_hook(place)}/ROLLBACK/the shop looks odd"})
    place.wait("RolledBack")
    place.annotate("web", retry="2/the cache is warm")
    place.annotate("web", **{"continue": f"3/{_open_hook(place)}/CONTINUE/smoke tests are green"})
    place.wait("Succeeded")
    recorded(place)
    ends = {e.outcome: e for e in entries(place) if e.hash == "v2" and e.stage == "end"}
    for outcome, action, reason in (("RolledBack", "ROLLBACK", "the shop looks odd"), ("Succeeded", "CONTINUE", "smoke tests are green")):
        (one,) = ends[outcome].interventions or ()
        assert (one.action, one.cause, one.reason, bool(one.accepted_time)) == (action, "Requested", reason, True)
    assert (ends["RolledBack"].reason, ends["Succeeded"].reason) == (None, "the cache is warm")
    inbox.until("web deployment.rolled-back", "web deployment.succeeded")
    assert [i["reason"] for i in inbox.of("deployment.rolled-back")["data"]["interventions"]] == ["the shop looks odd"]
    succeeded = inbox.of("deployment.succeeded")["data"]
    assert ([i["reason"] for i in succeeded["interventions"]], succeeded["reason"]) == (["smoke tests are green"], "the cache is warm")


def _open_hook(place: Place) -> str:
    """Wait for a hook that waits. Returns its id."""
    place.wait("AwaitingHook")
    return str(place.until(lambda: (place.status().get("rollout") or {}).get("hooks"), "a hook that waits")[0]["id"])


def test_people_ask_the_ledger(place: Place) -> None:
    """With kubectl, and credentials that may query its table."""
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    recorded(place)
    role = place.aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/reader", RoleSessionName="ben")["Credentials"]
    keys = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}
    done = plugin.run(place, "history", "web", "--all", **{name: role[key] for name, key in keys.items()})
    lines = done.out.splitlines()
    assert done.code == 0 and len(lines) == 2, done
    assert {"Adopted", "Succeeded", "v1"} <= set(lines[1].split())


def test_a_hash_that_a_manifest_claims_is_never_shown_as_one(place: Place) -> None:
    """Tags that ECR has of the digest go before it; without one it is marked in status, plugin and ledger."""
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    for tags, shown in ((["v2"], "v2"), (["latest"], "claimed:v9")):
        digest = place.push(*tags)
        place.release({"images": [{"container": "app", "digest": digest, "releaseHash": "v9"}]})
        place.until(lambda digest=digest: place.status()["pin"]["images"][0]["digest"] == digest, "the pin")
        status = place.wait("Succeeded")
        assert (status["summary"]["hash"], status["summary"]["runningHash"], status["history"][0]["hash"]) == (shown,) * 3
        assert status["history"][0]["images"][0]["toHash"] == status["pin"]["images"][0]["releaseHash"] == shown
        recorded(place)
        attempt = status["history"][0]["attemptID"]
        latest = next(e for e in entries(place) if (e.attempt_id, e.stage) == (attempt, "end"))
        assert (latest.hash, [i.to_hash for i in latest.images or ()]) == (shown, [shown])
        now = current(place)
        assert now.wanted.hash == now.observed.hash == shown
        for command in (["history", "web"], ["board"], ["status", "web"]):
            done = plugin.run(place, *command)
            assert shown in done.out and "v9" not in done.out.replace(shown, ""), done
    back = plugin.run(place, "rollback", "web", "--to-hash", "v9", "-o", "yaml")
    assert back.code != 0, "a claim is nothing to go back to"


def test_the_same_artifacts_have_one_number_and_a_retry_shares_it(place: Place) -> None:
    place.services("web")
    place.environment()
    place.aws.behave(place.push("v2"), "crash")
    place.release("v2")
    place.wait("RolledBack")
    place.annotate("web", retry="1")
    place.until(lambda: len(place.status().get("history", ())) == 2, "a second attempt")
    place.wait("RolledBack")
    place.release("v1")
    place.wait("Succeeded")
    recorded(place)
    numbers = [(e.cause, e.hash, e.number, e.outcome) for e in entries(place) if e.stage == "end"]
    # Two that begin within a second, as only a simulated service can, have no order in the ledger.
    assert sorted(numbers) == [
        ("Adopted", "v1", 2, "Succeeded"), ("Requested", "v2", 1, "RolledBack"), ("Retry", "v2", 1, "RolledBack"),
    ]  # fmt: skip
    failed = next(e for e in entries(place) if e.outcome == "RolledBack")
    assert failed.evidence and failed.evidence[0].container == "app" and failed.message
    release, went = reader(place).release(place.name, "shop", 1)
    assert release.hash == "v2" and {e.outcome for e in went if e.stage == "end"} == {"RolledBack"}


def test_a_set_is_one_release_wherever_it_goes(place: Place) -> None:
    place.services("api", "web")
    place.environment(rollout={"settleSeconds": 0})
    for service in ("api", "web"):
        place.push("v2", service=service)
    place.release_set("v2", change={"requestedBy": "ada"})
    place.wait_set("Succeeded")
    for child in place.children().values():
        recorded(place, child["metadata"]["name"])
    found = [e for s in ("api", "web") for e in entries(place, s) if e.cause == "Requested"]
    assert {e.number for e in found} == {1}
    assert {(e.release_set, e.set_source_hash) for e in found} == {("all", place.set_status()["sourceHash"])}
    assert {e.requested_by for e in found} == {"ada"}


def test_other_peoples_deployments_are_recorded(place: Place) -> None:
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    place.push("v9")
    deployment = place.deploy("v9")
    place.wait("Drifted")
    place.until(lambda: [t for t in told(place) if t[0] == "Foreign"] == [
        ("Foreign", "", "start", None), ("Foreign", "", "end", "Completed")], "both entries", show=lambda: told(place))  # fmt: skip
    end = next(e for e in entries(place) if e.cause == "Foreign" and e.stage == "end")
    assert end.deployment_id == deployment
    assert [(i.from_hash, i.to_hash) for i in end.images or ()] == [("v1", "v9")]
    place.until(lambda: current(place).drifted and current(place).observed.hash == "v9", "what is current", show=lambda: current(place))
    assert current(place).wanted.hash == "v1"


def test_while_the_ledger_is_down_releases_go_on_and_all_is_written_when_it_is_back(place: Place) -> None:
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    recorded(place)
    cut_off(place, **DOWN)
    for number in range(2, 5):
        place.push(f"v{number}")
        place.release(f"v{number}")
        place.wait("Succeeded")
    waiting = place.until(lambda: (c := condition(place.status(), "Recorded"))["status"] == "False" and c, "Recorded to be False")
    assert "wait for the ledger" in waiting["message"] and "releases go on" in waiting["message"]
    place.until(lambda: condition(place.get_environment()["status"], "Recorded")["status"] == "False", "the Environment to say so")
    assert [t[1] for t in told(place)] == ["v1", "v1"]
    place.aws.clear_faults(TABLE)
    place.until(lambda: condition(place.status(), "Recorded").get("status") == "True", "Recorded")
    assert {(h, stage) for _, h, stage, _ in told(place)} == {(f"v{n}", s) for n in range(1, 5) for s in ("start", "end")}
    assert len(told(place)) == 8


def test_a_killed_operator_writes_what_it_had_not(place: Place, bed: Bed) -> None:
    place.services("web")
    place.environment()
    place.aws.fault("TransactWriteItems", kind="lost", times=3, match=TABLE)
    place.push("v2")
    place.release("v2")
    place.deployed()
    bed.operator.kill()
    bed.restart_operator()
    place.wait("Succeeded")
    recorded(place)
    assert told(place) == [("Requested", "v2", "start", None), ("Requested", "v2", "end", "Succeeded")]


def test_an_attempt_whose_release_is_deleted_is_closed(place: Place, bed: Bed) -> None:
    place.services("api", "web")
    place.environment()
    for service in ("api", "web"):
        place.push("slow.v2", "v2", service=service)
        place.release("v2", service)
        place.until(
            lambda s=service: [t[2] for t in told(place, s)] == ["start"], "its start", service, show=lambda s=service: told(place, s)
        )
    place.delete("release", "web")
    bed.operator.kill()
    place.delete("release", "api")
    bed.restart_operator()
    for service in ("api", "web"):
        place.until(
            lambda s=service: [t[2:] for t in told(place, s)] == [("start", None), ("end", "Abandoned")], "its end", service,
            show=lambda s=service: told(place, s),
        )  # fmt: skip
        assert current(place, service).deleted_time is not None and current(place, service).deployed.outcome == "Abandoned"


def test_what_finds_no_room_goes_to_the_audit_log(place: Place, bed: Bed) -> None:
    place.services("web")
    place.environment()
    cut_off(place, **DOWN)
    for number in range(2, 14):
        place.push(f"v{number}")
        place.release(f"v{number}")
        place.wait("Succeeded")
    left_out = place.until(lambda: place.status().get("ledger", {}).get("leftOut"), "entries left out")
    lines = [json.loads(line) for line in bed.operator.log.read_text().splitlines() if '"ecs_release.audit"' in line]
    records = [line["record"] for line in lines if line["record"]["namespace"] == place.name]
    assert left_out == 2 and [(r["hash"], r["stage"]) for r in records] == [("v2", "start"), ("v2", "end"), ("v3", "start"), ("v3", "end")]
    place.aws.clear_faults(TABLE)
    place.until(lambda: condition(place.status(), "Recorded").get("status") == "True", "Recorded")
    assert "2 attempts" in condition(place.status(), "Recorded")["message"]
    assert [t[1] for t in told(place) if t[2] == "end"] == [f"v{n}" for n in range(4, 14)]


def test_nothing_is_written_while_nothing_happens(place: Place) -> None:
    place.services("web")
    place.environment()
    place.release("v1")
    place.wait("Succeeded")
    recorded(place)
    time.sleep(3)
    before, mark = place.get()["metadata"]["resourceVersion"], place.aws.mark()
    time.sleep(6)
    assert place.get()["metadata"]["resourceVersion"] == before
    assert [c for c in place.aws.calls(action="TransactWriteItems", since=mark) if place.name in str(c)] == []


def test_a_restored_cluster_knows_from_the_ledger() -> None:
    """Also by method EnvironmentTag, which leaves no tags of ours: a failure is held, and a tag that has moved means what it meant."""
    # Its service account is lost with all the rest.
    with running_bed(SETTINGS, prepare=ADMIN) as bed:
        place = Place(bed)
        for service in ("moving", "broken", "good"):
            place.service("v1", service)
        place.push("latest", service="moving", content="one")
        place.aws.behave(place.push("v2", service="broken"), "crash")
        place.push("v2", service="good")

        def numbers(place: Place) -> dict[str, int]:
            return {s: place.status(s)["history"][0]["number"] for s in ("moving", "broken", "good")}

        def apply_all() -> None:
            place.environment()
            place.project("moving", "broken", "good")
            place.release({"tag": "latest"}, "moving")
            place.release("v2", "broken")
            place.release("v2", "good")

        apply_all()
        for service, reason in (("moving", "Succeeded"), ("broken", "RolledBack"), ("good", "Succeeded")):
            place.wait(reason, service)
            recorded(place, service)
        for service in ("moving", "broken", "good"):
            place.aws.wait_steady(service, cluster=place.name)
        place.push("latest", service="moving", content="two")
        known = numbers(place)
        before, deployed = {s: told(place, s) for s in ("moving", "broken", "good")}, len(place.updates())
        bed.cluster.wipe()
        bed.cluster.install_crds(ROOT / "crds")
        bed.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.name}})
        apply_all()
        for service, reason in (("moving", "Succeeded"), ("broken", "RolledBack"), ("good", "Succeeded")):
            place.wait(reason, service)
            recorded(place, service)
        time.sleep(6)
        assert len(place.updates()) == deployed
        assert {s: told(place, s) for s in before} == before
        assert numbers(place) == known


def test_what_is_recalled_while_ecr_refuses_has_not_drifted(place: Place) -> None:
    """Tasks show the digest of a platform, and the ledger has the manifest list's only."""
    place.aws.configure(switches={"platform_digests": True})
    try:
        place.services("web")
        place.environment(rollout={"onDrift": "Correct", "correctAfterSeconds": 1})
        place.push("v2", platforms=["linux/amd64", "linux/arm64"])
        place.release("v2")
        place.wait("Succeeded")
        recorded(place)
        deployed = len(place.updates())
        place.aws.fault("DescribeImages", times=None, match=place.repository())
        # A process remembers for a minute what it has looked up, and closes the record of a Release whose deletion it sees.
        place.bed.operator.kill()
        place.delete("release", "web")
        place.bed.restart_operator()
        place.release("v2")
        status = place.wait("Verifying")
        assert "ECR has not told" in condition(status, "Ready")["message"]
        place.stays("Verifying", seconds=6)
        place.aws.clear_faults(place.repository())
        status = place.wait("Succeeded")
        assert len(status["pin"]["images"][0]["platformDigests"]) == 2
        assert len(place.updates()) == deployed
    finally:
        place.aws.clear_faults(place.repository())
        place.aws.configure(switches={"platform_digests": False})


def by_digest(place: Place, service: str = "web") -> dict[str, set[str]]:
    """What the current record says of the place's service: digests that are wanted, were deployed, and were seen."""
    record = current(place, service)
    parts = {"wanted": record.wanted, "deployed": record.deployed, "observed": record.observed}
    return {name: {i.digest for i in (part.images if part else None) or ()} for name, part in parts.items()}


@pytest.mark.parametrize("method", ["TaskDefinition", "EnvironmentTag"])
def test_the_current_record_follows_a_service_that_is_scaled_down_and_suspended(place: Place, method: str) -> None:
    """By either method: nothing runs, a suspended release is wanted only, and what goes out after it is what is recorded."""
    tag = f"env.{place.name}"
    first = place.push("v1", tag)
    image = image_name(place.repository(), tag if method == "EnvironmentTag" else "ref.v1", account=place.account, region=place.region)
    place.service("v1", push=False, containers={"app": image})
    place.environment(rollout={"method": method, "settleSeconds": 0}, artifacts={"environmentTag": "env.{environment}"})
    place.project()
    place.release("v1")
    place.wait("Succeeded")
    recorded(place)
    assert by_digest(place) == {"wanted": {first}, "deployed": {first}, "observed": {first}}

    second = place.push("v2")
    place.release("v2", suspend=True)
    place.wait("Suspended")
    recorded(place)
    assert by_digest(place) == {"wanted": {second}, "deployed": {first}, "observed": {first}}, "it is wanted, and not deployed"

    place.ecs().update_service(cluster=place.name, service=place.ecs_service()["serviceName"], desiredCount=0)
    place.release("v2")
    place.wait("NothingRunning")
    recorded(place)
    record = current(place)
    assert record.deployed.outcome == "NothingRunning" and not record.drifted
    assert by_digest(place) == {"wanted": {second}, "deployed": {second}, "observed": set()}, "nothing runs, and nothing is said to"
