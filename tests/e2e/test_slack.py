"""Slack shows each deployment set as one message, whatever dies, hangs, is lost or late; it mentions nobody, and releases go on without it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.e2e.bed import Bed, Place, condition, running_bed
from tests.operator_process import FAST
from tests.slack_host.description import marked_up, texts
from tests.slack_host.server import TOKEN, Message, SlackHost

_numbers = itertools.count(1)


@dataclass
class Team:
    """A place whose Environment is shown in a channel of its own."""

    place: Place
    slack: SlackHost
    channel: str

    def environment(self, **slack: Any) -> None:
        notify = {"slack": {"credentials": "main", "channel": self.channel, **slack}}
        self.place.environment(notify={"slack": {k: v for k, v in notify["slack"].items() if v}}, rollout={"settleSeconds": 0})
        self.place.until(lambda: self.place.get_environment().get("status", {}).get("slackSinceTime"), "to be shown from now on")

    @property
    def messages(self) -> list[Message]:
        return self.slack.messages(self.channel)

    def replies(self) -> list[Message]:
        return [reply for message in self.messages for reply in self.slack.replies(self.channel, message.ts)]

    def lines(self) -> list[str]:
        return [said(message)[0] for message in self.messages]

    def until(self, line: str) -> None:
        """Wait until the latest message begins so."""
        self.place.until(lambda: self.messages and self.lines()[-1].startswith(line), f"{line!r} in Slack", show=self.lines)

    def settle(self) -> None:
        """Wait until nothing is to be shown any more: status says that all is shown, and no call is made."""
        before = -1
        while before != len(self.slack.calls):
            before = len(self.slack.calls)
            time.sleep(3)

    def said(self) -> dict[str, Any]:
        return condition(self.place.get_environment()["status"], "ShownInSlack")


def said(message: Message) -> list[str]:
    return [line for text in texts(message.content["blocks"]) for line in text.splitlines()]


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackHost]:
    with SlackHost() as host:
        yield host
        assert host.violations == []


@pytest.fixture(scope="module")
def slack_bed(slack: SlackHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    folder = tmp_path_factory.mktemp("slack")
    (folder / "token").write_text(TOKEN)
    file = folder / "connections.yaml"
    file.write_text(yaml.safe_dump({"slack": [{"name": "main", "url": slack.url, "tokenFile": str(folder / "token")}]}))
    settings = {"ECS_RELEASE_CONNECTIONS_FILE": str(file), "ECS_RELEASE_CONNECTIONS_ALLOW_LOOPBACK": "true"}
    with running_bed({**FAST, **settings}) as bed:
        yield bed
        assert TOKEN not in bed.operator.tail(50_000_000)


@pytest.fixture
def team(slack: SlackHost, slack_bed: Bed) -> Iterator[Team]:
    with slack_bed.cleared():
        place = Place(slack_bed)
        place.services("api", "web")
        for service in ("api", "web"):
            place.push("v2", service=service)
        found = Team(place, slack, slack.channel(f"C0TEAM{next(_numbers)}"))
        found.environment()
        yield found
        slack.clear_faults()
        slack.late_s = 0.0


WAVES = {"waves": [{"services": ["api"]}, {"services": ["web"]}]}


def test_a_set_is_one_message_that_is_edited_with_details_in_its_thread(team: Team) -> None:
    place = team.place
    place.release_set(
        "v2", strategy=WAVES, change={"requestedBy": "ada", "description": "faster pages", "url": "https://example.com/pull/7"}
    )
    place.wait_set("Succeeded")
    team.until("✔ shop: all v2 runs in ")
    (message,) = team.messages
    assert said(message) == [
        f"✔ shop: all v2 runs in {place.name} {said(message)[0].split(place.name)[1].split(' · ')[0].strip()} · ada: faster pages"
    ]
    assert message.edits > 0, "it was there before the end"
    team.settle()
    (details,) = team.replies()
    assert {"asked for by ada", "faster pages", "wave 1: api ✔", "wave 2: web ✔"} <= {line.split(", applied")[0] for line in said(details)}
    links = [
        e["url"] for b in details.content["blocks"] if b["type"] == "rich_text" for e in b["elements"][0]["elements"] if e["type"] == "link"
    ]
    assert links[0] == "https://example.com/pull/7" and any("console.aws.amazon.com" in link for link in links)
    assert not details.is_broadcast and not message.unfurls and not details.unfurls
    (view,) = place.set_status()["views"]
    assert (view["place"], view["outcome"]) == (team.channel, "Succeeded")
    assert {p["name"]: p["receipt"] for p in view["parts"]} == {"message": message.ts, "thread/details": details.ts}
    place.until(lambda: team.said().get("status") == "True", "ShownInSlack", show=team.said)


def test_a_failure_is_seen_with_its_evidence_and_a_retry_is_another_message(team: Team) -> None:
    place = team.place
    for service in ("api", "web"):
        place.aws.behave(place.push("v3", service=service), "crash")
    place.release_set("v3", strategy=WAVES)
    team.until("✖ shop: all v3 in ")
    team.settle()
    alert = next(r for r in team.replies() if r.is_broadcast)
    assert said(alert)[0].startswith("✖ shop: all v3 in ") and any("exit code 1" in line for line in said(alert))
    place.release_set("v2", strategy=WAVES)
    team.until("✔ shop: all v2 runs in ")
    assert [line[:18] for line in team.lines()] == ["✖ shop: all v3 in ", "✔ shop: all v2 run"]


def test_a_drift_is_seen_and_its_end(team: Team) -> None:
    place = team.place
    place.release("v2")
    team.until("✔ shop: web v2 runs in ")
    place.push("v9")
    place.deploy("v9")
    place.wait("Drifted")
    team.until("≠ shop: web v2 in ")
    team.settle()
    (alert,) = (r for r in team.replies() if r.is_broadcast)
    assert said(alert)[0] == f"≠ shop: web in {place.name} runs something else than was released"
    place.deploy("v2")
    place.wait("Succeeded")
    team.until("✔ shop: web v2 runs in ")
    team.settle()
    (alert,) = (r for r in team.replies() if r.is_broadcast)
    assert said(alert)[0].startswith(f"✔ shop: web in {place.name} drifted; that is over after ")
    assert len(team.messages) == 1


@pytest.mark.parametrize("late_s", [0.0, 10.0])
@pytest.mark.parametrize("kind", ["lose", "keep"])
def test_killed_at_the_create_there_is_one_message_in_the_end(team: Team, slack_bed: Bed, kind: str, late_s: float) -> None:
    """The call is carried out, nobody hears of it, no list shows it for a while, and the process dies."""
    place, slack = team.place, team.slack
    slack.late_s = late_s
    slack.fault("chat.postMessage", kind)
    place.release_set("v2", strategy=WAVES)
    place.until(lambda: team.messages, "the message", show=lambda: slack.calls)
    slack_bed.operator.kill()
    slack_bed.restart_operator()
    place.wait_set("Succeeded")
    team.until("✔ shop: all v2 runs in ")
    team.settle()
    assert len(team.messages) == 1 and len(team.replies()) == 1


def test_lost_answers_of_everything_make_no_double(team: Team) -> None:
    place, slack = team.place, team.slack
    slack.late_s = 10.0
    slack.fault("chat.postMessage", "lose", times=2)
    slack.fault("chat.update", "lose", times=1)
    slack.fault("conversations.history", "status", value=502, times=1)
    place.release("v2")
    team.until("✔ shop: web v2 runs in ")
    place.until(lambda: len(team.replies()) >= 1, "the details", show=lambda: [c.method for c in slack.calls])
    team.settle()
    assert len(team.messages) == 1 and len(team.replies()) == 1


def test_killed_before_slack_takes_it_there_is_one_message(team: Team, slack_bed: Bed) -> None:
    place, slack = team.place, team.slack
    slack.fault("chat.postMessage", "hang")
    place.release("v2")
    place.until(lambda: any(v["parts"] for v in place.status().get("views") or ()), "the intent", show=place.status)
    assert team.messages == []
    slack_bed.operator.kill()
    slack_bed.restart_operator()
    team.until("✔ shop: web v2 runs in ")
    team.settle()
    assert len(team.messages) == 1


HOSTILE = "<!channel> <@U123|ada> <https://evil.example.com|log in> @here *bold* `code` :fire: \u202egnp " + "x" * 900


def test_text_of_people_mentions_nobody_and_is_text(team: Team) -> None:
    place = team.place
    change = {"requestedBy": "<!everyone> " + "r" * 200, "description": HOSTILE, "url": "javascript:alert(1)", "ticket": "<!here>"}
    place.release("v2", change=change)
    team.until("✔ shop: web v2 runs in ")
    team.settle()
    for message in (*team.messages, *team.replies()):
        assert marked_up(message.content["blocks"]) == []
        assert "<" not in message.content["text"] and "@" not in message.content["text"]
        assert (message.content["parse"], message.content["link_names"], message.unfurls) == ("none", False, False)
        assert not [
            e for b in message.content["blocks"] if b["type"] == "rich_text" for e in b["elements"][0]["elements"] if "javascript" in str(e)
        ]
    assert any("<!channel>" in line for reply in team.replies() for line in said(reply)), "it is there, as text"


def test_a_project_goes_to_no_channel_that_is_not_listed_for_its_namespace(team: Team) -> None:
    place, other = team.place, team.slack.channel("C0BOARD")
    place.kubectl("patch", "project", "shop", "--type=merge", "--patch", f'{{"spec": {{"notify": {{"slackChannel": "{other}"}}}}}}')
    team.environment(channels=[{"namespaces": ["somebody-*"], "channels": [other]}])
    place.release("v2")
    place.wait("Succeeded")
    place.until(lambda: team.said().get("reason") == "TargetNotAllowed", "the refusal", show=team.said)
    assert f"does not list channel '{other}' for namespace '{place.name}'" in team.said()["message"]
    assert team.slack.messages(other) == [] and team.messages == []
    team.environment(channels=[{"namespaces": ["somebody-*", "t*"], "channels": [other]}])
    place.until(lambda: team.slack.messages(other), "the message", show=team.said)
    assert team.messages == []


def test_releases_go_on_while_slack_hangs_or_refuses(team: Team) -> None:
    place, slack = team.place, team.slack
    slack.fault("*", "hang", times=1)
    slack.fault("*", "error", value="not_in_channel", times=None)
    place.release("v2")
    place.wait("Succeeded")
    place.until(lambda: team.said().get("reason") == "RejectedBySink", "Slack's words", show=team.said)
    assert team.said()["status"] == "False" and "invite the bot to the channel" in team.said()["message"]
    assert condition(place.get_environment()["status"], "Ready")["status"] == "True"
    slack.clear_faults()
    team.until("✔ shop: web v2 runs in ")
    place.until(lambda: team.said().get("status") == "True", "ShownInSlack", show=team.said)


def test_at_rest_nobody_is_called(team: Team) -> None:
    place = team.place
    place.release("v2")
    team.until("✔ shop: web v2 runs in ")
    team.settle()
    before = len(team.slack.calls)
    time.sleep(10)
    place.bed.restart_operator()
    time.sleep(10)
    assert len(team.slack.calls) == before
