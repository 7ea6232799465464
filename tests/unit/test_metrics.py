"""What /metrics serves, and that the documentation and the example rules speak of nothing else."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ecs_release.domain.notifications.outcome_measures import DEPLOYED
from ecs_release.domain.notifications.transitions import Transition, TransitionKind
from ecs_release.domain.retention.image_availability import WARNED_OF
from ecs_release.engine.store.store import ReleaseFacts, release_facts
from ecs_release.engine.views.sinks import GITHUB, SLACK
from ecs_release.metrics.registry import Metrics
from tests.builders.metrics import BROKEN, EVERYTHING, NOW, STATE, filled, served, stored_release

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text()
RULES = yaml.safe_load((ROOT / "examples" / "monitoring" / "rules.yaml").read_text())
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    text = gzip.decompress(metrics.render()).decode()
    return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def value(found: Samples, metric: str, **labels: str) -> float | None:
    return found.get((metric, frozenset(labels.items())))


def test_how_things_stand() -> None:
    found = samples(filled())
    assert value(found, "ecs_release_releases", environment="prod", phase="Ready") == 1
    assert value(found, "ecs_release_releases", environment="prod", phase="Pending") == 1
    assert value(found, "ecs_release_releases_stalled", environment="prod", namespace="shop", reason="RolledBack") == 1
    assert value(found, "ecs_release_releases_drifted", environment="prod") == 1
    warned = {labels: n for (name, labels), n in found.items() if name == "ecs_release_releases_artifact_warnings"}
    assert warned == {frozenset({"environment": "prod", "namespace": "shop", "reason": "RollbackTargetGone"}.items()): 1}
    assert value(found, "ecs_release_releases_promotion_overdue", environment="prod", namespace="shop") == 1
    assert value(found, "ecs_release_rollouts_in_progress", environment="prod") == 1
    assert value(found, "ecs_release_environment_condition", environment="prod", type="Observed") == -1
    assert value(found, "ecs_release_last_sweep_timestamp_seconds", environment="prod") == NOW.timestamp()
    assert value(found, "ecs_release_unreadable_services", environment="prod", reason="AccessDenied") == 2
    assert value(found, "ecs_release_namespace_left_out", namespace="shop") == 1
    assert [value(found, "ecs_release_queue_keys", state=s) for s in ("ready", "delayed", "working")] == [1, 2, 3]
    assert value(found, "ecs_release_queue_oldest_seconds") == 4.5
    assert value(found, "ecs_release_event_messages_total", environment="prod", kind="ECS Task State Change") == 3
    assert value(found, "ecs_release_event_oldest_message_seconds", environment="prod") == 4
    assert (value(found, "ecs_release_ledger_waiting"), value(found, "ecs_release_ledger_oldest_seconds")) == (2, 30.5)
    assert value(found, "ecs_release_ledger_writes_total", result="Throttled") == 1
    github = {"sink": "github", "credentials": "main"}
    assert (value(found, "ecs_release_views_waiting", **github), value(found, "ecs_release_views_oldest_seconds", **github)) == (3, 12.5)
    assert value(found, "ecs_release_view_calls_total", **github, result="ok") == 9


@pytest.mark.parametrize(("kind", "expected"), [("Ready", 1), ("Stalled", 0), ("InSync", -1), ("Deployed", None)])
def test_each_condition_is_a_series(kind: str, expected: float | None) -> None:
    labels = {"namespace": "shop", "name": "web", "environment": "prod", "service": "web", "type": kind}
    assert value(samples(filled()), "ecs_release_condition", **labels) == expected
    assert "ecs_release_condition" not in {name for name, _ in samples(filled(conditions=False))}


def test_many_releases_are_one_family() -> None:
    """They are written piece by piece: no Release is lost or told twice between two pieces, and the head stands once."""
    metrics = Metrics("0")
    metrics.show(replace(STATE, releases=tuple(stored_release(f"r{n:03}", Ready="True") for n in range(123))), {})
    lines = gzip.decompress(metrics.render()).decode().splitlines()
    names = [m[1] for line in lines if (m := re.match(r'ecs_release_condition\{.*[{,]name="(\w+)"', line))]
    assert names == [f"r{n:03}" for n in range(123)]
    assert sum(line.startswith("# TYPE ecs_release_condition ") for line in lines) == 1


def test_conditions_of_thousands_take_little_memory() -> None:
    """5,000 Releases fit into 160 MB with everything else: 40,000 lines at once would be 20 of them."""
    kinds = dict.fromkeys(
        ("Ready", "Reconciling", "Stalled", "ArtifactResolved", "Deployed", "InSync", "ArtifactAvailable", "Recorded"), "True"
    )
    metrics = Metrics("0")
    metrics.show(replace(STATE, releases=tuple(stored_release(f"r{n}", **kinds) for n in range(1000))), {})
    tracemalloc.start()
    metrics.render()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_rollouts_and_dora() -> None:
    found = samples(filled())
    assert value(found, "ecs_release_rollouts_total", environment="prod", cause="Requested", outcome="RolledBack") == 1
    assert value(found, "ecs_release_rollouts_refined_total", environment="prod", outcome="RolledBack") == 1
    assert value(found, "ecs_release_rollout_duration_seconds_bucket", environment="prod", outcome="Succeeded", le="60.0") == 0
    assert value(found, "ecs_release_rollout_duration_seconds_bucket", environment="prod", outcome="Succeeded", le="120.0") == 1
    assert value(found, "ecs_release_deployment_sets_total", environment="prod", cause="Requested", outcome="Succeeded") == 1
    assert value(found, "ecs_release_drifts_total", environment="prod") == 1
    assert value(found, "ecs_release_deployments_total", environment="prod") == 1
    assert value(found, "ecs_release_changes_total", environment="prod") == 2
    assert value(found, "ecs_release_changes_failed_total", environment="prod") == 1
    assert value(found, "ecs_release_lead_time_seconds_sum", environment="prod") == 7200
    assert value(found, "ecs_release_commit_lead_time_seconds_sum", environment="prod") == 86400
    assert value(found, "ecs_release_time_to_restore_seconds_sum", environment="prod") == 600


def test_late_success_is_one_change_failed_once_and_deployed_once() -> None:
    metrics = Metrics("0")
    metrics.happened("Release", "prod", (BROKEN, Transition(TransitionKind.REFINED, outcome="SucceededLate", counts=DEPLOYED)))
    found = samples(metrics)
    counted = [value(found, f"ecs_release_{name}_total", environment="prod") for name in ("changes", "changes_failed", "deployments")]
    assert counted == [1, 1, 1]


def test_an_environment_begins_with_zeros_and_leaves_nothing() -> None:
    metrics = Metrics("0")
    metrics.show(replace(STATE, releases=()), {})
    found = samples(metrics)
    for name in ("deployments_total", "changes_total", "changes_failed_total", "lead_time_seconds_count", "time_to_restore_seconds_count"):
        assert value(found, f"ecs_release_{name}", environment="prod") == 0
    metrics.happened("Release", "prod", EVERYTHING)
    metrics.show(replace(STATE, releases=(), environments=()), {})
    assert [name for name, labels in samples(metrics) if ("environment", "prod") in labels] == []


def test_calls() -> None:
    found = samples(filled())
    assert (
        value(found, "ecs_release_aws_calls_total", account="111122223333", region="eu-west-1", action="ecs:DescribeServices", result="ok")
        == 1
    )
    assert value(found, "ecs_release_aws_call_duration_seconds_count", action="ecs:DescribeServices") == 1
    assert value(found, "ecs_release_aws_wait_seconds_sum", account="111122223333", region="eu-west-1", row="service-read") == 2


def test_the_store_keeps_conditions_once() -> None:
    """Five thousand Releases stand in a few ways only."""

    def facts(name: str) -> ReleaseFacts:
        conditions = [
            {"type": "Ready", "status": "True", "reason": "Succeeded"},
            {"type": "Stalled", "status": "False", "reason": "Succeeded"},
        ]
        meta = {"namespace": "shop", "name": name, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
        spec = {"projectRef": {"name": "store"}, "service": "web", "environmentRef": {"name": "prod"}}
        return release_facts({"metadata": meta, "spec": spec, "status": {"conditions": conditions}})

    assert facts("a").conditions == (("Ready", "True"), ("Stalled", "False"))
    assert facts("a").conditions is facts("b").conditions
    assert facts("a").reason == "Succeeded"


@pytest.mark.parametrize(
    ("reason", "warned_of"),
    [
        ("ArtifactGone", True),
        ("RollbackTargetGone", True),
        ("ArtifactAtRisk", True),
        ("KeepTagFailed", True),
        ("Resolved", False),
        ("NotObserved", False),
    ],
)
def test_the_store_keeps_what_artifacts_are_warned_of(reason: str, warned_of: bool) -> None:
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Succeeded"},
        {"type": "ArtifactAvailable", "status": "True", "reason": reason},
    ]
    meta = {"namespace": "shop", "name": "web", "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"projectRef": {"name": "store"}, "service": "web", "environmentRef": {"name": "prod"}}
    found = release_facts({"metadata": meta, "spec": spec, "status": {"conditions": conditions}})
    assert found.artifact_warning == (reason if warned_of else "")


# The page, the rules, and what is served.


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    rows = re.findall(r"^\| `(ecs_release_\w+)` \| (\w+) \|([\w, ]*)\|", PAGE, re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"\w+", labels))) for name, kind, labels in rows}


def test_a_refused_release_is_in_one_number_and_stuck_for_its_team() -> None:
    stuck = stored_release("web", "Failed", "TargetNotAllowed", Ready="False", Stalled="True")
    metrics = Metrics("1")
    metrics.show(replace(STATE, releases=(stuck,), refused=frozenset({stuck.key})), {})
    shown = gzip.decompress(metrics.render()).decode()
    lines = {line for line in shown.splitlines() if line.startswith("ecs_release_releases") and "conditions" not in line}
    assert lines == {
        'ecs_release_releases_refused{namespace="shop"} 1.0',
        'ecs_release_releases_stalled{environment="prod",namespace="shop",reason="TargetNotAllowed"} 1.0',
    }


def test_the_page_says_what_is_served() -> None:
    ours = {name: its for name, its in served().items() if name.startswith("ecs_release_")}
    assert documented() == ours


def test_the_page_names_the_client_s_own() -> None:
    others = {name for name in served() if not name.startswith("ecs_release_")}
    assert set(re.findall(r"`((?:process|python)_\w+)`", PAGE)) == others


def test_each_warning_of_artifacts_has_an_alert() -> None:
    """One each, and the page names them all."""
    asked = [m for _, e in expressions() for m in re.findall(r'artifact_warnings\{reason=~?"([\w|]+)"', e)]
    assert sorted(reason for one in asked for reason in one.split("|")) == sorted(WARNED_OF)
    (row,) = re.findall(r"^\| `ecs_release_releases_artifact_warnings` .*$", PAGE, re.MULTILINE)
    assert [reason for reason in WARNED_OF if reason not in row] == []


def test_each_condition_of_views_has_an_alert() -> None:
    (asked,) = [m for name, e in expressions() if name == "ReleaseNotShown" for m in re.findall(r'type=~"([\w|]+)"', e)]
    assert sorted(asked.split("|")) == sorted(kind.condition for kind in (GITHUB, SLACK))


def expressions() -> Iterator[tuple[str, str]]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    yield from re.findall(r"^\| ([^|]*) \| `([^`|]*\([^`|]*)` \|$", PAGE, re.MULTILINE)


EXPRESSIONS = list(expressions())


def test_four_dora_measures_have_promql() -> None:
    """Lead time has two: from the push, and from the commit."""
    assert len(EXPRESSIONS) - sum(len(g["rules"]) for g in RULES["groups"]) == 5


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[n for n, _ in EXPRESSIONS])
def test_promql_reads_series_that_exist(name: str, expression: str) -> None:
    """Their names and the labels that are matched, and grouped by."""
    series = {}
    for metric, (kind, labels) in served().items():
        ends = {"_bucket": {"le"}, "_sum": set(), "_count": set()} if kind == "histogram" else {"": set()}
        series |= {metric + end: labels | more for end, more in ends.items()}
    seen: list[Any] = []

    def note(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            seen.append(node)

    promql_parser.walk(promql_parser.parse(expression), note)
    assert seen
    for selector in seen:
        assert selector.name in series
        assert {m.name for m in selector.matchers.matchers} <= series[selector.name]
    known = set().union(*(series[s.name] for s in seen))
    assert {label for labels in re.findall(r"(?:by|on) \(([\w, ]+)\)", expression) for label in labels.split(", ")} <= known


@pytest.mark.parametrize("rule", [r for g in RULES["groups"] for r in g["rules"]], ids=lambda r: r["alert"])
def test_rules_say_what_is_wrong(rule: dict[str, Any]) -> None:
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    kept = set(re.findall(r"[\w]+", " ".join(re.findall(r"(?:by|on) \(([\w, ]+)\)", rule["expr"]))))
    spoken = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert spoken <= (kept or {"environment"})
