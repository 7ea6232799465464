"""What is overdue is said in Slack and in the pull requests that wait: once, on another day again, not after a restart, and that it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.aws_simulator.client import image_name
from tests.e2e.bed import GROUP, VERSION, Bed, Place, running_bed
from tests.git_host.server import GitHost, running_host
from tests.git_host.service import CommitsService, binding
from tests.github_fake.server import GitHubFake
from tests.operator_process import FAST
from tests.slack_host.description import texts
from tests.slack_host.server import TOKEN, Message, SlackHost

SERVICES = ("api", "web")


def links(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [e for b in blocks if b["type"] == "rich_text" for e in b["elements"][0]["elements"] if e["type"] == "link"]


@dataclass(frozen=True)
class Outside:
    """A Slack, a GitHub, and the repositories of that GitHub."""

    slack: SlackHost
    github: GitHubFake
    host: GitHost

    def connections(self, folder: Path) -> str:
        (folder / "token").write_text(TOKEN)
        slack = yaml.safe_dump({"slack": [{"name": "main", "url": self.slack.url, "tokenFile": str(folder / "token")}]})
        return slack + "github:\n" + self.github.connection(folder, "main", urlsplit(self.host.url("acme/x")).netloc)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with SlackHost() as slack, GitHubFake().running() as github, running_host(tmp_path_factory.mktemp("git")) as host:
        yield Outside(slack, github, host)
        assert slack.violations == [] and github.wrong == []


@pytest.fixture(scope="module")
def overdue_bed(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    folder = tmp_path_factory.mktemp("connections")
    file = folder / "connections.yaml"
    file.write_text(outside.connections(folder))
    connections = {"ECS_RELEASE_CONNECTIONS_FILE": str(file), "ECS_RELEASE_CONNECTIONS_ALLOW_LOOPBACK": "true"}
    with CommitsService(folder / "service", [binding(outside.host, "acme/*", namespaces=("t*",))], {"answerSeconds": 10}) as service:
        graph = {"ECS_RELEASE_COMMITS_ADDRESS": service.address, "ECS_RELEASE_COMMITS_TOKEN_FILE": str(service.token_file)}
        with running_bed({**FAST, **connections, **graph}) as bed:
            yield bed


@dataclass
class Stages:
    """A set of api and web in production, which is shown in Slack and on GitHub, and their Releases in staging."""

    place: Place
    outside: Outside
    line: list[str]
    channel: str = "C0OVERDUE"

    @property
    def staging(self) -> str:
        return f"{self.place.name}-staging"

    def to_staging(self, commit: str) -> None:
        for service in SERVICES:
            self.place.release(commit, service, f"{service}-staging", environmentRef={"name": self.staging})

    def messages(self) -> list[Message]:
        return self.outside.slack.messages(self.channel)

    def lines(self) -> list[str]:
        """What the channel is told of promotions: deployment sets are messages of their own."""
        return [said for m in self.messages() if "overdue in" in (said := texts(m.content["blocks"])[0])]

    def reminders(self) -> list[str]:
        """What the channel was told of again, in threads."""
        replies = [reply for m in self.messages() for reply in self.outside.slack.replies(self.channel, m.ts)]
        return [texts(reply.content["blocks"])[0] for reply in replies if reply.is_broadcast]

    def comments(self) -> dict[int, str]:
        found = self.outside.github.repositories[f"acme/{self.place.name}"].comments.values()
        assert len({c["issue_url"] for c in found}) == len(found), "one for each pull request"
        return {int(c["issue_url"].rpartition("/")[2]): c["body"] for c in found}

    def linked(self) -> list[list[str]]:
        """The pull requests that each message, and the details of each, link to."""
        replies = [reply for m in self.messages() for reply in self.outside.slack.replies(self.channel, m.ts) if not reply.is_broadcast]
        found = [[link["text"] for link in links(message.content["blocks"])] for message in (*self.messages(), *replies)]
        return [numbers for texts_ in found if (numbers := [text for text in texts_ if text.startswith("#")])]

    def until(self, there: Any, what: str) -> None:
        self.place.until(there, what, show=lambda: {"slack": self.lines(), "again": self.reminders(), "github": self.comments()})

    def settle(self) -> int:
        """Wait until nobody is called any more; returns how often somebody was. A comment is looked for once more after half a minute."""
        self.until(lambda: not any("unverifiedTime" in part for part in self.parts()), "what is shared to be looked for once more")
        before, calls = -1, 0
        while before != calls:
            before = calls
            time.sleep(5)
            calls = len(self.outside.slack.calls) + len(self.outside.github.calls)
        return calls

    def parts(self) -> list[dict[str, Any]]:
        """What status says of the parts of views."""
        return [part for view in self.place.set_status().get("views", []) for part in view.get("parts", [])]

    def a_day_passes(self) -> None:
        """What status says of the last time was a day earlier."""

        def earlier(found: str) -> str:
            return (datetime.fromisoformat(found) - timedelta(days=1)).isoformat().replace("+00:00", "Z")

        views = self.place.set_status()["views"]
        for part in (part for view in views for part in view["parts"] if "announcedTime" in part):
            part["announcedTime"] = earlier(part["announcedTime"])
        patch = json.dumps({"status": {"views": views}})
        self.place.kubectl("patch", "releaseset", "all", "--subresource=status", "--type=merge", "-p", patch)
        for child in self.place.children().values():
            patch = json.dumps({"status": {"promotion": {"toldTime": earlier(child["status"]["promotion"]["toldTime"])}}})
            self.place.kubectl("patch", "release", child["metadata"]["name"], "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def stages(outside: Outside, overdue_bed: Bed) -> Iterator[Stages]:
    with overdue_bed.cleared():
        place = Place(overdue_bed)
        name = f"acme/{place.name}"
        line = outside.host.repository(name).line(4)
        repository = outside.github.repositories[name]
        repository.commits.update(line)
        repository.pulls.update({line[1]: [11], line[2]: [12], line[3]: [13]})
        found = Stages(place, outside, line)
        outside.slack.channel(found.channel)
        place.services(*SERVICES, tag=line[0])
        for service in SERVICES:
            image = image_name(place.repository(service), f"ref.{line[0]}", account=place.account, region=place.region)
            place.aws.create_service(f"staging-{service}", {"app": image}, cluster=place.name, account=place.account, region=place.region)
            place.push(line[2], service=service)
        project = place.bed.api.get_namespaced_custom_object(GROUP, VERSION, place.name, "projects", "shop")
        place.apply("Project", "shop", {**project["spec"], "git": {"url": outside.host.url(name)}})
        place.environment(found.staging, target={"cluster": place.name, "serviceName": "staging-{service}"})
        rules = [{"namespaces": [place.name], "repositories": ["acme/*"]}]
        notify = {
            "slack": {"credentials": "main", "channel": found.channel},
            "github": {"credentials": "main", "repositories": rules, "pullRequests": {}},
        }
        promotion = {"from": {"name": found.staging}, "overdueAfterSeconds": 3}
        place.environment(promotion=promotion, notify=notify, rollout={"settleSeconds": 0})
        found.to_staging(line[0])
        place.release_set(line[0])
        place.wait_set("Succeeded")
        place.until(lambda: place.get_environment()["status"].get("slackSinceTime"), "to be shown from now on")
        yield found


def test_it_is_said_once_again_on_another_day_and_that_it_is_over(stages: Stages) -> None:
    place, line = stages.place, stages.line
    stages.to_staging(line[2])
    overdue = f"○ shop: all {line[2]} is overdue in {place.name}: api, web"
    stages.until(lambda: stages.lines() == [overdue], "Slack to be told")
    told = f"**Overdue** in `{place.name}`: ReleaseSet `{place.name}/all`"
    stages.until(lambda: sum(told in body for body in stages.comments().values()) == 2, "both pull requests to be told")
    assert set(stages.comments()) == {11, 12}
    stages.until(lambda: stages.linked() == [["#11", "#12"]], "Slack to link them")
    calls = stages.settle()
    place.bed.restart_operator()
    place.annotate("all", "releaseset", refresh="1")
    place.until(lambda: place.set_status().get("lastHandledRefresh") == "1", "a pass after the restart")
    assert stages.settle() == calls, "nobody is called after a restart"
    assert stages.reminders() == []
    stages.a_day_passes()
    stages.until(lambda: stages.reminders() == [overdue], "Slack to be told again")
    stages.until(lambda: sum("- said `2` times" in body for body in stages.comments().values()) == 2, "the comments to be changed")
    assert stages.lines() == [overdue]
    place.release_set(line[2])
    place.wait_set("Succeeded")
    over = f"– shop: all is no longer overdue in {place.name}"
    stages.until(lambda: stages.lines() == stages.reminders() == [over], "Slack to be told that it is over")

    def live() -> bool:
        bodies = stages.comments().values()
        return [("**No longer overdue**" in body, "**Live** in" in body, "**Overdue**" in body) for body in bodies] == [
            (True, True, False)
        ] * 2

    stages.until(live, "the pull requests to be live")
    stages.until(lambda: stages.linked() == [["#11", "#12"]], "Slack to link them where the set is, and nowhere else")
    place.until_set(lambda: not [v for v in place.set_status()["views"] if v["id"].endswith("/overdue")], "status to forget it")
