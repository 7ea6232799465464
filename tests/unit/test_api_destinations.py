"""The rules of examples/api-destinations: what EventBridge makes of real notifications is what each target's documentation asks for."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.drift_status import LastDrift
from ecs_release.api.notification import Notification, NotificationType
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry
from ecs_release.aws.clients.sinks import BotoEventBus
from ecs_release.domain.notifications.notifications import Origin, release_notifications, set_notifications
from tests.builders import objects
from tests.builders.aws import access
from tests.builders.ecs import NOW
from tests.builders.history import history_entry
from tests.documentation.event_rules import matches, transformed, with_parameters

FOLDER = Path(__file__).parents[2] / "examples" / "api-destinations"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "api-destinations.md"
RULES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
PLACE = Origin("default", objects.environment("production", target={"cluster": "main", "serviceName": "{service}"}), "all")
COMMIT = "2" * 40
COMMITS = AttemptCommits(before="0" * 40, after=COMMIT, added=2)
HOSTILE = '"}], "state": "successful", "x": "\\\n<uid> {"}'


def texts(size: int) -> dict[str, Any]:
    """What each API says of its fields, as far as the rules set them: https://json-schema.org, draft 2020-12."""
    return {"type": "string", "minLength": 1, "maxLength": size}


TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}


def record(optional: dict[str, Any] | None = None, /, **required: Any) -> dict[str, Any]:
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def several(item: dict[str, Any], most: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


def one_of(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


# https://docs.datadoghq.com/api/latest/events/#post-an-event, v2
_CHANGE = record(
    {"author": record(name=texts(128), type=one_of("user", "system", "api", "automation"))},
    changed_resource=record(name=texts(128), type=one_of("feature_flag", "configuration")),
    impacted_resources=several(record(name=texts(128), type=one_of("service")), 100),
    change_metadata={"type": "object", "maxProperties": 100},
)
_ALERT = record(status=one_of("warn", "error", "ok"), custom={"type": "object", "maxProperties": 100})
_EVENT = record(
    {"integration_id": one_of("custom-events"), "aggregation_key": texts(100), "tags": several(texts(200), 100), "timestamp": TIME},
    category=one_of("change", "alert"),
    title=texts(500),
    attributes={"anyOf": [_CHANGE, _ALERT]},
)
# https://developer.pagerduty.com/docs/send-alert-event
_PAYLOAD = record(
    {"timestamp": TIME, "component": texts(1024), "group": texts(1024), "class": texts(1024), "custom_details": {"type": "object"}},
    summary=texts(1024),
    source=texts(1024),
    severity=one_of("critical", "error", "warning", "info"),
)
_KEY = {"type": "string", "minLength": 32, "maxLength": 32}
# https://developer.atlassian.com/cloud/jira/software/rest/api-group-deployments/
_DEPLOYMENT = record(
    {"label": {"type": "string", "maxLength": 255}, "schemaVersion": one_of("1.0")},
    deploymentSequenceNumber={"type": "integer"},
    updateSequenceNumber={"type": "integer"},
    associations=several(record(associationType=one_of("issueIdOrKeys"), values=several({"type": "string"}, 100)), 3),
    displayName=texts(255),
    url={"type": "string", "format": "uri", "maxLength": 2000},
    description=texts(255),
    lastUpdated=TIME,
    state=one_of("unknown", "pending", "in_progress", "cancelled", "failed", "rolled_back", "successful"),
    pipeline=record(id=texts(255), displayName=texts(255), url={"type": "string", "format": "uri", "maxLength": 2000}),
    environment=record(id=texts(255), displayName=texts(255), type=one_of("unmapped", "development", "testing", "staging", "production")),
)
# https://devlake.apache.org/docs/Plugins/webhook
_COMMIT = record(
    {"name": texts(255)},
    repoUrl=texts(2048),
    commitSha={"type": "string", "pattern": "^[0-9a-f]{40}$"},
    startedDate=TIME,
    finishedDate=TIME,
)
SCHEMAS: dict[str, dict[str, Any]] = {
    "datadog": record(data=record(type=one_of("event"), attributes=_EVENT)),
    "pagerduty": {
        "anyOf": [
            record(routing_key=_KEY, event_action=one_of("trigger"), dedup_key=texts(255), payload=_PAYLOAD),
            record(routing_key=_KEY, event_action=one_of("resolve"), dedup_key=texts(255)),
        ]
    },
    "jira": record(deployments=several(_DEPLOYMENT, 100)),
    "devlake": record(
        {"name": texts(255), "environment": one_of("PRODUCTION", "STAGING", "TESTING", "DEVELOPMENT"), "createdDate": TIME},
        id=texts(255), result=one_of("SUCCESS", "FAILURE"), startedDate=TIME, finishedDate=TIME, deploymentCommits=several(_COMMIT, 10),
    ),
}  # fmt: skip
ADDED = {"pagerduty": {"routing_key": "k" * 32}}
"""What the connection adds to the body."""


class Bus:
    """Takes what the operator puts on a bus, and hands it on as EventBridge does."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def call(self, *_: object, parameters: dict[str, Any], parse: Any, **__: object) -> Any:
        for entry in parameters["Entries"]:
            self.events.append(
                {
                    "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "account": "111122223333", "region": "eu-west-1",
                    "source": entry["Source"], "detail-type": entry["DetailType"], "time": entry["Time"].isoformat(),
                    "resources": entry["Resources"], "detail": json.loads(entry["Detail"]),
                }
            )  # fmt: skip
        return parse({"FailedEntryCount": 0})


def event(notification: Notification) -> dict[str, Any]:
    bus = Bus()
    asyncio.run(BotoEventBus(bus, access(), "arn:aws:events:eu-west-1:111122223333:event-bus/b").send([notification]))  # type: ignore[arg-type]
    return bus.events[0]


def bodies(target: str, notification: Notification) -> dict[str, str]:
    """Return what is sent to a target, by rule."""
    put = event(notification)
    return {
        name: with_parameters(transformed(rule, put), ADDED.get(target, {}))
        for name, rule in RULES[target].items()
        if matches(rule["pattern"], put)
    }


def of_release(*history: HistoryEntry, drift: LastDrift | None = None, **meta: Any) -> dict[NotificationType, Notification]:
    status = ReleaseStatus(history=list(history) or None, last_drift=drift)
    release = objects.release(status=status, projectRef={"name": "shop"}, source={"releaseHash": "v2"}, meta={"uid": "u1", **meta})
    return {NotificationType(n.type): n for n in release_notifications(release, PLACE)}


def attempt(outcome: str | None = "Succeeded", **more: Any) -> HistoryEntry:
    facts = {"hash": "v2", "ticket": "SHOP-12", "description": "faster", "message": "m", "commit_range": COMMITS}
    return history_entry("20260504t115830-a1b2c3", outcome, **facts | more)


def of_set(outcome: str) -> dict[NotificationType, Notification]:
    entry = SetHistoryEntry(id="d1", outcome=outcome, start_time=NOW - timedelta(minutes=3), completion_time=NOW)
    spec = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": "production"}, "source": {"releaseHash": "v2"}}
    release_set = ReleaseSet.model_validate({"metadata": {"name": "all-production", "namespace": "shop", "uid": "s1"}, "spec": spec})
    status = ReleaseSetStatus(history=[entry])
    return {NotificationType(n.type): n for n in set_notifications(release_set.model_copy(update={"status": status}), PLACE)}


DRIFT = LastDrift(deployment_id="ecs-svc/9", message="app runs v9", start_time=NOW - timedelta(minutes=2), end_time=NOW)
OWNER = {"kind": "ReleaseSet", "name": "all-production", "uid": "s1", "controller": True}
T = NotificationType
CASES: dict[str, tuple[Notification, dict[str, set[str]]]] = {
    "started": (of_release(attempt())[T.STARTED], {"jira": {"started"}}),
    "succeeded": (
        of_release(attempt())[T.SUCCEEDED],
        {"datadog": {"deployed", "recovered"}, "pagerduty": {"recovered"}, "jira": {"succeeded"}, "devlake": {"succeeded"}},
    ),
    "rolled back": (
        of_release(attempt("RolledBack"))[T.ROLLED_BACK],
        {"datadog": {"failed"}, "pagerduty": {"failed"}, "jira": {"rolled-back"}, "devlake": {"failed"}},
    ),
    "failed": (
        of_release(attempt("DeadlineExceeded"))[T.FAILED],
        {"datadog": {"failed"}, "pagerduty": {"failed"}, "jira": {"failed"}, "devlake": {"failed"}},
    ),
    "of a set, and failed": (
        of_release(attempt("RolloutFailed"), ownerReferences=[OWNER])[T.FAILED],
        {"datadog": {"failed"}, "jira": {"failed"}, "devlake": {"failed"}},
    ),
    "ended on purpose": (of_release(attempt("Aborted"))[T.FAILED], {"jira": {"failed"}}),
    "a rollback by the set": (
        of_release(attempt(cause="Rollback", ticket=None))[T.SUCCEEDED],
        {"datadog": {"deployed", "recovered"}, "pagerduty": {"recovered"}},
    ),
    "no commits service": (
        of_release(attempt(commit_range=None, ticket=None))[T.SUCCEEDED],
        {"datadog": {"deployed", "recovered"}, "pagerduty": {"recovered"}},
    ),
    "drifted": (of_release(drift=DRIFT)[T.DRIFTED], {"datadog": {"drifted"}, "pagerduty": {"drifted"}}),
    "in sync": (of_release(drift=DRIFT)[T.IN_SYNC], {"datadog": {"in-sync"}, "pagerduty": {"in-sync"}}),
    "a set began": (of_set("Succeeded")[T.SET_STARTED], {}),
    "a set succeeded": (of_set("Succeeded")[T.SET_SUCCEEDED], {"pagerduty": {"set-recovered"}}),
    "a set failed": (of_set("Failed")[T.SET_FAILED], {"pagerduty": {"set-failed"}}),
    "a set was taken back": (of_set("RolledBack")[T.SET_ROLLED_BACK], {"pagerduty": {"set-failed"}}),
    "a set was replaced": (of_set("Superseded")[T.SET_FAILED], {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_target_is_sent_what_it_documents(case: str) -> None:
    notification, expected = CASES[case]
    assert {target: set(found) for target in RULES if (found := bodies(target, notification))} == expected
    for target, rules in expected.items():
        for body in bodies(target, notification).values():
            jsonschema.Draft202012Validator(SCHEMAS[target], format_checker=jsonschema.FormatChecker()).validate(json.loads(body))
        assert rules <= set(RULES[target])


def test_every_rule_is_seen() -> None:
    seen = {(target, rule) for _, expected in CASES.values() for target, rules in expected.items() for rule in rules}
    assert seen == {(target, rule) for target, rules in RULES.items() for rule in rules}


def test_pagerduty_resolves_what_it_has_opened() -> None:
    def keys(case: str) -> set[tuple[str, str]]:
        return {(b["dedup_key"], b["event_action"]) for b in map(json.loads, bodies("pagerduty", CASES[case][0]).values())}

    assert keys("failed") == {("ecs-release/u1/deployment", "trigger")} and keys("succeeded") == {("ecs-release/u1/deployment", "resolve")}
    assert keys("a set failed") == {("ecs-release/s1/deployment", "trigger")}
    assert keys("a set succeeded") == {("ecs-release/s1/deployment", "resolve")}
    assert keys("drifted") == {("ecs-release/u1/drift", "trigger")} and keys("in sync") == {("ecs-release/u1/drift", "resolve")}


def test_an_alert_has_all_that_is_known() -> None:
    body = json.loads(bodies("pagerduty", CASES["failed"][0])["failed"])
    assert body == {
        "routing_key": "k" * 32, "event_action": "trigger", "dedup_key": "ecs-release/u1/deployment",
        "payload": {
            "summary": "shop: web in production DeadlineExceeded", "source": "shop/web", "severity": "error",
            "timestamp": "2026-05-04T12:00:00Z", "component": "web", "group": "production", "class": "DeadlineExceeded",
            "custom_details": CASES["failed"][0].to_kubernetes()["data"],
        },
    }  # fmt: skip


def test_jira_updates_the_deployment_that_it_was_told_of() -> None:
    began, ended = (json.loads(bodies("jira", CASES[case][0])[case])["deployments"][0] for case in ("started", "succeeded"))
    for field in ("deploymentSequenceNumber", "pipeline", "environment", "associations"):
        assert began[field] == ended[field]
    assert began["associations"] == [{"associationType": "issueIdOrKeys", "values": ["SHOP-12"]}]
    assert (began["state"], ended["state"]) == ("in_progress", "successful")
    assert began["updateSequenceNumber"] < ended["updateSequenceNumber"]
    late = json.loads(bodies("jira", CASES["rolled back"][0])["rolled-back"])["deployments"][0]
    assert late["updateSequenceNumber"] > ended["updateSequenceNumber"], "ECS may take back what had succeeded"


def test_devlake_gets_the_commit() -> None:
    body = json.loads(bodies("devlake", CASES["rolled back"][0])["failed"])
    assert (body["id"], body["result"]) == ("u1.20260504t115830-a1b2c3", "FAILURE")
    assert [c["commitSha"] for c in body["deploymentCommits"]] == [COMMIT]


_text = st.sampled_from([HOSTILE, "\\", '"', "a\nb", "\t", "</script>", "<data>", "\u202e@everyone"]) | st.text(max_size=40)
_PEOPLE = ("description", "message", "ticket", "url", "revision", "requested_by", "applied_by", "window", "reason")


@settings(max_examples=40)
@given(outcome=st.sampled_from(["Succeeded", "RolledBack", "RolloutFailed"]), said=st.fixed_dictionaries(dict.fromkeys(_PEOPLE, _text)))
def test_nobodys_text_breaks_out_of_a_body(outcome: str, said: dict[str, str]) -> None:
    """EventBridge does not escape what it puts into a template: texts of people go in as a whole object only, or do not match."""
    harmless = of_release(attempt(outcome)).values()
    for notification, same in zip(of_release(attempt(outcome, **said)).values(), harmless, strict=True):
        for target in RULES:
            plain = bodies(target, same)
            for rule, body in bodies(target, notification).items():
                made = json.loads(body)
                jsonschema.validate(made, SCHEMAS[target])
                assert without_texts(made) == without_texts(json.loads(plain[rule]))


def without_texts(made: Any) -> Any:
    """Return a body without what people's texts are let into."""
    if isinstance(made, list):
        return [without_texts(one) for one in made]
    if isinstance(made, dict):
        return {
            name: without_texts(value)
            for name, value in made.items()
            if name not in ("custom", "custom_details", "change_metadata", "values")
        }
    return made


def test_a_ticket_that_would_break_out_is_not_sent() -> None:
    for ticket in (HOSTILE, 'SHOP-1"', "SHOP\\", "SHOP-1\n", "a\tb"):
        assert bodies("jira", of_release(attempt(ticket=ticket))[T.SUCCEEDED]) == {}
    assert set(bodies("jira", of_release(attempt(ticket="SHOP-1, SHOP-2 & «é»"))[T.SUCCEEDED])) == {"succeeded"}


def test_the_page_and_terraform_name_each_target() -> None:
    page, terraform = PAGE.read_text(), (FOLDER / "main.tf").read_text()
    assert [name for name in RULES if f"(../../examples/api-destinations/{name}.yaml)" not in page or name not in terraform] == []
    for placeholder in ("https://board.example.com", "https://github.com/example/shop"):
        assert placeholder in terraform and any(placeholder in (FOLDER / f"{name}.yaml").read_text() for name in RULES)
