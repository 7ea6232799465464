"""`kubectl ecs-release`, through kubectl: what it shows, what it waits for, and how it ends."""

from __future__ import annotations

import json
import re

import yaml

from tests.e2e import plugin
from tests.e2e.bed import Place, condition
from tests.e2e.plugin import Terminal

SLOW = "slow.v2"


def test_status_tells_a_set_from_top_to_bottom(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0})
    place.services("web", "search")
    place.release_set("v1", change={"description": "first", "requestedBy": "ben"})
    place.wait_set("Succeeded")

    done = plugin.run(place, "status", "all")
    assert (done.code, done.err) == (0, "")
    for text in (
        f"releaseset/all in namespace {place.name}",
        "✔ Ready",
        "ben",
        "first",
        "✔ web v1  Ready",
        "✔ search v1  Ready",
        "2/2 tasks",
        "observed",
    ):
        assert text in done.out
    assert "\x1b" not in done.out, "no colours in a pipe"
    assert json.loads(plugin.run(place, "status", "rs/all", "-o", "json").out)["status"] == place.set_status()
    assert plugin.run(place, "status", "all", "-o=name").out == "releaseset.ecs-release.dev/all\n"


def test_status_waits_for_the_spec_that_is_there_and_tells_on_the_way(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push(SLOW, "v2")
    shop.release("v2")

    done = plugin.run(shop, "status", "release/web", "--watch", "--timeout=60s")
    assert done.code == 0, done.out + done.err
    assert shop.status()["running"]["hash"] == "v2", "what was Ready before counts for nothing"
    lines = done.out.splitlines()
    assert any(line[:2] == "20" and "  release/web  " in line for line in lines)
    assert "✔ web v2  Ready" in done.out


def test_a_failure_ends_the_wait_with_its_evidence(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")

    done = plugin.run(shop, "status", "web", "--watch", "--timeout", "60s")
    assert done.code == 1, done.out + done.err
    for text in ("✖ RolledBack", "failed task", "container app, exit code 1", "log ", "Events:", "ECS events: https://"):
        assert text in done.out
    assert done.err.startswith("error: release/web is stalled: RolledBack: ")
    assert done.err.count("\n") == 1
    again = plugin.run(shop, "status", "web", "--ecs-events", "--assume-roles")
    assert (again.code, again.err) == (1, ""), "and so without --watch"
    assert "ECS on web:" in again.out
    assert "(service web)" in again.out.partition("ECS on web:")[2]
    blind = plugin.run(shop, "status", "web", "--ecs-events", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert blind.err.startswith("warning: ECS's events could not be read: ecs:DescribeServices on web")
    assert blind.err.count("\n") == 1


def test_a_wait_ends_in_time(shop: Place) -> None:
    shop.release("v1", suspend=True)
    shop.wait("Suspended")
    shop.push("v2")
    shop.release("v2", suspend=True)
    shop.until(lambda: (shop.status().get("plan") or {}).get("images"), "the plan")

    done = plugin.run(shop, "status", "web", "--watch", "--timeout=3s")
    assert done.code == 2
    assert "error: release/web is not Ready after 3s: Suspended: " in done.err
    for text in ("Blocked by:   spec.suspend is true", "Plan:         app v1 to v2"):
        assert text in done.out
    assert plugin.run(shop, "status", "web").code == 2, "neither Ready nor Stalled"


def test_a_rollout_is_drawn_in_place_on_a_terminal(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0})
    place.services("web", "search")
    place.release_set("v1")
    place.wait_set("Succeeded")
    place.push(SLOW, "v2", service="web")
    place.push("v2", service="search")
    waves = {"waves": [{"services": ["web"]}]}
    place.release_set("v2", strategy=waves, suspend=True)
    place.wait_set("Suspended")

    with Terminal(place, ["status", "all", "--watch", "--timeout=90s"]) as terminal:
        terminal.until("⏸ Suspended")
        place.release_set("v2", strategy=waves)
        shown = terminal.until("◐ web v2  Progressing")
        assert "wave 1 Open" in shown
        assert "○ search" in shown
        assert terminal.end() == 0
    assert terminal.shown.count("Name:") == 1, "drawn over, not below"
    assert "✔ search v2  Ready" in terminal.shown
    assert "✔ web v2  Ready" in terminal.shown
    assert terminal.raw.count(b"Name:") > 1
    assert b"\x1b[32m" in terminal.raw


def test_a_terminal_sees_the_failure_too(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")
    with Terminal(shop, ["status", "web", "-w", "--timeout=60s"]) as terminal:
        assert terminal.end() == 1
    assert "failed task" in terminal.shown
    assert "error: release/web is stalled: RolledBack" in terminal.shown


def test_the_board_marks_what_is_not_as_it_should_be(place: Place) -> None:
    other = Place(place.bed)
    for where in (place, other):
        where.environment(allowedNamespaces={"names": [place.name]})
    place.services("web", "search")
    other.service("v1", "web")
    place.release("v1", "web")
    place.release("v1", "search")
    for name in ("web", "search"):
        place.wait("Succeeded", name)
    place.push("v9", service="web")
    place.deploy("v9", "web")
    place.wait("Drifted", "web")
    # It is Drifted once the revision is another one: its tasks come later.
    place.until(lambda: place.status("web")["summary"].get("runningHash") == "v9", "v9 to run")

    done = plugin.run(place, "board")
    assert done.code == 0, done.err
    head, *rows = [line.split() for line in done.out.splitlines()]
    assert head == ["PROJECT", "SERVICE", place.name]
    assert rows == [["shop", "search", "v1"], ["shop", "web", "v9", "≠", "v1", "Drifted"]]
    found = json.loads(plugin.run(place, "board", "-o", "json", "--project", "shop").out)
    assert [s["environments"][place.name]["phase"] for s in found["services"]] == ["Ready", "Drifted"]
    place.kubectl("label", "release", "web", "tier=front")
    assert [line.split()[1] for line in plugin.run(place, "board", "-l", "tier=front", "--no-headers").out.splitlines()] == ["web"]
    assert "with labels tier in (back)" in plugin.run(place, "board", "--selector", "tier in (back)").err
    refused = plugin.run(place, "board", "-l", "tier in")
    assert (refused.code, refused.out) == (1, "") and "unable to parse requirement" in refused.err
    by_phase = plugin.run(place, "board", "--sort-by", "{.status.phase}", "--no-headers").out.splitlines()
    assert [line.split()[1] for line in by_phase] == ["web", "search"], "Drifted before Ready"
    page = plugin.run(place, "board", "-A", "-o", "html").out
    assert page.startswith("<!DOCTYPE html>")
    assert re.search(r"v9 \S+ Drifted wants v1", " ".join(re.sub(r"<[^>]+>", " ", page).split()))
    assert "src=" not in page
    assert "href=" not in page
    assert "No Releases in namespace 'default'" in plugin.run(place, "board", namespace=False).err


def test_a_plan_tells_what_an_apply_would_do(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    digest = shop.push("v2")
    release = shop.get()
    manifest = {k: release[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "web"}}
    manifest["spec"]["source"] = {"releaseHash": "v2"}

    done = plugin.run(shop, "plan", "-f", "-", stdin=yaml.safe_dump(manifest))
    assert done.code == 0, done.err
    assert done.out.startswith("release/web  source changes: v1 to v2\n")
    assert digest.removeprefix("sha256:")[:12] in done.out
    assert done.out.splitlines()[-1].split()[-1] == "deploy"
    assert shop.get()["spec"]["source"] == {"releaseHash": "v1"}, "nothing was applied"

    blind = plugin.run(shop, "plan", "-f", "-", stdin=yaml.safe_dump(manifest), AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert blind.code == 0, "what AWS does not tell is said"
    assert "not known" in blind.out
    assert "Traceback" not in blind.out + blind.err

    manifest["spec"]["source"]["tag"] = "latest"
    refused = plugin.run(shop, "plan", "-f", "-", stdin=yaml.safe_dump(manifest))
    assert refused.code == 1
    assert "set exactly one of releaseHash, tag and images" in refused.err
    assert refused.err.count("\n") == 1
    assert plugin.run(shop, "plan", "web").out.splitlines()[-1].endswith("it runs already")


def test_a_plan_of_a_set_names_all_that_is_missing(place: Place) -> None:
    place.environment(windows=[{"name": "always", "kind": "Deny", "cron": "* * * * *", "durationSeconds": 3600, "reason": "freeze"}])
    place.services("web", "search")
    place.push("v2", service="web")
    manifest = {
        "apiVersion": "ecs-release.dev/v1alpha1",
        "kind": "ReleaseSet",
        "metadata": {"name": "all"},
        "spec": {
            "projectRef": {"name": "shop"},
            "serviceSet": "all",
            "environmentRef": {"name": place.name},
            "source": {"releaseHash": "v2"},
        },
    }
    done = plugin.run(place, "plan", "-f", "-", stdin=yaml.safe_dump(manifest))
    assert done.code == 0, done.err
    assert "blocked by: 1 of 2 services cannot go: search; then none of them moves" in done.out
    assert "window always is closed" in done.out
    assert "has no image tagged ref.v2 or v2" in done.out


def until_swept(place: Place) -> None:
    """Wait until it is known what runs in an Environment now."""
    place.until(lambda: place.get_environment()["status"].get("lastSweepTime"), "the first sweep", show=place.get_environment)


def test_history_and_differences(place: Place) -> None:
    other = Place(place.bed)
    for where in (place, other):
        where.environment(allowedNamespaces={"names": [place.name]})
        where.service("v1", "web")
    place.project("web", containers={"app": f"{place.name}/web"})
    place.release("v1", change={"description": "first", "requestedBy": "ben"})
    place.wait("Succeeded")
    place.push("v2")
    place.release("v2", change={"description": "second", "requestedBy": "ada"})
    place.wait("Succeeded")

    done = plugin.run(place, "history", "release/web")
    assert done.code == 0, done.err
    head, newest, oldest = done.out.splitlines()
    assert head.split()[:4] == ["BEGAN", "CAUSE", "FROM", "TO"]
    assert newest.split()[2:6] == ["Requested", "v1", "v2", "Succeeded"]
    assert "ada" in newest
    assert "Adopted" in oldest
    assert json.loads(plugin.run(place, "history", "web", "-o", "json").out) == place.status()["history"]
    assert "no ledger is known" in plugin.run(place, "history", "web", "--all").err

    until_swept(place)
    compared = plugin.run(place, "diff", place.name, other.name)
    assert compared.code == 0, compared.err
    assert compared.out.splitlines()[1].split()[:3] == ["shop", "web", "v2"]
    assert "1 of 1 services differ." in compared.err
    assert plugin.run(place, "diff", "web", "--all").out.splitlines()[1].split()[4] == "="
    assert "there is no Environment 'nowhere'" in plugin.run(place, "diff", place.name, "nowhere").err


def test_task_definitions_are_compared_field_by_field(place: Place) -> None:
    place.service("v1")
    place.environment()
    place.project()
    place.release("v1")
    place.wait("Succeeded")
    other = Place(place.bed)
    other.environment(allowedNamespaces={"names": [place.name]})
    other.service("v1", containers={"app": f"{place.account}.dkr.ecr.{place.region}.amazonaws.com/{place.repository()}:ref.v1"})
    place.apply("Release", "other", {**place.get()["spec"], "environmentRef": {"name": other.name}})
    place.wait("Succeeded", "other")
    until_swept(place)
    until_swept(other)

    done = plugin.run(place, "diff", place.name, other.name, "--task-definitions", "--assume-roles")
    assert done.code == 0, done.err
    assert "0 of 1 services differ." in done.err
    assert ["family", f"{place.name}-web", f"{other.name}-web"] in [line.split() for line in done.out.splitlines()]
    blind = plugin.run(place, "diff", place.name, other.name, "--task-definitions")
    assert blind.code == 0, "the simulated AWS knows these credentials in another account only"
    assert blind.err.splitlines()[1].startswith("warning: task definitions could not be read: ecs:DescribeTaskDefinition")
    assert len(blind.err.splitlines()) == 2


def test_kubectl_completes_commands_flags_and_names(shop: Place) -> None:
    shop.release("v1")
    assert {"status", "board", "plan", "history", "diff"} <= set(plugin.complete(shop, ""))
    assert plugin.complete(shop, "stat") == ["status", ":4"]
    assert "--watch" in plugin.complete(shop, "status", "--w")
    assert plugin.complete(shop, "-n", shop.name, "status", "") == ["release/web", ":4"]
    assert plugin.complete(shop, "status", "-n", shop.name, "w") == ["web", ":4"]
    assert shop.name in plugin.complete(shop, "diff", "-n", shop.name, shop.name[:2])
    assert shop.name in plugin.complete(shop, "board", "-n", "")
    assert plugin.complete(shop, "board", "-o", "h") == ["html", ":4"]
    assert {"--selector", "--sort-by"} <= set(plugin.complete(shop, "board", "--s"))
    assert plugin.complete(shop, "board", "-l", "") == [":4"] == plugin.complete(shop, "history", "--sort-by", "")
    assert plugin.complete(shop, "status", "--server=http://127.0.0.1:1", "") == [":4"], "no cluster: no candidates, and no noise"


def test_what_goes_wrong_is_said_in_one_line(shop: Place) -> None:
    for words, text in (
        (("status", "nothing"), f"there is no ReleaseSet or Release 'nothing' in namespace '{shop.name}'"),
        (("status", "web", "--as=nobody"), 'User "nobody" cannot get resource "releasesets"'),
        (("board", "--as=nobody", "--as-group=nothing"), "is forbidden"),
        (("board", "--context=elsewhere"), "there is no context 'elsewhere'"),
        (("board", "--token=wrong"), "the API server does not know you"),
        (("board", "--server=https://127.0.0.1:1"), "cannot reach the API server https://127.0.0.1:1"),
        (("board", "--certificate-authority=/nowhere"), "there is no file /nowhere"),
        (("history", "--person", "ben", "--ledger-table", "t", "--since=1d"), ""),
    ):
        done = plugin.run(shop, *words)
        assert done.code == 1, (words, done.out)
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert text in done.err
        assert done.err.count("\n") == 1, done.err


def test_somebody_else_may_be_played(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    assert plugin.run(shop, "status", "web", "--as=somebody", "--as-group=system:masters", "--as-group=more").code == 0
    assert condition(shop.status(), "Ready")["status"] == "True"
