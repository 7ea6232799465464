"""GitHub: whatever is killed, lost, late or down, each deployment set has one Deployment, which says how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.bed import GROUP, VERSION, Bed, Place, condition, running_bed
from tests.git_host.server import GitHost, running_host
from tests.git_host.service import CommitsService, binding
from tests.github_fake.server import GitHubFake, Repository
from tests.operator_process import FAST

COMMITS = [f"{n}" * 7 + "0" * 33 for n in range(1, 10)]


@pytest.fixture(scope="module")
def github() -> Iterator[GitHubFake]:
    with GitHubFake().running() as fake:
        yield fake


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Where the repositories are: the git part of that GitHub."""
    with running_host(tmp_path_factory.mktemp("git")) as found:
        yield found


@pytest.fixture(scope="module")
def github_bed(github: GitHubFake, host: GitHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    folder = tmp_path_factory.mktemp("connections")
    file = folder / "connections.yaml"
    site = urlsplit(host.url("acme/x")).netloc
    file.write_text("github:\n" + github.connection(folder) + github.connection(folder, "graph", site))
    connections = {"ECS_RELEASE_CONNECTIONS_FILE": str(file), "ECS_RELEASE_CONNECTIONS_ALLOW_LOOPBACK": "true"}
    with CommitsService(folder / "service", [binding(host, "acme/*", namespaces=("t*",))], {"answerSeconds": 10}) as service:
        graph = {"ECS_RELEASE_COMMITS_ADDRESS": service.address, "ECS_RELEASE_COMMITS_TOKEN_FILE": str(service.token_file)}
        with running_bed({**FAST, **connections, **graph}) as bed:
            yield bed
    assert github.wrong == [], "what is sent is as GitHub describes"


@pytest.fixture
def shop(github_bed: Bed, github: GitHubFake) -> Iterator[Place]:
    """Two services, and an Environment that is shown on GitHub."""
    with github_bed.cleared():
        place = Place(github_bed)
        github.faults.clear()
        github.late_s = 0
        place.services("api", "web", tag=COMMITS[0])
        # Repositories are by place: tests share one GitHub.
        github.repositories[name(place)].commits.update(COMMITS)
        place.environment(notify=notify(place), rollout={"settleSeconds": 0})
        connect(place, name(place))
        place.until(lambda: place.get_environment()["status"].get("githubSinceTime"), "the Environment to be shown")
        yield place
        github.faults.clear()


def name(place: Place) -> str:
    return f"acme/{place.name}"


def notify(place: Place) -> dict[str, Any]:
    rules = [{"namespaces": [place.name], "repositories": ["acme/*"]}]
    return {"github": {"credentials": "main", "repositories": rules, "environmentName": "{environment}-{serviceSet}"}}


def connect(place: Place, repository: str) -> None:
    project = place.bed.api.get_namespaced_custom_object(GROUP, VERSION, place.name, "projects", "shop")
    place.apply("Project", "shop", {**project["spec"], "git": {"url": f"https://github.com/{repository}"}})


def push(place: Place, commit: str, *services: str) -> None:
    for service in services or ("api", "web"):
        place.push(commit, service=service)


def shown(github: GitHubFake, place: Place) -> Repository:
    return github.repositories[name(place)]


def said(place: Place) -> dict[str, Any]:
    return condition(place.get_environment()["status"], "ShownOnGitHub")


def until_states(github: GitHubFake, place: Place, *states: tuple[str, str]) -> None:
    """Wait until there are exactly these Deployments, by commit and latest state."""

    def found() -> list[tuple[str, str]]:
        return [(sha, its[-1] if its else "") for sha, its in shown(github, place).states()]

    place.until(lambda: found() == list(states), f"Deployments {states}", show=lambda: {"found": found()})


def until_noted(place: Place) -> None:
    """Wait until status says that the end is shown: nothing is left to do."""

    def views() -> list[dict[str, Any]]:
        return place.set_status().get("views") or [{}]

    wanted = {"place": name(place), "outcome": "Succeeded"}
    place.until(lambda: wanted.items() <= views()[0].items(), "the end to be noted", show=views)


def test_a_set_is_one_deployment_and_what_ran_before_is_inactive(shop: Place, github: GitHubFake) -> None:
    push(shop, COMMITS[1])
    shop.release_set(COMMITS[1])
    until_states(github, shop, (COMMITS[1], "success"))
    (deployment,) = shown(github, shop).deployments.values()
    assert deployment["environment"] == f"{shop.name}-all"
    assert deployment["description"] == f"ReleaseSet {shop.name}/all"
    push(shop, COMMITS[2])
    shop.release_set(COMMITS[2])
    until_states(github, shop, (COMMITS[1], "inactive"), (COMMITS[2], "success"))
    shop.until(lambda: said(shop).get("status") == "True", "ShownOnGitHub", show=lambda: said(shop))
    until_noted(shop)
    calls = len(github.calls)
    time.sleep(15)
    assert len(github.calls) == calls, "at rest nobody is called"


def test_a_failure_says_why(shop: Place, github: GitHubFake) -> None:
    shop.aws.behave(shop.push(COMMITS[3]), "crash")
    shop.release(COMMITS[3])
    until_states(github, shop, (COMMITS[3], "failure"))
    (number,) = shown(github, shop).deployments
    last = shown(github, shop).statuses[number][-1]
    assert "RolledBack" in last["description"] and len(last["description"]) <= 140
    assert last["log_url"].startswith("https://") and "console.aws.amazon.com" in last["log_url"]


@pytest.mark.parametrize("late_s", [0, 10])
def test_a_lost_answer_makes_no_second_one(shop: Place, github: GitHubFake, late_s: int) -> None:
    github.late_s = late_s
    fault = github.fault("lose", method="POST", path=f"{shop.name}/deployments$")
    push(shop, COMMITS[4])
    shop.release_set(COMMITS[4])
    until_states(github, shop, (COMMITS[4], "success"))
    assert fault.times == 0
    assert len([c for c in github.calls if c[1] == "POST" and c[2].endswith(f"{shop.name}/deployments")]) == 1


def test_it_converges_to_one_wherever_it_is_killed(shop: Place, github: GitHubFake, github_bed: Bed) -> None:
    """Killed again and again while it is shown, with every second answer lost, and lists that lag."""
    github.late_s = 10
    github.fault("lose", method="POST", path=shop.name, times=2)
    push(shop, COMMITS[5])
    shop.release_set(COMMITS[5])
    for pause_s in (0.5, 1.5, 2.5, 0.2):
        shop.until(lambda: shop.set_status().get("history"), "a deployment set")
        time.sleep(pause_s)
        github_bed.operator.kill()
        github_bed.operator.start()
        github_bed.operator.wait_until_ready()
    until_states(github, shop, (COMMITS[5], "success"))
    until_noted(shop)


def test_one_that_is_down_holds_nothing_up(shop: Place, github: GitHubFake) -> None:
    github.fault("hang", path=shop.name, times=None)
    push(shop, COMMITS[6])
    shop.release_set(COMMITS[6])
    shop.wait_set("Succeeded")
    shop.until(lambda: said(shop).get("status") == "False", "ShownOnGitHub to be False", show=lambda: said(shop))
    assert "releases go on" in said(shop)["message"]
    assert condition(shop.get_environment()["status"], "Ready")["status"] == "True"
    github.faults.clear()
    until_states(github, shop, (COMMITS[6], "success"))


def test_a_repository_that_is_not_listed_is_refused(shop: Place, github: GitHubFake) -> None:
    victim = f"victim/{shop.name}"
    github.repositories[victim].commits.update(COMMITS)
    connect(shop, victim)
    push(shop, COMMITS[7])
    shop.release_set(COMMITS[7])
    shop.wait_set("Succeeded")
    shop.until(lambda: said(shop).get("reason") == "TargetNotAllowed", "to be refused", show=lambda: said(shop))
    assert victim in said(shop)["message"] and "notify.github.repositories" in said(shop)["message"]
    assert not [c for c in github.calls if victim in c[2]]
    connect(shop, name(shop))
    until_states(github, shop, (COMMITS[7], "success"))


def test_no_token_is_in_logs_or_statuses(shop: Place, github: GitHubFake, github_bed: Bed) -> None:
    github.fault("status", status=403, path=shop.name, message="Resource not accessible by integration", times=3)
    push(shop, COMMITS[8])
    shop.release_set(COMMITS[8])
    until_states(github, shop, (COMMITS[8], "success"))
    until_noted(shop)
    place = shop.name
    written = {
        "the log": github_bed.operator.log.read_text(),
        "statuses": "".join(str(o["status"]) for o in (shop.get_environment(), shop.get_set(), *shop.children().values())),
        "Events": github_bed.cluster.kubectl("get", "events.events.k8s.io", "-n", place, "-o", "yaml"),
    }
    assert github.tokens
    # An App asks for its tokens with a JWT, which begins so.
    secrets = [*github.tokens, "PRIVATE KEY", "eyJ"]
    assert [(what, secret) for what, text in written.items() for secret in secrets if secret in text] == []


def test_a_pull_request_is_told_once_and_again_when_it_is_live(shop: Place, github: GitHubFake, host: GitHost, github_bed: Bed) -> None:
    """Commits between, by the commits service; their pull requests, by GitHub: one comment each, whatever is lost or killed."""
    line = host.repository(name(shop)).line(4)
    repository = shown(github, shop)
    repository.commits.update(line)
    repository.pulls.update({line[1]: [11], line[2]: [12], line[3]: [13]})
    place = {**notify(shop)["github"], "credentials": "graph", "pullRequests": {"label": "live: {serviceSet}"}}
    shop.environment(notify={"github": place}, rollout={"settleSeconds": 0})
    url = host.url(name(shop))
    project = shop.bed.api.get_namespaced_custom_object(GROUP, VERSION, shop.name, "projects", "shop")
    shop.apply("Project", "shop", {**project["spec"], "git": {"url": url}})
    for commit in (line[0], line[2]):
        push(shop, commit)
    shop.release_set(line[0])
    shop.wait_set("Succeeded")
    assert repository.comments == {}, "nothing lies between"
    github.late_s = 10
    github.fault("lose", method="POST", path=f"{shop.name}/issues/11/comments")
    shop.release_set(line[2], change={"requestedBy": "@acme/admins `"})
    shop.until(lambda: repository.comments, "a comment")
    github_bed.operator.kill()
    github_bed.operator.start()
    github_bed.operator.wait_until_ready()

    def bodies() -> list[tuple[str, str]]:
        return sorted((c["issue_url"].rpartition("/")[2], c["body"]) for c in repository.comments.values())

    def live() -> bool:
        return [n for n, body in bodies() if f"**Live** in `{shop.name}`" in body] == ["11", "12"] and len(bodies()) == 2

    shop.until(live, "both to be live", show=bodies)
    shop.until(lambda: repository.labels == {11: ["live: all"], 12: ["live: all"]}, "labels", show=lambda: dict(repository.labels))
    assert all("- requested by: `` @acme/admins ` ``" in body for _, body in bodies())
