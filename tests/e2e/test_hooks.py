"""Lifecycle hooks at which ECS waits: listed, answered by name, once, and refused with what became of them (docs/how-to/approve.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e.bed import GROUP, STALLED, Place, condition, triple
from tests.e2e.people import Person
from tests.e2e.plugin import Done, ecs_release
from tests.e2e.queues import event_queue

STEPS = pause_hook("PRE_PRODUCTION_TRAFFIC_SHIFT")


def run(place: Place, *arguments: str, **more: Any) -> Done:
    return ecs_release(place.bed.cluster, "continue", *arguments, "-n", place.name, **more)


def open_hooks(place: Place, name: str = "web") -> list[dict[str, Any]]:
    return (place.status(name).get("rollout") or {}).get("hooks") or []


def wait_for_hook(place: Place, name: str = "web", *, after: str = "") -> str:
    """Wait for a hook, another one than that. Returns its id."""
    place.wait("AwaitingHook", name)
    hook = place.until(lambda: next((h for h in open_hooks(place, name) if h["id"] != after), None), "a hook that waits", name)
    return str(hook["id"])


def answers(place: Place) -> list[dict[str, Any]]:
    """List what the operator has asked ECS, accepted or not."""
    return [c for c in place.mutations() if c["action"] == "ContinueServiceDeployment"]


def interventions(place: Place, name: str = "web") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.status(name)["history"][0].get("interventions") or []
    return found


def serve(place: Place, name: str, *hooks: dict[str, Any], **environment: Any) -> str:
    """A service that waits at hooks, and a release that goes out. Returns the digest that it brings."""
    place.service("v1", deploymentConfiguration=strategy(name, hooks=hooks))
    place.environment(**environment)
    place.project()
    digest = place.push("v2")
    place.release("v2")
    return digest


@pytest.fixture
def paused(place: Place) -> tuple[Place, str]:
    """A deployment that waits at one hook, and that hook's id."""
    serve(place, "BLUE_GREEN", pause_hook("POST_SCALE_UP"))
    return place, wait_for_hook(place)


def test_a_hook_is_listed_and_continued_by_name(paused: tuple[Place, str]) -> None:
    place, hook = paused
    (listed,) = run(place, "web").out.splitlines()[1:]
    assert {"web", "POST_SCALE_UP", hook, "ROLLBACK"} <= set(listed.split())
    assert open_hooks(place)[0].keys() == {"id", "stage", "expiresTime", "timeoutAction"}
    done = run(place, "web", hook, "--reason", "smoke tests are green")
    assert done.out.strip() == f"release/web accepted by AWS: CONTINUE of hook {hook}"
    status = place.wait("Succeeded")
    (one,) = interventions(place)
    assert (one["action"], one["cause"], one["hookID"], one["stage"]) == ("CONTINUE", "Requested", hook, "POST_SCALE_UP")
    assert one["reason"] == "smoke tests are green" and one["acceptedTime"] >= one["time"]
    assert "hooks" not in status["rollout"] and [c["error"] for c in answers(place)] == [""]
    place.until(lambda: [e for e in place.events() if e["reason"] == "HookAnswered"], "the Event")
    assert run(place, "web").err.strip() == "No lifecycle hook waits."


def test_an_answer_may_take_it_back(paused: tuple[Place, str]) -> None:
    place, hook = paused
    before = place.running()["app"]
    run(place, "web", hook, "--rollback", "--reason", "the shop looks odd")
    assert triple(place.wait("RolledBack")) == STALLED
    place.until(lambda: len(place.running()["app"]) == 1, "ECS to have gone back")
    assert before & place.running()["app"]
    assert [i["action"] for i in interventions(place)] == ["ROLLBACK"]


def test_an_answer_to_one_step_is_none_to_the_next(place: Place) -> None:
    """A canary passes the same stage twice: each time with a hook of its own."""
    serve(place, "CANARY", STEPS)
    first = wait_for_hook(place)
    place.annotate("web", **{"continue": f"1/{first}/CONTINUE/step 1"})
    second = wait_for_hook(place, after=first)
    place.bed.restart_operator()
    place.annotate("web", **{"continue": f"2/{first}/CONTINUE/again"})
    refused = place.until(lambda: place.status().get("refusedRequest"), "the refusal")
    assert f"hook {first} was answered: CONTINUE" in refused["message"] and refused["request"] == "continue"
    place.stays("AwaitingHook")
    assert [h["id"] for h in open_hooks(place)] == [second] and len(answers(place)) == 1
    place.annotate("web", **{"continue": f"3/{second}/CONTINUE/step 2"})
    place.wait("Succeeded")
    assert [i["hookID"] for i in interventions(place)] == [first, second] and "refusedRequest" not in place.status()


def test_a_hook_that_somebody_has_answered_in_aws_is_refused(paused: tuple[Place, str]) -> None:
    place, hook = paused
    place.aws.continue_deployment("web", cluster=place.name, account=place.account, region=place.region)
    place.wait("Succeeded")
    place.annotate("web", **{"continue": f"1/{hook}/CONTINUE/late"})
    refused = place.until(lambda: place.status().get("refusedRequest"), "the refusal")
    assert "was answered: CONTINUE in AWS by somebody" in refused["message"] and answers(place) == []
    done = run(place, "web", hook, check=False)
    assert done.code == 1 and f"hook {hook} does not wait for web: none does" in done.err


@pytest.mark.parametrize(("fault", "sent"), [("lost", 1), ("error", 1)])
def test_an_answer_that_is_lost_is_looked_for(paused: tuple[Place, str], fault: str, sent: int) -> None:
    """Carried out or not: the process is killed as well, and looks before it asks again."""
    place, hook = paused
    more = {} if fault == "lost" else {"code": "ServerException", "message": "", "status": 500}
    place.aws.fault("ContinueServiceDeployment", kind=fault, times=1, match=place.name, **more)
    place.annotate("web", **{"continue": f"1/{hook}/CONTINUE/go"})
    place.until(lambda: len(answers(place)) == 1, "the call")
    place.bed.restart_operator()
    place.wait("Succeeded")
    assert len(answers(place)) == (sent if fault == "lost" else 2)
    (one,) = interventions(place)
    assert one["acceptedTime"]


def test_without_the_right_it_is_refused_and_not_done_later(paused: tuple[Place, str]) -> None:
    place, hook = paused
    place.aws.fault("ContinueServiceDeployment", code="AccessDeniedException", message="no policy", status=400, times=1, match=place.name)
    done = run(place, "web", hook, check=False)
    assert done.code == 1 and "ecs:ContinueServiceDeployment" in done.err and "no policy" in done.err
    place.stays("AwaitingHook")
    assert interventions(place) == [] and len(answers(place)) == 1
    run(place, "web", hook)
    place.wait("Succeeded")


def test_where_reasons_are_required_an_answer_gives_one(place: Place) -> None:
    serve(place, "BLUE_GREEN", pause_hook("POST_SCALE_UP"), reasons="Required")
    hook = wait_for_hook(place)
    done = run(place, "web", hook, check=False)
    assert done.code == 1 and "requires a reason" in done.err and answers(place) == []
    run(place, "web", hook, "--reason", "looked at it")
    place.wait("Succeeded")


def test_nothing_is_answered_in_a_suspended_environment(paused: tuple[Place, str]) -> None:
    place, hook = paused
    place.environment(suspend={"reason": "inventory"})
    place.annotate("web", **{"continue": f"1/{hook}/CONTINUE/go"})
    refused = place.until(lambda: place.status().get("refusedRequest"), "the refusal")
    assert "inventory" in refused["message"]
    place.environment()
    place.stays("AwaitingHook")
    assert answers(place) == [], "an answer that was refused is not given later"


def test_a_set_hands_an_answer_on_to_the_release_that_waits(place: Place) -> None:
    place.services("api", "web", deploymentConfiguration=strategy("BLUE_GREEN", hooks=[pause_hook("POST_SCALE_UP")]))
    place.environment(rollout={"settleSeconds": 0})
    for name in ("api", "web"):
        place.push("v2", service=name)
    place.release_set("v2")
    names = {s: place.until_set(lambda s=s: place.children().get(s), s)["metadata"]["name"] for s in ("api", "web")}
    hooks = {service: wait_for_hook(place, name) for service, name in names.items()}
    assert len(run(place, "all").out.splitlines()) == 3
    place.annotate("all", "releaseset", **{"continue": "1/nobodys/CONTINUE/why"})
    refused = place.until_set(lambda: place.set_status().get("refusedRequest"), "the refusal")
    assert "none of its services waits at hook nobodys" in refused["message"] and hooks["api"] in refused["message"]
    place.annotate("all", "releaseset", **{"continue": f"2/{hooks['web']}/CONTINUE/web first"})
    place.wait("Succeeded", names["web"])
    assert [i["reason"] for i in interventions(place, names["web"])] == ["web first"]
    assert [h["id"] for h in open_hooks(place, names["api"])] == [hooks["api"]], "the other one waits"
    assert "refusedRequest" not in place.set_status()
    run(place, "all", hooks["api"])
    place.wait_set("Succeeded")


@pytest.fixture
def heard(place: Place) -> Iterator[tuple[Place, str]]:
    """A deployment that waits at one hook, where EventBridge's events are read. The Environment's own interval is far too long to see them."""
    place.service("v1", deploymentConfiguration=strategy("BLUE_GREEN", hooks=[pause_hook("POST_SCALE_UP")]))
    place.environment(observation={"intervalSeconds": 300, "eventQueueURL": event_queue(place)})
    place.project()
    place.push("v2")
    place.release("v2")
    yield place, wait_for_hook(place)
    place.aws.client("events").remove_targets(Rule=place.name, Ids=["queue"])
    place.aws.client("events").delete_rule(Name=place.name)


def tell(place: Place, name: str, **asked: str) -> None:
    """Send what CloudTrail says of a call on the attempt's service deployment."""
    detail = {
        "eventName": name, "eventTime": "2026-05-04T12:00:00Z", "userAgent": "console", "userIdentity": {"arn": "arn:aws:iam::1:user/ada"},
        "requestParameters": {"serviceDeploymentArn": place.status()["rollout"]["serviceDeploymentARN"], **asked},
    }  # fmt: skip
    event = {"detail-type": "AWS API Call via CloudTrail", "account": place.account, "region": place.region, "detail": detail}
    url = place.get_environment()["spec"]["observation"]["eventQueueURL"]
    place.aws.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(event))


def test_who_continued_in_the_console_is_said(heard: tuple[Place, str]) -> None:
    place, hook = heard
    place.aws.continue_deployment("web", cluster=place.name, account=place.account, region=place.region)
    place.until(lambda: interventions(place) and interventions(place)[0].get("changedBy"), "who it was")
    place.wait("Succeeded")
    (one,) = interventions(place)
    assert (one["action"], one["cause"], one["hookID"]) == ("CONTINUE", "Foreign", hook)
    assert ":assumed-role/test/" in one["changedBy"] and one["userAgent"]
    assert (
        answers(place) == []
        and "CONTINUE in AWS by" in ecs_release(place.bed.cluster, "history", "web", "-o", "wide", "-n", place.name).out
    )


def test_who_it_was_is_completed_after_the_end(heard: tuple[Place, str]) -> None:
    """CloudTrail reports minutes later: by then the attempt has ended, and another process looks after it."""
    place, hook = heard
    place.aws.client("events").remove_targets(Rule=place.name, Ids=["queue"])
    place.aws.continue_deployment("web", "ROLLBACK", cluster=place.name, account=place.account, region=place.region)
    place.wait("RolledBack")
    (unnamed,) = interventions(place)
    assert (unnamed["action"], unnamed["cause"], unnamed.get("changedBy")) == ("ROLLBACK", "Foreign", None)
    place.bed.restart_operator()
    tell(place, "ContinueServiceDeployment", hookId=hook, action="ROLLBACK")
    place.until(lambda: interventions(place)[0].get("changedBy") == "arn:aws:iam::1:user/ada", "who it was")
    tell(place, "StopServiceDeployment")
    place.until(lambda: [i["action"] for i in interventions(place)] == ["ROLLBACK", "STOP"], "that somebody stopped it, too")


def test_whoever_has_the_verb_is_named(office: Place) -> None:
    serve(office, "BLUE_GREEN", pause_hook("POST_SCALE_UP"))
    hook = wait_for_hook(office)
    Person(office.bed, "ana").kubectl("-n", office.name, "annotate", "release", "web", f"{GROUP}/continue=1/{hook}/CONTINUE/good")
    status = office.wait("Succeeded")
    (one,) = interventions(office)
    assert (one["appliedBy"], one["reason"]) == ("ana", "good")
    assert status["history"][0].get("appliedBy") != "ana", "who began it stays"
    assert condition(status, "Ready")["status"] == "True"
