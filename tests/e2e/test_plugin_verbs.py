"""The plugin's verbs through kubectl: what they write, what they ask for, and what they refuse."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.aws_simulator.client import image_name
from tests.e2e.bed import GROUP, Place, condition
from tests.e2e.plugin import Done, ecs_release
from tests.e2e.sets import lines, push

NAMES = ("api", "web")
WHO = ["--requested-by", "ada"]


def run(place: Place, *arguments: str, check: bool = True, **more: Any) -> Done:
    return ecs_release(place.bed.cluster, *arguments, "-n", place.name, check=check, **more)


@pytest.fixture
def stages(place: Place) -> Place:
    """Two environments of one account, staging and the place's own: all services on v1, and v2 goes to staging."""
    place.services(*NAMES)
    for name in NAMES:
        image = image_name(place.repository(name), "ref.v1", account=place.account, region=place.region)
        place.aws.create_service(f"staging-{name}", {"app": image}, cluster=place.name, account=place.account, region=place.region)
    place.environment(rollout={"settleSeconds": 0})
    place.environment(staging(place), rollout={"settleSeconds": 0}, target={"cluster": place.name, "serviceName": "staging-{service}"})
    return place


def staging(place: Place) -> str:
    return f"{place.name}-staging"


def to_staging(place: Place, tag: str = "v2") -> dict[str, str]:
    pushed = push(place, tag, *NAMES)
    place.release_set(tag, "staging", environmentRef={"name": staging(place)})
    place.wait_set("Succeeded", "staging")
    return pushed


def images(manifest: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    return {o["service"]: o["source"]["images"] for o in manifest["spec"]["overrides"]}


def test_a_promotion_is_a_manifest_for_the_pull_request(stages: Place, tmp_path: Path) -> None:
    pushed = to_staging(stages)
    promote = ["promote", staging(stages), stages.name, *WHO, "--ticket", "T-1"]
    done = run(stages, *promote, "--url", "https://example.com/pull/7")
    manifest = yaml.safe_load(done.out)
    assert images(manifest) == {s: [{"container": "app", "digest": pushed[s], "releaseHash": "v2"}] for s in NAMES}
    assert "source" not in manifest["spec"] and manifest["metadata"] == {"name": f"all-{stages.name}", "namespace": stages.name}
    assert manifest["spec"]["change"] == {
        "description": f"promote all at v2 from {staging(stages)}",
        "requestedBy": "ada",
        "url": "https://example.com/pull/7",
        "ticket": "T-1",
    }
    assert stages.kubectl("get", "releasesets", "-o", "name").split() == [f"releaseset.{GROUP}/staging"], (
        "nothing is written to the cluster"
    )

    file = tmp_path / "production.yaml"
    body = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": stages.name}, "source": {"releaseHash": "v1"}}
    text = yaml.safe_dump({"apiVersion": f"{GROUP}/v1alpha1", "kind": "ReleaseSet", "metadata": {"name": "production"}, "spec": body})
    file.write_text(f"# Ours.\n{text}  strategy:\n    onFailure: RollBack # all or nothing\n")
    run(stages, *promote, "-f", str(file))
    assert file.read_text().startswith("# Ours.\n") and "onFailure: RollBack # all or nothing" in file.read_text()
    edited = yaml.safe_load(file.read_text())
    assert images(edited) == images(manifest) and edited["metadata"] == {"name": "production"} and "source" not in edited["spec"]
    stages.kubectl("apply", "-f", str(file))
    stages.wait_set("Succeeded", "production")
    assert {s: stages.running(s)["app"] for s in NAMES} == {s: {d} for s, d in pushed.items()}


def test_a_promotion_may_be_applied(stages: Place) -> None:
    pushed = to_staging(stages)
    stages.release_set("v1", strategy={"onFailure": "Continue"}, change={"requestedBy": "bob", "ticket": "OLD-1"})
    stages.wait_set("Succeeded")
    promote = ["promote", staging(stages), stages.name, *WHO, "--apply"]
    refused = run(stages, *promote, check=False)
    assert refused.code == 1 and "give --yes" in refused.err and "web: v1 -> v2" in refused.err
    done = run(stages, *promote, "--yes", "--service", "web")
    assert done.out == "releaseset/all changed\n"
    stages.wait_set("Succeeded")
    assert stages.running("web")["app"] == {pushed["web"]} and stages.running("api")["app"] != {pushed["api"]}
    assert stages.get_set()["spec"]["source"] == {"releaseHash": "v1"}, "one service alone leaves the others as they are"
    run(stages, *promote, "--yes")
    status = stages.wait_set("Succeeded")
    live = stages.get_set()
    assert "ticket" not in live["spec"]["change"], "a former release's reason is not this one's"
    assert "source" not in live["spec"] and live["spec"]["strategy"]["onFailure"] == "Continue"
    assert "kubectl-ecs-release" in {f["manager"] for f in live["metadata"]["managedFields"]}
    assert status["history"][0]["requestedBy"] == "ada" and {n: s["hash"] for n, s in lines(status).items()} == {"api": "v2", "web": "v2"}

    # And back: what the set replaced, by digest.
    back = run(stages, "rollback", "all", *WHO, "--apply", "--yes")
    assert "roll back to v1" in back.err or "release hashes" in back.err
    stages.wait_set("Succeeded")
    stages.until_set(lambda: stages.set_status()["history"][0]["description"].startswith("roll back"), "the rollback")
    assert stages.running("api")["app"] != {pushed["api"]}
    again = run(stages, "rollback", "all", "--to-hash", "v2", *WHO)
    assert images(yaml.safe_load(again.out)) == {s: [{"container": "app", "digest": pushed[s], "releaseHash": "v2"}] for s in NAMES}


def test_a_new_set_is_created_by_server_side_apply(stages: Place) -> None:
    before = {s: stages.running(s)["app"].pop() for s in NAMES}
    pushed = to_staging(stages)
    run(stages, "promote", staging(stages), stages.name, *WHO, "--apply", "--yes", "--name", "production")
    stages.wait_set("Succeeded", "production")
    assert {s: stages.running(s)["app"] for s in NAMES} == {s: {d} for s, d in pushed.items()}
    back = run(stages, "rollback", "production", *WHO)
    assert "web: v2 -> v1" in back.err
    assert {s: i[0]["digest"] for s, i in images(yaml.safe_load(back.out)).items()} == before


def test_what_is_not_proven_is_not_promoted(stages: Place) -> None:
    stages.push("v2", service="api")
    stages.push("crash.v2", "v2", service="web")
    stages.release_set("v2", "staging", environmentRef={"name": staging(stages)})
    stages.wait_set("RolledBack", "staging")
    done = run(stages, "promote", staging(stages), stages.name, check=False)
    assert (
        done.code == 1 and done.out == "" and "1 of 2 services: web: " in done.err and "RolledBack" in done.err and "api: " not in done.err
    )
    anyway = run(stages, "promote", staging(stages), stages.name, "--allow-unready", "-o", "json")
    assert "warning: web: " in anyway.err and len(images(json.loads(anyway.out))) == 2
    missing = run(stages, "promote", staging(stages), "nowhere", check=False)
    assert missing.code == 1 and "there is no Environment 'nowhere'" in missing.err
    assert "has no nothing there" in run(stages, "promote", staging(stages), stages.name, "--service", "nothing", check=False).err


def test_a_release_goes_back_to_what_was_ready(shop: Place) -> None:
    first = shop.running()["app"].pop()
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push("crash.v2", "v2")
    shop.release("v2")
    shop.wait("RolledBack")
    manifest = yaml.safe_load(run(shop, "rollback", "release/web", *WHO).out)
    assert manifest["spec"]["source"] == {"images": [{"container": "app", "digest": first, "releaseHash": "v1"}]}
    run(shop, "rollback", "web", *WHO, "--apply", "--yes")
    status = shop.wait("Succeeded")
    assert status["pin"]["images"][0]["digest"] == first

    # What status does not remember ECR may know, also by the beginning of its hash.
    commit, other = "3f2a91c" + "0" * 33, "3f2a91d" + "0" * 33
    pushed = shop.push("v3", commit)
    back = ["rollback", "web", *WHO, "--to-hash"]
    found = run(shop, *back, commit[:8], environment=shop.aws.environment())
    assert (
        yaml.safe_load(found.out)["spec"]["source"] == {"images": [{"container": "app", "digest": pushed, "releaseHash": commit}]}
        and "status does not remember" in found.err
    )
    shop.push("v4", other)
    several = run(shop, *back, "3f2a91", environment=shop.aws.environment(), check=False)
    assert several.code == 1 and f"it may be {commit}, {other}" in several.err
    alone = run(shop, *back, "3f2a91", environment={"AWS_EC2_METADATA_DISABLED": "true"}, check=False)
    assert alone.code == 1 and "no AWS credentials" in alone.err and "as far as status remembers" in alone.err


def test_requests_are_acknowledged(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")
    shop.wait("RolledBack")
    done = run(shop, "retry", "web")
    assert done.out.startswith("release/web acknowledged: retry ")
    token = done.out.split()[-1]
    assert shop.status()["lastHandledRetry"] == token == shop.get()["metadata"]["annotations"][f"{GROUP}/retry"]
    shop.wait("RolledBack")
    run(shop, "refresh", "release/web", "--wait", "--timeout", "30s")
    assert run(shop, "retry", "nothing", check=False).code == 1


def test_what_is_under_way_is_aborted(place: Place) -> None:
    place.service("v1", circuit_breaker=False, rollback=False)
    place.environment()
    place.project()
    # Without a circuit breaker it crashes for ever.
    place.push("crash.v2", "v2")
    place.release("v2")
    place.deployed()
    run(place, "abort", "web")
    place.wait("Aborted")


def test_a_request_that_nobody_answers_says_so(shop: Place) -> None:
    shop.apply(
        "Release",
        "lonely",
        {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": shop.name}, "source": {"tag": "x"}},
    )
    shop.until(lambda: shop.status("lonely").get("conditions"), "its status", "lonely")
    shop.bed.operator.stop()
    try:
        done = run(shop, "retry", "lonely", "--timeout", "2s", check=False)
        assert done.code == 1 and "not acknowledged within 2 s" in done.err and "does the operator run?" in done.err
        assert run(shop, "retry", "lonely", "--wait=false").out.startswith("release/lonely asked: retry ")
    finally:
        shop.bed.operator.start()
        shop.bed.operator.wait_until_ready()


def test_suspend_and_resume(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    assert run(shop, "suspend", "web").out == "release/web suspended\n"
    shop.wait("Suspended")
    assert run(shop, "suspend", "web").out == "release/web unchanged: it is suspended\n"
    assert run(shop, "resume", "web").out == "release/web resumed\n"
    shop.wait("Succeeded")
    assert "suspend" not in shop.get()["spec"] or shop.get()["spec"]["suspend"] is False


def test_a_suspension_has_a_reason_and_an_end(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    done = run(shop, "suspend", "web", "--reason", "the shop is audited", "--for", "2h").out
    until = shop.get()["spec"]["suspension"]["until"]
    assert done == f"release/web suspended until {until}\n" and shop.get()["spec"]["suspension"]["reason"] == "the shop is audited"
    message = condition(shop.wait("Suspended"), "Ready")["message"]
    assert "spec.suspend is true (the shop is audited): nothing is changed in AWS before " in message
    assert "Blocked by:   spec.suspend is true (the shop is audited)" in run(shop, "status", "web", check=False).out
    assert run(shop, "suspend", "web").out == "release/web suspended\n", "for good, now"
    assert "suspension" not in shop.get()["spec"]
    run(shop, "suspend", "web", "--for", "1s")
    shop.wait("Succeeded")
    assert run(shop, "resume", "web").out == "release/web resumed\n"
    assert not shop.get()["spec"].keys() & {"suspension"}
    for wrong in ("0s", "999999999d"):
        assert "--for" in run(shop, "suspend", "web", "--for", wrong, check=False).err


@pytest.mark.parametrize("tool", ["argo", "flux"])
def test_what_git_writes_is_left_to_git(shop: Place, tool: str) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    if tool == "argo":
        tracking = f"argocd.argoproj.io/tracking-id=team_shop:{GROUP}/Release:{shop.name}/web"
        shop.kubectl("annotate", "release", "web", tracking)
        named = "Argo CD (Application team/shop)"
    else:
        labels = ("kustomize.toolkit.fluxcd.io/name=apps", "kustomize.toolkit.fluxcd.io/namespace=flux-system")
        shop.kubectl("label", "release", "web", *labels)
        named = "Flux (Kustomization flux-system/apps)"
    done = run(shop, "suspend", "web", check=False)
    assert done.code == 1 and named in done.err and "--force" in done.err
    assert not shop.get()["spec"].get("suspend")
    assert run(shop, "retry", "web").code == 0, "a request is no part of the spec"
    forced = run(shop, "suspend", "web", "--force")
    assert forced.err.startswith("warning: ") and named in forced.err
    assert shop.get()["spec"]["suspend"] is True


def test_a_sets_children_are_the_sets(stages: Place) -> None:
    push(stages, "v2", *NAMES)
    stages.release_set("v2")
    stages.wait_set("Succeeded")
    child = stages.children()["web"]["metadata"]["name"]
    for verb in ("retry", "suspend", "rollback"):
        done = run(stages, verb, f"release/{child}", check=False)
        assert done.code == 1 and "belongs to ReleaseSet all" in done.err and "releaseset/all" in done.err
    assert run(stages, "suspend", f"release/{child}", "--force").out == f"release/{child} suspended\n"


def test_who_may_not_is_told_before_anything_is_done(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    reader = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader", "namespace": shop.name},
        "rules": [{"apiGroups": [GROUP], "resources": ["releases", "releasesets"], "verbs": ["get", "list"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader", "namespace": shop.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "grace"}],
    }
    shop.bed.cluster.apply(reader, binding)
    for verb in ("retry", "suspend"):
        done = run(shop, verb, "web", "--as", "grace", check=False)
        assert done.code == 1 and f"grace may not patch releases.{GROUP} 'web' in namespace '{shop.name}'" in done.err
    assert "annotations" not in shop.get()["metadata"] or f"{GROUP}/retry" not in shop.get()["metadata"]["annotations"]


@pytest.mark.parametrize(("answer", "applied"), [("y", True), ("n", False)])
def test_on_a_terminal_it_asks(stages: Place, answer: str, applied: bool) -> None:
    to_staging(stages)
    leader, follower = pty.openpty()
    environment = {**os.environ, "KUBECONFIG": str(stages.bed.cluster.kubeconfig)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    command = [stages.bed.cluster.kubectl_path, "ecs-release", "promote", staging(stages), stages.name, "--apply", "-n", stages.name, *WHO]
    os.write(leader, f"{answer}\n".encode())
    done = subprocess.run(command, stdin=follower, capture_output=True, text=True, timeout=300, env=environment, check=False)
    os.close(leader)
    os.close(follower)
    assert "[y/N]" in done.stderr and (done.returncode == 0) is applied, done.stderr
    there = f"releaseset.{GROUP}/all-{stages.name}" in stages.kubectl("get", "releasesets", "-o", "name")
    assert there is applied
