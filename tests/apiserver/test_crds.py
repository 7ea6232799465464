"""The CRDs on a real API server: what it admits, what it refuses and how, and what kubectl shows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_plane.cluster import Cluster, KubectlError
from tests.waiting import until_blocking

ROOT = Path(__file__).parents[2]
SAMPLES = {s["kind"]: s for s in yaml.safe_load_all((ROOT / "tests" / "samples.yaml").read_text())}
LONG = "x" * 64


def sample(kind: str, name: str, change: Callable[[dict[str, Any]], object] | None = None) -> dict[str, Any]:
    """Return a sample under another name, with its spec changed."""
    made = copy.deepcopy(SAMPLES[kind])
    made["metadata"]["name"] = name
    if change is not None:
        change(made["spec"])
    return made


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set a field by its path; None takes it out."""

    def change(spec: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = spec
        for part in way:
            at = at[int(part)] if part.isdigit() else at.setdefault(part, {})
        if value is None:
            at.pop(last)
        else:
            at[last] = value

    return change


@pytest.mark.parametrize("kind", SAMPLES)
def test_samples_are_admitted(cluster: Cluster, kind: str) -> None:
    assert f"sample-{kind.lower()}" in cluster.apply(sample(kind, f"sample-{kind.lower()}"))


def test_examples_are_admitted(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "shop")
    cluster.kubectl("apply", "-f", str(ROOT / "examples" / "shop"))
    assert {kind: len(cluster.get(kind, "-n", "shop")["items"]) for kind in ("releases", "releasesets")} == {
        "releases": 2,
        "releasesets": 2,
    }
    cluster.kubectl("apply", "-f", str(ROOT / "examples" / "rbac"))
    # In force they would be in the way of other tests here.
    cluster.kubectl("apply", "--dry-run=server", "-f", str(ROOT / "examples" / "policies"))


REFUSED = [
    ("Release", put("source.tag", "latest"), "set exactly one of releaseHash, tag and images"),
    ("Release", put("source", {}), "set exactly one of releaseHash, tag and images"),
    ("Release", put("source", None), "spec.source: Required value"),
    ("Release", put("source", {"releaseHash": "no spaces"}), "spec.source.releaseHash in body should match"),
    ("Release", put("source", {"tag": "x" * 129}), "spec.source.tag: Too long: may not be more than 128"),
    ("Release", put("source", {"images": []}), "spec.source.images in body should have at least 1 items"),
    ("Release", put("source.images.0.digest", "sha256:abc"), "should match '^sha256:[0-9a-f]{64}$'"),
    ("Release", put("source.images", [SAMPLES["Release"]["spec"]["source"]["images"][0]] * 2), "Duplicate value"),
    ("Release", put("service", ""), "spec.service"),
    ("Release", put("change.description", "x" * 1025), "spec.change.description: Too long"),
    ("Release", put("projectRef.name", LONG), "spec.projectRef.name: Too long: may not be more than 63"),
    ("Environment", put("aws.accountID", "12345"), "spec.aws.accountID in body should match '^[0-9]{12}$'"),
    ("Environment", put("aws.region", "Ireland"), "spec.aws.region in body should match"),
    ("Environment", put("aws.roleARN", "arn:aws:iam::1:role/x"), "spec.aws.roleARN in body should match"),
    ("Environment", put("aws.roleARN", "arn:aws:s3:::bucket"), "spec.aws.roleARN in body should match"),
    ("Environment", put("aws.externalID", "a"), "spec.aws.externalID in body should be at least 2 chars"),
    ("Environment", put("target.serviceName", "{servce}"), "must be made of letters, digits, _, - and {namespace} {project}"),
    ("Environment", put("target.cluster", "a b"), "spec.target.cluster in body should match"),
    ("Environment", put("artifacts.tagFormats", ["ref"]), "spec.artifacts.tagFormats[0] in body should match"),
    ("Environment", put("artifacts.tagFormats", []), "spec.artifacts.tagFormats in body should have at least 1 items"),
    ("Environment", put("artifacts.keepTag", "{environment}.{service}"), "spec.artifacts.keepTag in body should match"),
    ("Environment", put("artifacts.keepTag", "keep.{environment}"), "must hold {environment} and {service}"),
    ("Environment", put("artifacts.keepTag", "keep.{environment}.{service}.{set}"), "must hold {environment} and {service}"),
    ("Environment", put("artifacts.keepTag", "ref.{environment}.{service}"), "keepTag must not read as a release hash by tagFormats"),
    ("Environment", put("artifacts.keepTag", "keep.{environment}.{service}"), None),
    ("Environment", put("artifacts.environmentTag", "keep.{environment}.{service}"), "keepTag and environmentTag must differ"),
    ("Environment", put("artifacts.registryID", "x"), "spec.artifacts.registryID in body should match"),
    ("Environment", put("allowedNamespaces", {}), "set exactly one of names and selector"),
    ("Environment", put("allowedNamespaces.names", ["a"]), "set exactly one of names and selector"),
    ("Environment", put("mode", "Test"), 'spec.mode: Unsupported value: "Test": supported values: "Deploy", "Observe"'),
    ("Environment", put("suspend", {}), "spec.suspend.reason: Required value"),
    ("Environment", put("rollout.method", "Magic"), "spec.rollout.method: Unsupported value"),
    ("Environment", put("rollout.progressDeadlineSeconds", 5), "should be greater than or equal to 30"),
    ("Environment", put("observation.intervalSeconds", 1), "should be greater than or equal to 5"),
    ("Environment", put("observation.eventQueueURL", "sqs"), "spec.observation.eventQueueURL in body should match"),
    ("Environment", put("windows.0.startTime", "2026-01-01T00:00:00Z"), "set exactly one of cron and startTime"),
    ("Environment", put("windows.0.durationSeconds", None), "set durationSeconds with cron, and only with it"),
    ("Environment", put("windows.0.cron", "every day"), "spec.windows[0].cron in body should match"),
    ("Environment", put("windows.1.endTime", None), "set endTime with startTime, and only with it"),
    ("Environment", put("windows.1.endTime", "2020-01-01T00:00:00Z"), "endTime must be after startTime"),
    ("Environment", put("windows.1.startTime", "0000-01-01T00:00:00Z"), "startTime must be in 1970 or later"),
    ("Environment", put("windows.1.endTime", "3000-01-01T00:00:00Z"), "endTime must be before the year 3000"),
    ("Environment", put("windows.1.endTime", "9999-12-31T23:59:59-23:59"), "endTime must be before the year 3000"),
    ("Environment", put("windows.1.name", "weekend"), "Duplicate value"),
    ("Project", put("serviceSets.1.services.0.name", "bag-register"), "a service must be in one service set only"),
    ("Project", put("serviceSets.0.services.0.containers", []), "should have at least 1 items"),
    ("Project", put("serviceSets.0.services.0.containers.0.repository", "UPPER"), "repository in body should match"),
    ("Project", put("serviceSets.0.services.0.containers.0.repository", "a/b:tag"), "repository in body should match"),
    ("Project", put("serviceSets.0.services.0.targets.0.cluster", "a/b"), "cluster in body should match"),
    ("Project", put("serviceSets", []), "spec.serviceSets in body should have at least 1 items"),
    ("ReleaseSet", put("source.tag", "x"), "set exactly one of releaseHash, tag and environmentRef"),
    ("ReleaseSet", put("strategy.waves", [{"services": ["a"]}, {"services": ["a"]}]), "a service must be in one wave only"),
    ("ReleaseSet", put("strategy.waves", [{"services": ["a", "b"]}, {"services": ["c", "b"]}]), "a service must be in one wave only"),
    ("ReleaseSet", put("strategy.waves", [{"services": ["c", "b"]}, {"services": ["a", "b"]}]), "a service must be in one wave only"),
    ("ReleaseSet", put("strategy.waves", [{"services": ["c", "b"]}, {"services": ["a"]}]), None),
    ("ReleaseSet", put("strategy.maxParallel", 0), "should be greater than or equal to 1"),
    ("ReleaseSet", put("strategy.onFailure", "Panic"), "spec.strategy.onFailure: Unsupported value"),
    ("ReleaseSet", put("overrides", None), None),
    ("ReleaseSet", lambda spec: (spec.pop("source"), spec.pop("overrides")), "set source, or overrides for every service"),
]


@pytest.mark.parametrize(("kind", "change", "message"), REFUSED, ids=[f"{k}-{i}" for i, (k, _, _) in enumerate(REFUSED)])
def test_refusals(cluster: Cluster, kind: str, change: Callable[[dict[str, Any]], object], message: str | None) -> None:
    made = sample(kind, "refused", change)
    if message is None:
        cluster.apply(made)
        return
    with pytest.raises(KubectlError) as refusal:
        cluster.apply(made)
    assert message in str(refusal.value)


IMMUTABLE = [
    ("Release", put("projectRef.name", "other"), "projectRef is immutable: create another Release"),
    ("Release", put("service", "other"), "service is immutable: create another Release"),
    ("Release", put("environmentRef.name", "other"), "environmentRef is immutable: create another Release"),
    ("ReleaseSet", put("projectRef.name", "other"), "projectRef is immutable: create another ReleaseSet"),
    ("ReleaseSet", put("serviceSet", "other"), "serviceSet is immutable: create another ReleaseSet"),
    ("ReleaseSet", put("environmentRef.name", "other"), "environmentRef is immutable: create another ReleaseSet"),
    ("Environment", put("aws.accountID", "999988887777"), "accountID is immutable: create another Environment"),
    ("Environment", put("aws.region", "us-east-1"), "region is immutable: create another Environment"),
]


@pytest.mark.parametrize(("kind", "change", "message"), IMMUTABLE, ids=[m.partition(":")[0] for _, _, m in IMMUTABLE])
def test_immutable(cluster: Cluster, kind: str, change: Callable[[dict[str, Any]], object], message: str) -> None:
    cluster.apply(sample(kind, "immutable"))
    with pytest.raises(KubectlError, match=message):
        cluster.apply(sample(kind, "immutable", change))


@pytest.mark.parametrize("kind", SAMPLES)
def test_names_are_short_enough_for_labels(cluster: Cluster, kind: str) -> None:
    with pytest.raises(KubectlError, match=r"metadata.name must be at most 63 characters"):
        cluster.apply(sample(kind, LONG))


def test_defaults(cluster: Cluster) -> None:
    least = {"aws": {"accountID": "111122223333", "region": "eu-west-1"}, "target": {"cluster": "c", "serviceName": "{service}"}}
    cluster.apply({"apiVersion": "ecs-release.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "least"}, "spec": least})
    found = cluster.get("environment", "least")
    assert found["spec"] == {**least, "mode": "Deploy", "reasons": "Optional"}
    assert found["status"] == {"observedGeneration": -1}


def test_status_is_written_by_itself_alone(cluster: Cluster) -> None:
    made = sample("Release", "status")
    made["status"] = {"phase": "Ready"}
    cluster.apply(made)
    assert cluster.get("release", "status", "-n", "default")["status"] == {"observedGeneration": -1}


STATUS = """
{"status": {"phase": "Ready", "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "m",
"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}], "summary": {"hash": "3f2a91c", "runningHash": "3f2a91c",
"digest": "aaaaaaaaaaaa", "taskDefinition": "bag:7", "tasks": "2/2", "since": "2026-01-01T00:00:00Z", "requestedBy": "who", "appliedBy": "whom",
"description": "why", "message": "all well"}}}
"""


def test_kubectl_shows_releases(cluster: Cluster) -> None:
    cluster.apply(sample("Release", "shown"))
    cluster.kubectl("patch", "release", "shown", "--subresource=status", "--type=merge", "-p", STATUS)
    header, row = cluster.kubectl("get", "ecsrel", "shown").splitlines()
    assert header.split() == ["NAME", "SERVICE", "ENVIRONMENT", "HASH", "RUNNING", "PHASE", "READY", "TASKS", "AGE"]
    assert row.split()[:8] == ["shown", "bag-register", "storage-prod", "3f2a91c", "3f2a91c", "Ready", "True", "2/2"]
    wide = cluster.kubectl("get", "release", "shown", "-o", "wide").splitlines()
    assert wide[0].split("AGE", 1)[1].split() == ["DIGEST", "TASK", "DEFINITION", "SINCE", "BY", "APPLIED", "BY", "WHY", "MESSAGE"]
    assert "bag:7" in wide[1]
    assert wide[1].rstrip().endswith("all well")


def test_releases_are_selected_by_fields(cluster: Cluster) -> None:
    cluster.apply(sample("Release", "selected"))
    cluster.kubectl(
        "patch", "release", "selected", "--subresource=status", "--type=merge", "-p", STATUS.replace('Ready", "cond', 'Odd", "cond')
    )
    for selector in (
        "status.phase=Odd",
        "status.phase=Odd,spec.service=bag-register",
        "status.phase=Odd,status.summary.runningHash=3f2a91c",
    ):
        assert cluster.kubectl("get", "releases", f"--field-selector={selector}", "-o", "name").split() == [
            "release.ecs-release.dev/selected"
        ]
    assert cluster.kubectl("get", "releases", "--field-selector=spec.projectRef.name=none", "-o", "name") == ""


@pytest.mark.parametrize(
    ("plural", "columns"),
    [
        ("environments", "NAME ACCOUNT REGION MODE READY RELEASES FAILED DRIFTED OBSERVED CLOSED AGE"),
        ("projects", "NAME SERVICES RELEASES READY AGE"),
        ("releasesets", "NAME SERVICE SET ENVIRONMENT HASH PHASE READY SERVICES AGE"),
    ],
)
def test_kubectl_shows_the_other_kinds(cluster: Cluster, plural: str, columns: str) -> None:
    kind = {"environments": "Environment", "projects": "Project", "releasesets": "ReleaseSet"}[plural]
    cluster.apply(sample(kind, "columns"))
    assert cluster.kubectl("get", plural, "columns").splitlines()[0].split() == columns.split()


def test_the_category_shows_them_all_and_all_none(cluster: Cluster) -> None:
    for kind in SAMPLES:
        cluster.apply(sample(kind, "category"))
    shown = cluster.kubectl("get", "ecs-release", "-A", "-o", "name")
    assert {line.partition(".")[0] for line in shown.split()} == {k.lower() for k in SAMPLES}
    assert "ecs-release.dev" not in cluster.kubectl("get", "all", "-A", "-o", "name")


async def test_kubectl_explains(cluster: Cluster) -> None:
    def explained() -> str | None:
        shown = cluster.kubectl("explain", "release.status.rollout", check=False)
        return shown if "attemptID" in shown else None

    assert "The latest attempt" in await until_blocking(explained, 30)
