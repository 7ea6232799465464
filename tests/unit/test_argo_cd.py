"""What Argo CD is told of our kinds: health for every reason, and buttons."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaError

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.environment import EnvironmentStatus
from ecs_release.api.hook_status import OpenHook
from ecs_release.api.names import API_VERSION, ENVIRONMENT, GROUP, PLURALS, PROJECT, RELEASE, RELEASE_SET, REQUEST_ANNOTATIONS
from ecs_release.api.project import ProjectStatus
from ecs_release.api.release_status import ReleaseStatus, Rollout
from ecs_release.api.releaseset_status import ReleaseSetStatus, SetHistoryEntry
from ecs_release.domain.decision.request_annotations import HookRequest, hook_request
from ecs_release.domain.model import conditions
from ecs_release.domain.model.conditions import (
    FALSE,
    ConditionUpdate,
    Situation,
    held,
    kstatus_conditions,
    merge,
    progressing,
    ready,
    stalled,
    unready,
    waiting,
)
from tests.argo_cd import ACTIONS, EXAMPLES, buttons, health, merge_patch, press, run
from tests.argo_cd_page import CONFIG_MAP, config_map

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)
STATUS = {RELEASE: ReleaseStatus, RELEASE_SET: ReleaseSetStatus, PROJECT: ProjectStatus, ENVIRONMENT: EnvironmentStatus}
GENERATION = 3

HELD = [
    lambda reason, text: held(True, reason, text),
    lambda reason, text: held(False, reason, text),
    lambda reason, text: held(None, reason, text),
    waiting,
]
ROWS: list[tuple[str, list[Any], str]] = [
    ("ResolvingArtifact RollingOut Verifying ProgressingWithRetry", [progressing], "Progressing"),
    ("AwaitingEnvironment AwaitingProject AwaitingReplication AwaitingSteady", [waiting], "Progressing"),
    ("AwaitingWindow AwaitingHook", [waiting], "Suspended"),
    ("Suspended Observing AwaitingReleaseSet", HELD, "Suspended"),
    ("RolloutFailed RolledBack Superseded DeadlineExceeded Aborted ReappearedOlder TagMoved", [stalled], "Degraded"),
    ("InvalidSpec UnsupportedTaskDefinition ArtifactGone ServiceNotFound ArtifactNotFound AccessDenied", [stalled], "Degraded"),
    ("RejectedByAWS SourceNotReady ReleaseNameConflict UnsupportedController", [stalled], "Degraded"),
    ("TargetNotAllowed TargetConflict TargetChanged NotMerged", [stalled], "Degraded"),
    ("GoesBackwards CommitUnknown", [stalled], "Degraded"),
    ("GoesBackwards CommitUnknown", [waiting], "Progressing"),
    ("Succeeded NothingRunning Valid", [ready], "Healthy"),
    ("BaseRevisionOutdated TasksUnhealthy", [unready], "Degraded"),
    ("Drifted", [stalled], "Degraded"),
    ("Drifted", [waiting], "Progressing"),
    ("ObservationFailed", [progressing], "Unknown"),
    # A newer operator's: the statuses count.
    ("NotInventedYet", [ready], "Healthy"),
    ("NotInventedYet", [waiting, progressing, HELD[2]], "Progressing"),
    ("NotInventedYet", [stalled, unready], "Degraded"),
]
CASES = [(reason, make, wanted) for reasons, makes, wanted in ROWS for reason in reasons.split() for make in makes]
"""Health by the reason of Ready, for each way in which the operator says it."""

# No reasons of Ready, and so without a health: the script looks at no other condition's reason.
OTHERS = frozenset(
    [
        "ArtifactAtRisk",
        "RejectedBySink",
        "RollbackTargetGone",
        "KeepTagFailed",
        "Resolved",
        "DigestsMatch",
        "DigestsDiffer",
        "NotObserved",
        "NotAttempted",
        "SucceededLate",
        "OvertakenSameDigests",
        "Recorded",
        "Recording",
        "NoLedger",
        "QueueShared",
        "Stamped",
        "NotStamped",
    ]
)


def body(kind: str, situation: Situation, *, generation: int = GENERATION, **status: Any) -> dict[str, Any]:
    """Return an object as the operator writes it and the API server serves it. Conditions beside the three must not count."""
    others = [
        ConditionUpdate(ConditionType.RECORDED, FALSE, "Recording"),
        ConditionUpdate(ConditionType.OBSERVED, FALSE, "ObservationFailed"),
    ]
    said = merge(None, [*others, *kstatus_conditions(situation)], generation, NOW)
    model: Any = STATUS[kind]
    written = model(observed_generation=generation, conditions=said, **status)
    meta = {
        "name": "web",
        "namespace": "shop",
        "uid": "u",
        "generation": GENERATION,
        "resourceVersion": "7",
        "labels": {},
        "annotations": {},
    }
    spec = {"service": "web", "source": {"releaseHash": "1a2b3c4"}, "overrides": []}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec, "status": written.to_kubernetes()}


@pytest.mark.parametrize("kind", PLURALS)
@pytest.mark.parametrize(("reason", "make", "wanted"), CASES)
def test_health_of_every_reason(kind: str, reason: str, make: Any, wanted: str) -> None:
    assert health(body(kind, make(reason, "what happened"))) == (wanted, f"{reason}: what happened")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_health(reason: Reason) -> None:
    """One that is not known to the script counts by its statuses: whether that is right is decided here, in ROWS or in OTHERS."""
    rows = {reason for reason, _, _ in CASES}

    assert (str(reason) in rows) is not (str(reason) in OTHERS)


def test_the_script_names_only_reasons_that_exist() -> None:
    script = (EXAMPLES / "health" / "health.lua").read_text()
    named = set(re.findall(r"^  (\w+) = true,$", script, re.MULTILINE)) | set(re.findall(r'\.reason == "(\w+)"', script))

    assert {"Suspended", "ObservationFailed"} < named <= {str(reason) for reason in Reason}


def documented() -> dict[str, str]:
    """Return the rows of the reasons of Ready: by reason, the statuses that the documentation gives."""
    table = (ROOT / "docs" / "reference" / "conditions.md").read_text().partition("| reason of Ready |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {reason.strip(): "|".join(row[1:4]) for row in rows for reason in row[0].split(",")}


def test_every_reason_of_ready_has_a_health() -> None:
    rows = documented()
    assert {reason for reason, _, _ in CASES} == {*rows, "NotInventedYet"}
    assert set(rows) <= {str(reason) for reason in Reason}
    for reason, make, _ in CASES:
        said = rows.get(reason, "")
        if re.fullmatch(r"(True|False|Unknown)(\|(True|False)){2}", said):
            assert said.split("|") == [c.status for c in kstatus_conditions(make(reason, ""))], reason


def test_all_that_the_operator_holds_is_told_from_what_fails() -> None:
    """The phase, which people read, and the health, which Argo CD's users read, agree."""
    agree = {
        "Ready": {"Healthy"}, "Failed": {"Degraded"}, "RolledBack": {"Degraded"}, "Drifted": {"Degraded", "Progressing"},
        "Progressing": {"Progressing", "Suspended"}, "Waiting": {"Progressing", "Suspended"}, "Suspended": {"Suspended"}, "Unknown": {"Unknown"},
    }  # fmt: skip
    for reason, make, wanted in CASES:
        if reason not in ("AwaitingReleaseSet", "NotInventedYet"):
            assert wanted in agree[conditions.phase(make(reason, ""))], reason


@pytest.mark.parametrize("kind", PLURALS)
@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"observedGeneration": -1},
        {"observedGeneration": GENERATION - 1, "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded"}]},
        {"observedGeneration": GENERATION},
        {"observedGeneration": GENERATION, "conditions": []},
        {"observedGeneration": GENERATION, "conditions": [{"type": "InSync", "status": "True", "reason": "DigestsMatch"}]},
    ],
)
def test_what_was_not_looked_at_is_progressing(kind: str, status: dict[str, Any] | None) -> None:
    made = body(kind, ready(Reason.SUCCEEDED, ""))
    del made["status"]
    made |= {"status": status} if status is not None else {}
    assert health(made)[0] == "Progressing"


def test_an_older_generation_says_nothing() -> None:
    for situation in (ready(Reason.SUCCEEDED, ""), stalled(Reason.ROLLED_BACK, ""), held(True, Reason.SUSPENDED, "")):
        assert health(body(RELEASE, situation, generation=GENERATION - 1))[0] == "Progressing"


def test_suspend_is_what_the_conditions_say() -> None:
    """A rollout that had begun is followed to its end, whatever spec.suspend says by now."""
    made = body(RELEASE, progressing(Reason.ROLLING_OUT, "2 of 4 tasks"))
    made["spec"]["suspend"] = True
    assert health(made) == ("Progressing", "RollingOut: 2 of 4 tasks")


def test_messages() -> None:
    assert health(body(RELEASE, ready(Reason.SUCCEEDED, "")))[1] == "Succeeded"
    long = '5 % of "web" — größer\n' + "x" * 1500
    assert health(body(RELEASE, stalled(Reason.ACCESS_DENIED, long)))[1] == f"AccessDenied: {long}"
    bare = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}}
    assert health(bare) == ("Healthy", "Unknown")


def test_children_and_what_is_being_deleted() -> None:
    made = body(RELEASE, stalled(Reason.ROLLED_BACK, "ECS rolled back"))
    made["metadata"]["ownerReferences"] = [{"apiVersion": API_VERSION, "kind": RELEASE_SET, "name": "all", "uid": "u", "controller": True}]
    made["metadata"]["deletionTimestamp"] = "2026-11-25T01:30:00Z"
    assert health(made)[0] == "Degraded"


@pytest.mark.parametrize(
    "script", ["string.len('a')", "math.max(1, 2)", "io.open('x')", "os.time()", "os.exit()", "('a'):len()", "require('string')"]
)
def test_the_test_bench_opens_no_more_than_argo_cd_does(script: str) -> None:
    with pytest.raises(LuaError):
        run(f"return {{ x = {script} }}", {})
    assert run("local os = require('os') return { time = os.time ~= nil, exit = os.exit ~= nil }", {}) == {"time": True, "exit": False}


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.lua")), ids=lambda p: str(p.relative_to(EXAMPLES)))
def test_scripts_leave_no_globals_behind(path: Path) -> None:
    made = body(RELEASE, ready(Reason.SUCCEEDED, ""))
    watched = "setmetatable(_G, { __newindex = function(_, name) error('global ' .. name) end })\n" + path.read_text()
    assert run(watched, made)


OPEN, ENDED = Rollout(attempt_id="a"), Rollout(attempt_id="a", outcome="RolledBack")
PAUSED = Rollout(attempt_id="a", hooks=[OpenHook(id="ecs-pause-1")])
SITUATIONS: dict[str, tuple[Situation, dict[str, Any]]] = {
    "ready": (ready(Reason.SUCCEEDED, ""), {}),
    "waiting": (waiting(Reason.AWAITING_PROJECT, ""), {}),
    "moving": (progressing(Reason.ROLLING_OUT, ""), {"rollout": OPEN}),
    "paused": (waiting(Reason.AWAITING_HOOK, ""), {"rollout": PAUSED}),
    "denied on the way": (stalled(Reason.ACCESS_DENIED, ""), {"rollout": OPEN}),
    "failed": (stalled(Reason.ROLLED_BACK, ""), {"rollout": ENDED}),
    "behind": (unready(Reason.BASE_REVISION_OUTDATED, ""), {"rollout": ENDED}),
}


@pytest.mark.parametrize(
    ("name", "able"),
    [
        ("ready", {"suspend", "refresh"}),
        ("waiting", {"suspend", "refresh"}),
        ("moving", {"suspend", "refresh", "abort"}),
        ("paused", {"suspend", "refresh", "abort", "continue"}),
        ("denied on the way", {"suspend", "refresh", "abort"}),
        ("failed", {"suspend", "refresh", "retry"}),
        ("behind", {"suspend", "refresh", "retry"}),
    ],
)
def test_buttons_that_would_do_nothing_are_grey(name: str, able: set[str]) -> None:
    situation, status = SITUATIONS[name]
    made = body(RELEASE, situation, **status)
    assert {action for action, enabled in buttons(made).items() if enabled} == able
    assert set(buttons(made)) == set(ACTIONS)
    made["spec"]["suspend"] = True
    assert buttons(made)["resume"] and not buttons(made)["suspend"]
    made["status"]["suspension"] = {"until": "2026-05-04T12:00:00Z", "state": "Ended"}
    assert buttons(made)["suspend"] and not buttons(made)["resume"], "it has ended by itself"
    made["status"]["observedGeneration"] = GENERATION - 1
    assert not buttons(made)["retry"], "it may have been mended: the operator has not said yet"
    made["metadata"]["ownerReferences"] = [{"kind": RELEASE_SET, "name": "all", "controller": True}]
    able = {action for action, enabled in buttons(made).items() if enabled}
    assert able == ({"continue"} if name == "paused" else set()), "what a child does is its set's to say, but for its own hook"


def test_a_set_can_be_aborted_while_its_newest_deployment_set_is_open() -> None:
    for outcome, able in ((None, True), ("Failed", False)):
        entries = [SetHistoryEntry(id="b", outcome=outcome), SetHistoryEntry(id="a", outcome="Aborted")]
        made = body(RELEASE_SET, waiting(Reason.AWAITING_WINDOW, ""), history=entries)
        assert buttons(made)["abort"] is able


def test_a_new_object_has_buttons() -> None:
    made = body(RELEASE_SET, ready(Reason.SUCCEEDED, ""))
    del made["status"]
    assert {action for action, enabled in buttons(made).items() if enabled} == {"suspend", "refresh"}
    made["metadata"]["ownerReferences"] = [{"kind": "Application", "name": "x", "controller": True}]
    assert buttons(made)["suspend"]


@pytest.mark.parametrize("kind", [RELEASE, RELEASE_SET])
@pytest.mark.parametrize("action", ["retry", "refresh", "abort"])
@pytest.mark.parametrize("annotations", [None, {}, {f"{GROUP}/retry": "1", f"{GROUP}/refresh": "1", f"{GROUP}/abort": "1", "x": "y"}])
def test_requests_write_one_token_and_nothing_else(kind: str, action: str, annotations: dict[str, str] | None) -> None:
    made = body(kind, stalled(Reason.ROLLED_BACK, ""))
    made["metadata"].pop("annotations")
    made["metadata"] |= {"annotations": annotations} if annotations is not None else {}
    patch = press(action, made)
    (token,) = patch["metadata"]["annotations"].values()
    assert patch == {"metadata": {"annotations": {f"{GROUP}/{action}": token}}} and f"{GROUP}/{action}" in REQUEST_ANNOTATIONS
    assert re.fullmatch(r"argo-cd-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token)


def test_continue_names_the_hook_that_waits() -> None:
    made = body(RELEASE, waiting(Reason.AWAITING_HOOK, ""), rollout=PAUSED)
    (value,) = press("continue", made)["metadata"]["annotations"].values()
    token, *rest = value.split("/")
    assert re.fullmatch(r"argo-cd-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token) and rest == ["ecs-pause-1", "CONTINUE"]
    assert hook_request(value) == HookRequest("ecs-pause-1", "CONTINUE")
    for hooks in ([], [OpenHook(id="a"), OpenHook(id="b")]):
        other = body(RELEASE, waiting(Reason.AWAITING_HOOK, ""), rollout=PAUSED.model_copy(update={"hooks": hooks or None}))
        assert press("continue", other) == {} and not buttons(other)["continue"], "none, or none of several, is guessed"


def test_suspend_and_resume_write_their_fields_only() -> None:
    made = body(RELEASE, ready(Reason.SUCCEEDED, ""))
    assert press("suspend", made) == {"spec": {"suspend": True}}
    assert press("resume", made) == {}
    made["spec"]["suspend"] = True
    assert press("resume", made) == {"spec": {"suspend": None}}, "what a manifest does not state is nobody's to put back"
    assert press("suspend", made) == {}
    made["spec"]["suspension"] = {"reason": "audit", "until": "2026-05-04T12:00:00Z"}
    assert press("suspend", made) == {"spec": {"suspension": None}}, "an end that is past would suspend nothing"
    assert press("resume", made) == {"spec": {"suspend": None, "suspension": None}}


def test_merge_patches() -> None:
    before = {"a": 1, "b": {"c": 1, "d": []}, "f": [1]}
    assert merge_patch(before, {"a": 2, "b": {"d": []}, "e": "x", "f": [2]}) == {"a": 2, "b": {"c": None}, "e": "x", "f": [2]}


def test_the_config_map_is_made_of_the_files() -> None:
    assert CONFIG_MAP.read_text() == config_map(), "run make generate"
    data = yaml.safe_load(config_map())["data"]
    for kind in PLURALS:
        made = body(kind, stalled(Reason.ROLLED_BACK, "x"))
        assert health(made, data[f"resource.customizations.health.{GROUP}_{kind}"]) == ("Degraded", "RolledBack: x")
    for kind in (RELEASE, RELEASE_SET):
        actions = yaml.safe_load(data[f"resource.customizations.actions.{GROUP}_{kind}"])
        made = body(kind, ready(Reason.SUCCEEDED, ""))
        assert set(run(actions["discovery.lua"], made)) == {d["name"] for d in actions["definitions"]}
        assert all(run(d["action.lua"], made)["spec"]["service"] == "web" for d in actions["definitions"])
    assert len(data) == 6
