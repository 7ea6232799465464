"""What the commit graph says: only merged commits, and never backwards. Operator and commits service are processes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from ecs_release.api.ledger import LedgerEntry
from ecs_release.aws.ledger.queries import LedgerReader
from ecs_release.domain.ports.commits import Relation
from tests.aws_simulator.client import ACCOUNT, REGION
from tests.documentation.blocks import blocks, commands
from tests.e2e import plugin
from tests.e2e.bed import READY, STALLED, WAITING, Place, condition, triple
from tests.e2e.git_shop import HOLD, REFUSE, TABLE, Graph, Shop, opened_shop, running_graph, runs
from tests.e2e.queues import Inbox, topic
from tests.e2e.sets import lines
from tests.git_host.service import CommitsService


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with running_graph(tmp_path_factory.mktemp("graph")) as running:
        yield running


@pytest.fixture
def shop(graph: Graph) -> Iterator[Shop]:
    with opened_shop(graph) as opened:
        yield opened


def test_what_is_not_merged_waits_and_goes_by_itself_once_it_is(shop: Shop) -> None:
    place, side = shop.place, shop.repository.commit(shop.line[1], subject="a feature")
    shop.rules(**REFUSE)
    digest = place.push(side)
    place.release(side)
    status = place.wait("NotMerged")
    assert triple(status) == STALLED and side[:12] in shop.message() and f"branch main of {shop.url}" in shop.message()
    assert "would deploy" in status["plan"]["message"] and place.mutations() == []
    place.release(shop.line[2])
    place.wait("Succeeded")
    place.release(side)
    place.wait("NotMerged")
    shop.repository.commit(shop.line[3], side, branch="main", subject="merge it")
    place.wait("Succeeded")
    assert runs(place, digest)


def test_the_page_leads_from_nothing_to_a_protected_production(shop: Shop, graph: Graph, tmp_path: Path) -> None:
    """Its manifests and commands, with another host, service and commits."""
    place, (_, one, two, _) = shop.place, shop.line
    values, project, environment, recorded, back = (b.text for b in blocks("how-to/only-merged.md") if b.language == "yaml")
    side = shop.repository.commit(one, subject="a feature")
    place.push(side)
    place.environment(rollout={"settleSeconds": 0})
    place.kubectl("patch", "project", "shop", "--type=json", "--patch", '[{"op": "remove", "path": "/spec/git"}]')

    storefront = graph.host.repository("shop/storefront", password=("x-access-token", "a token that may read")).line(2)
    (tmp_path / "shop").write_text("a token that may read")
    texts = values.replace("git.example.com", graph.host.host).replace("/var/run/git", str(tmp_path))
    bound = [{**b, "caFile": str(graph.host.ca_file)} for b in yaml.safe_load(texts)["commits"]["bindings"]]
    with CommitsService(tmp_path / "service", bound) as own:
        assert own.ask("shop", graph.host.url("shop/storefront")).relation(*storefront) == Relation(0, 1)

    shop.git(yaml.safe_load(project.replace("https://git.example.com/shop/storefront", shop.url))["spec"]["git"]["url"])
    place.kubectl("patch", "environment", place.name, "--type=merge", "--patch", environment)
    found = shop.goes_out(two)["history"][0]
    told = yaml.safe_load(recorded)
    assert told.keys() <= found.keys() and told["commitRange"].keys() == found["commitRange"].keys()
    shop.build(1, {"releaseHash": one})
    place.wait("GoesBackwards")
    given = yaml.safe_load(back)["spec"]
    place.release(one, change={**given["change"], "rollbackFrom": two[: len(given["change"]["rollbackFrom"])]})
    place.wait("Succeeded")
    place.release(side)
    place.wait("NotMerged")
    (override,) = (b.text for b in commands("how-to/only-merged.md") if "override-commits" in b.text)
    place.kubectl(*shlex.split(override.replace("web-production", "web"))[1:])
    assert place.wait("Succeeded")["history"][0]["commits"] == "override inc-7: payments are down"


def two_rolls_out(shop: Shop) -> str:
    """Have the build of 2 roll out where nothing may go backwards, while all tasks run 0. Returns its digest."""
    place, (zero, _, two, _) = shop.place, shop.line
    shop.rules(**HOLD)
    digest = place.push(f"slow.{two[:8]}", two)
    place.release(zero)
    place.wait("Succeeded")
    shop.build(2, {"releaseHash": two})
    place.wait("RollingOut")
    place.deployed()
    return digest


def test_the_race_of_builds_ends_on_the_newer_commit(shop: Shop) -> None:
    """2 is built first, and rolls out; the build of 1 ends last."""
    place, (_, one, two, _) = shop.place, shop.line
    digest = two_rolls_out(shop)
    shop.build(1, {"releaseHash": one})
    status = place.wait("GoesBackwards")
    assert triple(status) == WAITING, "2 may fail"
    assert f"commit {one[:12]} is 1 commit behind {two[:12]}, which is under way since" in shop.message()
    place.until(lambda: triple(place.status()) == STALLED and runs(place, digest), "2 to be through")
    status = place.stays("GoesBackwards")
    assert f"is 1 commit behind {two[:12]}, which runs since" in shop.message() and len(place.updates()) == 1
    assert (status["history"][0]["hash"], status["history"][0]["outcome"]) == (two, "Succeeded")
    assert status["summary"]["hash"] == one and status["summary"]["runningHash"] == two
    shop.build(3, {"releaseHash": shop.line[3]})
    place.wait("Succeeded")


def test_what_runs_does_not_come_back_in_the_place_of_what_rolls_out(shop: Shop) -> None:
    """The build of 0, which runs, is made again while 2 rolls out, of which no task runs yet."""
    place, (zero, _, two, _) = shop.place, shop.line
    newer = two_rolls_out(shop)
    shop.build(0, {"releaseHash": zero})
    place.wait("GoesBackwards")
    assert f"commit {zero[:12]} is 2 commits behind {two[:12]}" in shop.message()
    place.until(lambda: triple(place.status()) == STALLED and runs(place, newer), "2 to be through")
    assert len(place.updates()) == 1


def test_the_race_of_builds_with_a_tag_that_moves(shop: Shop) -> None:
    """2 rolls out as the tag moves back to the build of 1."""
    place, (zero, one, two, _) = shop.place, shop.line
    shop.rules(**HOLD)
    place.release(zero)
    place.wait("Succeeded")
    newer = place.push(f"slow.{two[:8]}", "latest", two, content="two")
    place.release({"tag": "latest"})
    place.wait("RollingOut")
    place.deployed()
    place.push("latest", one, content="one")
    place.annotate("web", refresh="build-1")
    place.wait("GoesBackwards")
    assert f"commit {one[:12]} is 1 commit behind {two[:12]}" in shop.message()
    place.until(lambda: triple(place.status()) == STALLED and runs(place, newer), "2 to be through")
    place.stays("GoesBackwards")
    assert runs(place, newer) and len(place.updates()) == 1


def test_what_has_diverged_waits(shop: Shop) -> None:
    place, side = shop.place, shop.repository.commit(shop.line[0], branch="feature", subject="a feature")
    shop.rules(**HOLD)
    place.push(side)
    place.release(shop.line[2])
    place.wait("Succeeded")
    place.release(side)
    place.wait("GoesBackwards")
    assert f"has diverged from {shop.line[2][:12]}" in shop.message() and "lacks 2 commits of it, and has 1 of its own" in shop.message()


def test_going_back_is_meant_if_what_runs_is_named(shop: Shop) -> None:
    place, (_, one, two, three) = shop.place, shop.line
    shop.rules(**HOLD)
    place.release(two)
    place.wait("Succeeded")
    place.release(one, change={"rollbackFrom": three})
    place.wait("GoesBackwards")
    place.release(one, change={"rollbackFrom": two[:12]})
    status = place.wait("Succeeded")
    assert status["history"][0]["commits"] == f"rollbackFrom {two[:12]}"
    # It does not stick: something else runs by now.
    place.release(three, change={"rollbackFrom": two[:12]})
    place.wait("Succeeded")
    place.release(one, change={"rollbackFrom": two[:12]})
    place.wait("GoesBackwards")
    # The plugin names what it goes back from.
    place.release(three)
    place.wait("Succeeded")
    who = ("--namespace", place.name, "--requested-by", "ada")
    plugin.ecs_release(place.bed.cluster, "rollback", "web", "--to-hash", two, *who, "--apply", "--yes")
    status = place.wait("Succeeded")
    assert status["summary"]["runningHash"] == two and status["history"][0]["commits"] == f"rollbackFrom {three}"


def test_an_override_lets_one_attempt_through(shop: Shop) -> None:
    place, (zero, one, two, _) = shop.place, shop.line
    shop.rules(**HOLD)
    place.release(two)
    place.wait("Succeeded")
    place.release(one)
    place.wait("GoesBackwards")
    place.annotate("web", **{"override-commits": "only-a-token"})
    place.until(lambda: place.status().get("lastHandledOverrideCommits") == "only-a-token", "the bad one to be acknowledged")
    place.annotate("web", **{"override-commits": "inc-7/payments are down"})
    status = place.wait("Succeeded")
    assert status["lastHandledOverrideCommits"] == "inc-7/payments are down"
    assert status["history"][0]["commits"] == "override inc-7: payments are down"
    assert "CommitsPassed" in {e["reason"] for e in place.events()}
    place.release(zero, annotations={"ecs-release.dev/override-commits": "inc-7/payments are down"})
    place.wait("GoesBackwards")
    place.stays("GoesBackwards")


def test_what_goes_out_is_recorded(shop: Shop) -> None:
    """Forward, back, and to another branch; in status, in the ledger, and as lead time."""
    place, (zero, one, two, _) = shop.place, shop.line
    side = shop.repository.commit(one, subject="a feature", author="Ben")
    place.push(side)
    shop.rules(**HOLD)
    shop.goes_out(two)
    shop.goes_out(one, change={"rollbackFrom": two})
    shop.rules()
    shop.goes_out(two)
    status = shop.goes_out(side)
    diverged, _, back, forward = (entry.get("commitRange") for entry in status["history"][:4])
    ends, told = {"before": zero, "after": two}, {"added": 2, "first": one, "last": two, "authors": 1}
    assert forward == ends | told | {"firstTime": forward["firstTime"]}
    ends, told = {"before": two, "after": one}, {"added": 0, "removed": 1, "first": two, "last": two, "authors": 1}
    assert back == ends | told | {"firstTime": back["firstTime"]}
    assert (diverged["added"], diverged["removed"], diverged["first"], diverged["authors"]) == (1, 1, side, 1)
    first = status["history"][3]
    took = (datetime.fromisoformat(first["completionTime"]) - datetime.fromisoformat(forward["firstTime"])).total_seconds()
    assert first["leadTimeSeconds"] == took and "leadTimeSeconds" not in status["history"][2], "going back brings nothing"
    place.until(lambda: condition(place.status(), "Recorded").get("status") == "True", "its end to be recorded")
    recorded = [e for e in ledger_entries(place) if e.to_kubernetes().get("leadTimeSeconds") == took]
    assert [(e.stage, e.attempt_id, e.commit_range and e.commit_range.added) for e in recorded] == [("end", first["attemptID"], 2)]
    counted = place.bed.operator.metric("ecs_release_commit_lead_time_seconds_count", environment=place.name)
    assert counted == sum("leadTimeSeconds" in entry for entry in status["history"]) == 2


def test_notifications_list_what_goes_out(shop: Shop) -> None:
    place, (_, one, two, _) = shop.place, shop.line
    inbox = Inbox(place)
    place.environment(commits=HOLD, rollout={"settleSeconds": 0}, notify={"snsTopicARN": topic(place, inbox)})
    shop.goes_out(two)
    inbox.until("web deployment.started", "web deployment.succeeded")
    data = inbox.of("deployment.succeeded")["data"]
    assert data["commitRange"]["added"] == 2 and data["leadTimeSeconds"] > 0
    assert [(c["hash"], c["subject"], c["author"]) for c in data["commits"]] == [(two, "commit 2", "Ana"), (one, "commit 1", "Ana")]


def test_the_plugin_lists_what_goes_out_from_the_users_own_clone(shop: Shop) -> None:
    place, (zero, one, two, three) = shop.place, shop.line
    clone = ("--repo", str(shop.repository.folder))
    shop.rules(**HOLD)
    place.release(two)
    place.wait("Succeeded")
    told = plugin.run(place, "history", "web", "-o", "wide", *clone).out
    assert "2 commits by 1 person, oldest" in told.splitlines()[1] and f"{zero[:10]} to {two[:10]}: 2 commits by 1 person" in told
    assert [text.split()[0] for text in told.splitlines()[-2:]] == [two[:10], one[:10]]
    without = plugin.run(place, "history", "web", "-o", "wide")
    assert "2 commits by 1 person, oldest" in without.out and "name your clone with --repo" in without.err, "numbers are in status"
    manifest = place.get()
    manifest = {k: manifest[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "web", "namespace": place.name}}
    manifest["spec"]["source"] = {"releaseHash": three}
    planned = plugin.run(place, "plan", "-f", "-", *clone, stdin=json.dumps(manifest)).out
    assert "web: 1 commit by 1 person, oldest" in planned and planned.splitlines()[-1].split()[0] == three[:10]
    place.environment(suspend={"reason": "audit"})
    place.release(three)
    place.wait("Suspended")
    compared = plugin.run(place, "diff", "web", *clone).out
    assert "web, from what runs to what is wanted: 1 commit by 1 person" in compared and compared.splitlines()[-1].split()[0] == three[:10]


def test_nothing_waits_for_what_goes_out(shop: Shop, graph: Graph) -> None:
    """A service that hangs delays nothing, and what was not known by the end stays absent."""
    place, one = shop.place, shop.line[1]
    shop.rules()
    with graph.service.process.paused():
        place.release(one)
        status = place.wait("Succeeded")
    assert "commitRange" not in status["history"][0] and "leadTimeSeconds" not in status["history"][0]
    place.stays("Succeeded")
    assert "commitRange" not in place.status()["history"][0]


def ledger_entries(place: Place) -> list[LedgerEntry]:
    return list(LedgerReader(place.aws.client("dynamodb", ACCOUNT, REGION), TABLE).history_of(place.name, place.name, "shop", "web"))


def test_a_branch_that_is_rewritten_between_decision_and_act_is_noticed(shop: Shop) -> None:
    """The attempt has begun, for its commit was on the branch. AWS takes no call yet; when it does, the commit is gone from the branch."""
    place, (_, one, _, three) = shop.place, shop.line
    shop.rules(**REFUSE)
    place.aws.fault("UpdateService", status=503, times=None, match=place.name)
    place.release(three)
    place.until(place.updates, "a call to be refused")
    shop.repository.point("main", one)
    place.wait("NotMerged")
    place.aws.clear_faults(place.name)
    status = place.stays("NotMerged", seconds=3.0)
    assert f"commit {three[:12]} is not on branch main" in shop.message() and status["rollout"].get("outcome") is None
    assert not any(not c["error"] for c in place.updates()) and place.status()["running"]["hash"] == shop.line[0]
    shop.repository.point("main", three)
    place.wait("Succeeded")
    assert sum(not c["error"] for c in place.updates()) == 1


def test_without_rules_nothing_is_asked(shop: Shop, graph: Graph) -> None:
    place = shop.place
    place.environment()
    for commit in (shop.line[2], shop.line[1]):
        place.release(commit)
        place.wait("Succeeded")
    assert not graph.host.requests(f"shop/{place.name}")


def two_services(shop: Shop, *more: str) -> Place:
    """The services api and web run commit 0; there are images of all commits."""
    place = shop.place
    place.service(shop.line[0], "api")
    place.project("api", "web")
    shop.git(shop.url)
    for service in ("api", "web"):
        for commit in (*shop.line[1:], *more):
            place.push(commit, service=service)
    return place


def test_one_service_refuses_the_set_before_its_first_wave(shop: Shop) -> None:
    side = shop.repository.commit(shop.line[1], subject="a feature")
    place = two_services(shop, side)
    shop.rules(**REFUSE)
    place.release_set(
        shop.line[1], overrides=[{"service": "web", "source": {"releaseHash": side}}], strategy={"waves": [{"services": ["api"]}]}
    )
    status = place.wait_set("NotMerged")
    assert triple(status) == STALLED and "1 of 2 services (web)" in condition(status, "Ready")["message"]
    assert place.mutations() == [] and not place.children()
    place.annotate("all", "releaseset", **{"override-commits": "inc-8/must go"})
    status = place.wait_set("Succeeded")
    assert status["history"][0]["commits"] == "override inc-8: must go"
    assert place.children()["web"]["status"]["history"][0]["commits"] == "override inc-8: must go"


def test_a_set_says_what_goes_out(shop: Shop) -> None:
    place, (zero, one, two, _) = two_services(shop), shop.line
    inbox = Inbox(place)
    place.environment(commits=HOLD, rollout={"settleSeconds": 0}, notify={"snsTopicARN": topic(place, inbox)})
    place.release_set(two, strategy={"waves": [{"services": ["api"]}]})
    found = place.wait_set("Succeeded")["history"][0]["commitRange"]
    assert (found["before"], found["after"], found["added"], found["first"], found["last"]) == (zero, two, 2, one, two)
    inbox.until("all deployment-set.started", "all deployment-set.succeeded")
    data = inbox.of("deployment-set.succeeded")["data"]
    assert data["commitRange"] == found and [c["hash"] for c in data["commits"]] == [two, one]


def test_a_set_under_way_goes_on_while_an_older_commit_waits(shop: Shop) -> None:
    place, (_, one, two, _) = two_services(shop), shop.line
    shop.rules(**HOLD)
    digests = {"api": place.push(f"slow.{two[:8]}", two, service="api"), "web": place.push(two)}
    place.release_set(two, strategy={"waves": [{"services": ["api"]}]})
    place.wait_set("RollingOut")
    shop.build(1, {"releaseHash": one}, "releaseset", "all")
    status = place.wait_set("GoesBackwards")
    assert f"behind {two[:12]}" in condition(status, "Ready")["message"]
    place.until_set(lambda: all(runs(place, d, s) for s, d in digests.items()), "2 to be through")
    status = place.until_set(lambda: (s := place.set_status())["history"][0].get("outcome") == "Succeeded" and s, "its end")
    assert condition(status, "Ready")["reason"] == "GoesBackwards" and {s["hash"] for s in lines(status).values()} == {two}
    # What it was Ready on before is left behind: to go back to 1 is to go backwards.
    assert triple(place.wait_set("GoesBackwards"))[0] == "False"


def test_a_set_that_fails_goes_back_whatever_the_graph_says(shop: Shop) -> None:
    place, (_, one, two, _) = two_services(shop), shop.line
    shop.rules(**HOLD, notMerged="Refuse")
    place.push(f"crash.{two[:8]}", two, service="web")
    place.release_set(one, strategy={"waves": [{"services": ["api"]}], "onFailure": "RollBack"})
    place.wait_set("Succeeded")
    place.release_set(two, strategy={"waves": [{"services": ["api"]}], "onFailure": "RollBack"})
    status = place.wait_set("RolledBack")
    assert status["history"][0]["cause"] == "Rollback"
    assert place.children()["api"]["status"]["history"][0]["cause"] == "Rollback"


def test_ecs_and_drift_correction_go_back_whatever_the_graph_says(shop: Shop) -> None:
    place, (_, one, two, three) = shop.place, shop.line
    rules = {"branch": "main", **HOLD, "notMerged": "Refuse"}
    place.environment(commits=rules, rollout={"settleSeconds": 0, "onDrift": "Correct", "correctAfterSeconds": 1})
    place.push(f"crash.{two[:8]}", two)
    place.release(two)
    place.wait("RolledBack")
    wanted = place.push(one)
    place.release(one)
    place.wait("Succeeded")
    place.deploy(three)
    place.until(lambda: place.status()["history"][0]["cause"] == "DriftCorrection", "a correction")
    place.wait("Succeeded")
    assert runs(place, wanted) and [h["outcome"] for h in place.status()["history"]] == ["Succeeded", "Succeeded", "RolledBack"]


def test_a_set_that_has_failed_may_be_set_back_to_what_it_was_ready_on(shop: Shop) -> None:
    place, (_, one, two, _) = two_services(shop), shop.line
    shop.rules(**HOLD)
    place.push(f"crash.{two[:8]}", two, service="web")
    strategy = {"waves": [{"services": ["api"]}]}
    place.release_set(one, strategy=strategy)
    place.wait_set("Succeeded")
    place.release_set(two, strategy=strategy)
    place.until_set(lambda: place.set_status()["history"][0].get("outcome") == "Failed", "2 to fail")
    place.release_set(one, strategy=strategy)
    status = place.wait_set("Succeeded")
    assert {s["hash"] for s in lines(status).values()} == {one} and triple(status) == READY
