"""What a platform team's Prometheus sees of a running operator."""

from __future__ import annotations

from urllib.error import URLError

from tests.e2e.bed import Place, condition


def test_a_release_and_a_failed_one_are_counted(shop: Place) -> None:
    def metric(name: str, /, **labels: str) -> float:
        return shop.bed.operator.metric(f"ecs_release_{name}", environment=shop.name, **labels)

    shop.push("v2")
    shop.push("crash.v3", "v3")
    shop.release("v2")
    shop.wait("Succeeded")
    # The status can be read a moment before the operator knows that it was accepted.
    shop.until(lambda: metric("rollouts_total", cause="Requested", outcome="Succeeded") == 1, "the release to be counted")
    assert metric("deployments_total") == metric("changes_total") == metric("lead_time_seconds_count") == 1
    assert 0 < metric("rollout_duration_seconds_sum", outcome="Succeeded") < 60
    shop.release("v3")
    shop.wait("RolledBack")
    shop.until(lambda: metric("rollouts_total", outcome="RolledBack") == 1, "the failure to be counted")
    assert metric("changes_failed_total") == 1
    assert (metric("changes_total"), metric("deployments_total")) == (2, 1)
    labels = {"namespace": shop.name, "name": "web", "service": "web"}
    assert [metric("condition", type=kind, **labels) for kind in ("Ready", "Stalled", "Deployed")] == [0, 1, 0]
    assert metric("releases", phase="RolledBack") == metric("releases_stalled", namespace=shop.name, reason="RolledBack") == 1
    shop.push("v4")
    shop.release("v4")
    shop.wait("Succeeded")
    shop.until(lambda: metric("time_to_restore_seconds_count") == 1, "the restoration to be counted")
    assert (metric("deployments_total"), metric("changes_total")) == (2, 3)
    assert metric("releases", phase="Ready") == 1

    def of_all(name: str, /, **labels: str) -> float:
        return shop.bed.operator.metric(f"ecs_release_{name}", **labels)

    assert of_all("aws_calls_total", account=shop.account, action="ecs:UpdateService", result="ok") >= 3
    assert of_all("aws_wait_seconds_count", account=shop.account, row="service-read") > 0
    assert of_all("reconcile_total", kind="Release", result="ok") > 0


def test_a_restart_counts_nothing_again(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    operator = shop.bed.operator
    shop.until(lambda: operator.metric("ecs_release_rollouts_total", environment=shop.name) == 1, "the release to be counted")
    shop.bed.restart_operator()

    def swept() -> bool:
        try:
            return operator.metric("ecs_release_last_sweep_timestamp_seconds", environment=shop.name) > 0
        except URLError:
            return False  # Not up yet.

    shop.until(swept, "a sweep")
    # A retry of what runs: a pass that writes a status.
    shop.annotate("web", retry="again")
    shop.until(lambda: shop.status().get("lastHandledRetry") == "again", "the retry to be acknowledged")
    assert operator.metric("ecs_release_releases", environment=shop.name, phase="Ready") == 1
    assert operator.metric("ecs_release_rollouts_total", environment=shop.name) == 0
    assert operator.metric("ecs_release_changes_total", environment=shop.name) == 0


def test_deployment_sets_are_counted(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0})
    place.services("api", "web")
    place.push("v2", service="api")
    place.push("v2", service="web")
    place.release_set("v2")
    place.wait_set("Succeeded")
    operator = place.bed.operator
    labels = {"environment": place.name, "outcome": "Succeeded"}
    place.until_set(lambda: operator.metric("ecs_release_deployment_sets_total", **labels) == 1, "the set to be counted")
    assert 0 < operator.metric("ecs_release_deployment_set_duration_seconds_sum", **labels) < 60
    assert operator.metric("ecs_release_rollouts_total", **labels) == 2


def test_drift_is_a_gauge_and_a_counter(shop: Place) -> None:
    shop.push("v1")
    shop.push("v2")
    shop.release("v1")
    shop.wait("Succeeded")
    shop.deploy("v2")
    shop.wait("Drifted")
    operator = shop.bed.operator
    shop.until(lambda: operator.metric("ecs_release_drifts_total", environment=shop.name) == 1, "the drift to be counted")
    shop.until(lambda: operator.metric("ecs_release_releases_drifted", environment=shop.name) == 1, "the gauge")
    assert operator.metric("ecs_release_rollouts_total", environment=shop.name) == 0, "it was adopted, then somebody else deployed"


def test_old_observations_are_a_condition_and_a_metric_and_fail_no_probe(shop: Place) -> None:
    def observed() -> tuple[str, str]:
        found = condition(shop.get_environment()["status"], "Observed")
        return found.get("status", ""), found.get("reason", "")

    shop.release("v1")
    shop.wait("Succeeded")
    shop.until(lambda: observed() == ("True", "Valid"), "the environment to be observed", show=shop.get_environment)
    shop.aws.fault("DescribeServices", status=503, times=None, match=shop.name)
    shop.until(lambda: observed() == ("False", "ObservationFailed"), "the observation to be old", show=shop.get_environment)
    operator = shop.bed.operator
    assert operator.metric("ecs_release_environment_condition", environment=shop.name, type="Observed") == 0
    assert operator.metric("ecs_release_unreadable_services", environment=shop.name) == 1
    assert (operator.probe("/healthz"), operator.probe("/readyz")) == (200, 200)
    shop.aws.control("clear-faults", match=shop.name)
    shop.until(lambda: observed() == ("True", "Valid"), "the environment to be observed again", show=shop.get_environment)
