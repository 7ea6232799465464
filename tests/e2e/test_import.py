"""`import` and the first day: what is there already is described, observed, planned, and then adopted without being touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws_simulator.client import ACCOUNT, image_name
from tests.control_plane.cluster import KubectlError
from tests.e2e.bed import Place, condition
from tests.e2e.plugin import Done, ecs_release

SHELF = """
shelf:
  name: Shelf
  role_arn: arn:aws:iam::012345678901:role/shelf-ci
  account_id: 210987654321
  environments:
    - id: stage
      name: Staging
    - id: 2022-10-03
    - id: v1RC
  image_repositories:
    - id: lender
      services:
        - id: lender-in
        - lender_out.v2
    - id: desk_api
      services: [desk]
    - id: desk_proxy
      services: [{id: desk, role_arn: "arn:aws:iam::999988887777:role/desk"}]
    - id: unused
"""


def imported(place: Place, *arguments: str) -> Done:
    environment = {**place.aws.environment(), "AWS_REGION": place.region}
    return ecs_release(place.bed.cluster, "import", *arguments, environment=environment)


def test_a_weco_manifest_gives_objects_that_the_api_server_takes(place: Place, tmp_path: Path) -> None:
    file = tmp_path / ".wellcome_project"
    file.write_text(SHELF.replace("shelf:", f"{place.name}:"))
    targets = [
        "--target",
        "desk@stage=other/desk_service",
        "--service-name",
        "{environment}-{service}",
        "--ecs-cluster",
        "stage=shelf-staging",
    ]
    done = imported(place, "weco", str(file), "-n", place.name, *targets)
    again = imported(place, "weco", str(file), "-n", place.name, *targets)
    assert done.out == again.out
    place.bed.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=done.out)
    documents = list(yaml.safe_load_all(done.out))
    assert [d["kind"] for d in documents] == ["Project"] + ["Environment"] * 6
    assert "note: " in done.err and "unused feeds no service" in done.err


def test_a_manifest_may_come_by_stdin(place: Place) -> None:
    environment = place.aws.environment()
    done = ecs_release(place.bed.cluster, "import", "weco", "-", "--kind", "Project", environment=environment, stdin=SHELF)
    assert [d["kind"] for d in yaml.safe_load_all(done.out)] == ["Project"]
    bad = ecs_release(place.bed.cluster, "import", "weco", "-", stdin="nothing", check=False)
    assert bad.code == 1 and bad.err.startswith("error: -: ")


def manifest(place: Place, folder: Path, account: str) -> str:
    """Write a team's manifest: those of two accounts differ in that alone."""
    file = folder / account
    file.write_text(f"{place.name}: {{account_id: '{account}', environments: [stage], image_repositories: [{{id: im, services: [a]}}]}}")
    return str(file)


ACCOUNTS = (ACCOUNT, "444455556666")


def test_manifests_of_two_accounts_have_environments_of_their_own(place: Place, tmp_path: Path) -> None:
    """Names of Environments are the whole cluster's: a second team's of the same name would be applied over the first one's."""
    words, notes = ["-n", place.name, "--environment", "{project}-{environment}-{account}"], ""
    for account in ACCOUNTS:
        file = manifest(place, tmp_path, account)
        notes += imported(place, "weco", file, "-n", place.name).err
        place.bed.cluster.apply(imported(place, "weco", file, *words, "--kind", "Environment").out)
    found = [place.get_environment(f"{place.name}-stage-{account}")["spec"]["aws"]["accountID"] for account in ACCOUNTS]
    assert found == [*ACCOUNTS]
    assert notes.count("see with kubectl get environments that no other team has them") == 2


def test_an_environment_is_not_applied_over_that_of_another_account(place: Place, tmp_path: Path) -> None:
    """Who does not give them names of their own is refused by the API server, and told that by the note before."""
    first, second = (imported(place, "weco", manifest(place, tmp_path, a), "-n", place.name, "--kind", "Environment") for a in ACCOUNTS)
    name = f"{place.name}-stage"
    place.bed.cluster.apply(first.out)
    before = place.get_environment(name)["spec"]
    with pytest.raises(KubectlError, match="accountID is immutable: create another Environment"):
        place.bed.cluster.apply(second.out)
    assert place.get_environment(name)["spec"] == before and before["aws"]["accountID"] == ACCOUNTS[0]
    assert name in second.err and "--environment gives other names, such as '{project}-{environment}-{account}'" in second.err


def cluster_of(place: Place) -> dict[str, str]:
    """Two services that run what somebody deployed: one with a sidecar of another registry, one by digest; and one that runs nothing."""
    digests = {s: place.push("v1", service=s) for s in ("api", "web", "idle")}
    names = {s: image_name(place.repository(s), "ref.v1", account=place.account, region=place.region) for s in digests}
    place.aws.create_service(
        f"{place.name}-api",
        {"app": names["api"], "log": "public.ecr.aws/x/log:1"},
        cluster=place.name,
        account=place.account,
        region=place.region,
    )
    place.aws.create_service(f"{place.name}-web", {"app": names["web"]}, cluster=place.name, account=place.account, region=place.region)
    place.aws.create_service(
        f"{place.name}-idle", {"app": names["idle"]}, cluster=place.name, account=place.account, region=place.region, desired=0
    )
    return digests


def test_the_first_day(place: Place) -> None:
    """Import, observe, plan, deploy: nothing is ever touched, for what runs is what is asked for."""
    digests = cluster_of(place)
    role = ["--role-arn", place.role, "--project", "shop", "-n", place.name, "--environment", place.name]
    before = place.aws.mark()
    done = imported(place, "ecs", "--cluster", place.name, *role, "--service-name", f"{place.name}-{{service}}")
    assert place.changes(before) == [], "an import only reads"
    assert done.out == imported(place, "ecs", place.name, *role, "--service-name", f"{place.name}-{{service}}").out
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(done.out))
    assert [d["kind"] for d in documents] == ["Project", "Environment", "Release", "Release"]
    releases = {d["spec"]["service"]: d["spec"]["source"]["images"] for d in documents[2:]}
    assert releases == {s: [{"container": "app", "digest": digests[s], "releaseHash": "v1"}] for s in ("api", "web")}
    assert "left alone: container log" in done.err and "idle: no task runs" in done.err

    place.bed.cluster.apply(done.out.replace("  mode: Observe\n", "  mode: Observe\n  observation:\n    intervalSeconds: 5\n"))
    for service in releases:
        name = f"{service}-{place.name}"
        status = place.until(lambda n=name: _in_sync(place, n), "it to be seen", name)
        assert condition(status, "Ready")["reason"] == "Observing" and condition(status, "Ready")["status"] == "True"
        assert "plan" not in status or not status["plan"].get("images")
    place.kubectl("patch", "environment", place.name, "--type=merge", "-p", '{"spec":{"mode":"Deploy"}}')
    for service in releases:
        status = place.wait("Succeeded", f"{service}-{place.name}")
        assert status["running"]["hash"] == "v1"
    assert [m for m in place.aws.calls(mutating=True, since=before) if f"/{place.name}/" in m["caller"]] == []


def _in_sync(place: Place, name: str) -> dict[str, Any] | None:
    status = place.status(name)
    return status if condition(status, "InSync").get("status") == "True" else None


def test_a_cluster_that_is_not_there(place: Place) -> None:
    environment = {**place.aws.environment(), "AWS_REGION": place.region}
    done = ecs_release(place.bed.cluster, "import", "ecs", "nowhere", "--role-arn", place.role, environment=environment, check=False)
    assert done.code == 1 and done.err.startswith("error: ") and "nowhere" in done.err and "Traceback" not in done.err
