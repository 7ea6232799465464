"""`kubectl ecs-release where`: in which environments what runs contains a commit, by the graph of a real clone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import plugin
from tests.e2e.bed import Bed, Place
from tests.e2e.plugin import Done, Terminal
from tests.git_host.repositories import BareRepository, git, git_program


@dataclass
class Shop:
    """A place with a repository and somebody's clone of it. `line` are its commits: `web` runs an image of the first."""

    place: Place
    repository: BareRepository
    clone: Path
    line: list[str]

    def where(self, *words: str, repo: Path | None = None) -> Done:
        return plugin.run(self.place, "where", *words, f"--repo={repo or self.clone}")

    def cells(self, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code, and the cells of `web` by environment."""
        done = self.where(*words, "-o", "json")
        assert done.out, done.err
        return done.code, json.loads(done.out)["services"][0]["environments"]

    def git(self, **git: str) -> None:
        patch = json.dumps({"spec": {"git": git}})
        self.place.kubectl("patch", "project", "shop", "--type=merge", "--patch", patch)


@pytest.fixture
def shop(bed: Bed, tmp_path: Path) -> Iterator[Shop]:
    with bed.cleared():
        place = Place(bed)
        repository = BareRepository(tmp_path / "origin.git")
        line = repository.line(4)
        clone = tmp_path / "clone"
        subprocess.run([git_program(), "clone", "--quiet", str(repository.folder), str(clone)], check=True, timeout=60)
        git(clone / ".git", "remote", "add", "upstream", f"git@git.example.com:shop/{place.name}.git")
        place.service(line[0])
        for commit in line[1:3]:
            place.push(commit)
        place.environment(rollout={"settleSeconds": 0})
        place.project()
        found = Shop(place, repository, clone, line)
        found.git(url=f"https://git.example.com/shop/{place.name}")
        yield found


def observed(place: Place, *environments: str) -> None:
    """Wait until environments were observed: before that it is not known what runs there."""
    for name in environments or (place.name,):
        place.until(
            lambda name=name: "lastSweepTime" in (place.bed.cluster.get("environment", name).get("status") or {}), f"a sweep of {name}"
        )


def test_a_build_waits_until_what_runs_contains_its_commit(shop: Shop) -> None:
    """The build of 1 waits; the commit that goes out is 2, which contains it."""
    place, (zero, one, two, _) = shop.place, shop.line
    place.release(zero)
    place.wait("Succeeded")
    observed(place)
    code, cells = shop.cells(one)
    assert (code, cells[place.name]["state"], cells[place.name]["runs"]) == (1, "NotYet", zero)
    assert shop.cells(zero)[0] == 0 and shop.cells(zero)[1][place.name]["state"] == "Live"

    place.push(f"slow.{two[:8]}", two)
    place.release(two)
    done = shop.where(one, "--watch", "--timeout=120s")
    assert done.code == 0, done.out + done.err
    assert f"shop/web in {place.name}  live" in done.out and f"commit {one[:12]} commit 1: live in 1 of 1 places" in done.err
    assert any(word in done.out for word in ("in flight", "waiting")), done.out
    code, cells = shop.cells(one[:9])
    assert (code, cells[place.name]["state"], cells[place.name]["runs"]) == (0, "Live", two)
    assert cells[place.name]["since"]

    done = shop.where("main", "--watch", "--timeout=3s")
    assert done.code == 1 and "not yet" in done.out and "error: it is not live everywhere after 3s" in done.err


def test_what_runs_counts_and_not_what_is_wanted(shop: Shop) -> None:
    place, (zero, one, _, _) = shop.place, shop.line
    place.release(one)
    place.wait("Succeeded")
    observed(place)
    assert shop.cells(one)[0] == 0
    place.deploy(zero)
    place.wait("Drifted")
    code, cells = shop.cells(one)
    assert (code, cells[place.name]["state"], cells[place.name]["reason"]) == (1, "Waiting", "Drifted")
    done = shop.where(one)
    assert done.code == 1 and "◷ waiting: Drifted" in done.out and f"web in {place.name}: Drifted: " in done.err
    place.release(zero)
    place.wait("Succeeded")
    code, cells = shop.cells(one)
    assert (code, cells[place.name]["state"]) == (1, "WasHere")


def test_what_the_clone_lacks_is_unknown_until_it_is_fetched(shop: Shop) -> None:
    place, (zero, one, two, three) = shop.place, shop.line
    later = shop.repository.commit(three, branch="main", subject="later")
    place.push(later)
    place.release(later)
    place.wait("Succeeded")
    observed(place)
    code, cells = shop.cells(one)
    assert (code, cells[place.name]["state"]) == (1, "Unknown") and "git fetch" in cells[place.name]["message"]
    done = shop.where(later)
    assert done.code == 1 and f"error: this clone has no commit or branch '{later}': git fetch" in done.err and not done.out
    git(shop.clone / ".git", "fetch", "--quiet", "origin")
    assert shop.cells(one)[0] == 0 and shop.cells(later)[0] == 0
    assert shop.where(two).code == 0 and shop.where(zero).code == 0


def test_services_down_environments_across_and_what_holds_a_set_up(shop: Shop) -> None:
    """A set of two services that is suspended, and a second environment that only looks."""
    place, (zero, one, _, _) = shop.place, shop.line
    place.service(zero, "api")
    place.push(one, service="api")
    place.project("api", "web")
    shop.git(url=f"https://git.example.com/shop/{place.name}")
    place.release_set(zero)
    place.wait_set("Succeeded")
    second = place.environment(f"{place.name}-b", mode="Observe")
    place.apply(
        "Release", "web-b",
        {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": second}, "source": {"releaseHash": one}},
    )  # fmt: skip
    place.release_set(one, suspend=True)
    place.wait_set("Suspended")
    observed(place, place.name, second)
    place.until(lambda: place.status("web-b").get("running"), "the second environment to be looked at")
    done = shop.where(one, "-o", "wide")
    assert done.code == 1
    head, api, web = done.out.splitlines()
    assert head.split() == ["PROJECT", "SERVICE", place.name, second]
    assert api.split()[:2] == ["shop", "api"] and "waiting: Suspended" in api
    assert web.count("waiting: ") == 2 and f"runs {zero[:10]}" in web
    only = shop.where(zero, f"--environment={place.name}", "--service=api", "--no-headers")
    assert only.code == 0 and len(only.out.splitlines()) == 1 and "✔ live" in only.out
    place.release_set(one)
    place.wait_set("Succeeded")
    assert shop.where(one, f"--environment={place.name}").code == 0


def test_only_projects_of_the_clone_count(shop: Shop, tmp_path: Path) -> None:
    place = shop.place
    shop.git(url="https://git.example.com/somebody/else")
    done = shop.where()
    assert done.code == 1 and not done.out
    assert f"left out, built from another repository: {place.name}/shop; --project asks about one nevertheless" in done.err
    assert "error: no Project is built from this clone" in done.err
    place.release(shop.line[0])
    place.wait("Succeeded")
    observed(place)
    done = shop.where(shop.line[0], "--project=shop")
    assert done.code == 0 and "warning: Project shop is built from https://git.example.com/somebody/else" in done.err
    assert "there is no Project 'none'" in shop.where("--project=none").err
    for words, message in (
        (("--", "--exec=touch pwned"), "has no commit or branch '--exec=touch pwned'"),
        (("no-such-branch",), "has no commit or branch 'no-such-branch': git fetch"),
    ):
        done = shop.where("--project=shop", *words) if words[0] != "--" else plugin.run(
            place, "where", f"--repo={shop.clone}", "-n", place.name, *words, namespace=False
        )  # fmt: skip
        assert done.code == 1 and message in done.err, done.err
    done = shop.where(repo=tmp_path)
    assert done.code == 1 and "error: no clone can be read here: not a git repository" in done.err
    assert plugin.complete(place, "where", "--re")[0] == "--repo"


def test_a_person_who_may_not_read_everything(shop: Shop) -> None:
    place = shop.place
    place.release(shop.line[0])
    place.wait("Succeeded")
    done = shop.where("--as=nobody", shop.line[0])
    assert (
        done.code == 1 and not done.out and "which Projects are built from this clone cannot be told" in done.err and "nobody" in done.err
    )
    verbs = {"apiGroups": ["ecs-release.dev"], "resources": ["projects", "releases", "releasesets"], "verbs": ["get", "list", "watch"]}
    meta = {"name": "reader", "namespace": place.name}
    kind = "rbac.authorization.k8s.io"
    place.bed.cluster.apply({"apiVersion": f"{kind}/v1", "kind": "Role", "metadata": meta, "rules": [verbs]})
    place.bed.cluster.apply(
        {
            "apiVersion": f"{kind}/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": kind, "kind": "Role", "name": "reader"}, "subjects": [{"apiGroup": kind, "kind": "User", "name": "rita"}],
        }
    )  # fmt: skip
    for more in ((), ("--watch",)):
        done = shop.where("--as=rita", shop.line[0], *more)
        assert done.code == 0 and "warning: how old this is cannot be told" in done.err, done.err


def test_a_watch_is_drawn_in_place_on_a_terminal(shop: Shop) -> None:
    place, (zero, one, _, _) = shop.place, shop.line
    place.release(zero)
    place.wait("Succeeded")
    observed(place)
    with Terminal(place, ["where", one, "--watch", f"--repo={shop.clone}", "--timeout=120s"]) as terminal:
        terminal.until("not yet")
        place.release(one)
        terminal.until("✔ live")
        assert terminal.end() == 0
        assert terminal.shown.count("PROJECT") == 1 and "live in 1 of 1 places" in terminal.shown
