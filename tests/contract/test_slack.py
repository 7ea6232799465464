"""The connection to Slack against a Slack on loopback, which checks each request against Slack's own description of its methods."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, NotLeading, Problem, Retryable, Throttled
from ecs_release.domain.ports.views import LEFT, Created, Part, Place
from ecs_release.outbound.connections import SlackConnection
from ecs_release.outbound.session import Session
from ecs_release.slack.adapter import EVENT_TYPE, SlackSink
from ecs_release.slack.limits import Limits
from tests.slack_host.server import OTHER_TOKEN, TOKEN, SlackHost

CHANNEL, KEY = "C0CHANNEL", "k" * 40
PLACE = Place(CHANNEL)


def part(text: str = "it goes", key: str = KEY, **content: Any) -> Part:
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}]
    return Part("message", key, {"text": text, "blocks": blocks, "since": 0, "broadcast": False, **content})


@pytest.fixture
def slack() -> Iterator[SlackHost]:
    with SlackHost() as host:
        host.channel(CHANNEL)
        yield host
        assert host.violations == []


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@dataclass
class Connections:
    """Makes connections."""

    url: str
    token_file: Path
    made: list[SlackSink] = field(default_factory=list)

    def __call__(
        self, token_file: Path | None = None, *, fence: Any = None, deadline_s: float = 20.0, limits: Limits | None = None
    ) -> SlackSink:  # fmt: skip
        session = Session(self.url, None, allow_loopback=True, user_agent="ecs-release-operator/test", deadline_s=deadline_s)
        connection = SlackConnection.model_construct(name="c", url=self.url, token_file=token_file or self.token_file)
        self.made.append(SlackSink(connection, session, fence, limits))
        return self.made[-1]


@pytest.fixture
async def connect(slack: SlackHost, token_file: Path) -> AsyncIterator[Connections]:
    connections = Connections(slack.url, token_file)
    yield connections
    for sink in connections.made:
        await sink.close()


@pytest.fixture
def sink(connect: Connections) -> SlackSink:
    return connect()


@contextmanager
def slack_untouched(slack: SlackHost) -> Iterator[None]:
    """Nothing is called meanwhile."""
    before = len(slack.calls)
    yield
    assert len(slack.calls) == before


async def test_a_message_is_created_found_edited_and_removed(slack: SlackHost, sink: SlackSink) -> None:
    assert await sink.find(PLACE, part()) == []
    made = await sink.create(PLACE, part())
    assert made.is_current and await sink.find(PLACE, part()) == [made.receipt] and await sink.find(PLACE, part(key="x" * 40)) == []
    (message,) = slack.messages(CHANNEL)
    assert message.content["metadata"] == {"event_type": EVENT_TYPE, "event_payload": {"key": KEY}}
    assert (message.unfurls, message.content["link_names"], message.content["parse"]) == (False, False, "none")
    await sink.change(PLACE, made.receipt, part("it is there"))
    (message,) = slack.messages(CHANNEL)
    assert message.content["blocks"][0]["text"]["text"] == "it is there" and message.edits == 1
    assert await sink.find(PLACE, part()) == [made.receipt], "an edit keeps what it is found by"
    await sink.remove(PLACE, made.receipt, part())
    assert slack.messages(CHANNEL) == []
    await sink.remove(PLACE, made.receipt, part())
    await sink.change(PLACE, made.receipt, part())
    await sink.close()


@pytest.mark.parametrize("broadcast", [False, True])
async def test_a_reply_is_found_in_its_thread(slack: SlackHost, sink: SlackSink, *, broadcast: bool) -> None:
    parent = (await sink.create(PLACE, part())).receipt
    thread, reply = Place(CHANNEL, parent), part("details", key="r" * 40, broadcast=broadcast)
    made = (await sink.create(thread, reply)).receipt
    assert await sink.find(thread, reply) == [made]
    (found,) = slack.replies(CHANNEL, parent)
    assert found.is_broadcast is broadcast
    slack.may_read_threads = False
    assert await sink.find(thread, reply) == [], "some bots may not read threads"
    slack.may_read_threads = True
    slack.delete(CHANNEL, parent)
    assert await sink.find(thread, reply) == []
    assert await sink.create(thread, reply) == Created(LEFT), "somebody has deleted the message"
    with slack_untouched(slack):
        await sink.change(thread, LEFT, reply)


async def test_of_several_the_oldest_comes_first_and_others_messages_do_not_count(
    slack: SlackHost, sink: SlackSink, connect: Connections, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text(OTHER_TOKEN)
    await connect(other).create(PLACE, part())
    slack.say(CHANNEL, KEY, metadata={"event_type": "another", "event_payload": {"key": KEY}})
    slack.say(CHANNEL, KEY)
    first, second = [(await sink.create(PLACE, part())).receipt for _ in range(2)]
    assert await sink.find(PLACE, part()) == [first, second]


async def test_it_is_found_below_what_others_say(slack: SlackHost, sink: SlackSink) -> None:
    slack.say(CHANNEL, "before")
    made = (await sink.create(PLACE, part())).receipt
    for number in range(450):
        slack.say(CHANNEL, f"message {number}")
    assert await sink.find(PLACE, part()) == [made]
    assert len(slack.calls_of("conversations.history")) == 3
    late = part(since=int(float(made)) + 3600)
    assert await sink.find(PLACE, late) == [], "what was posted long before the deployment set began is not it"


async def test_a_busy_channel_is_looked_through_up_to_a_bound(slack: SlackHost, sink: SlackSink) -> None:
    await sink.create(PLACE, part())
    for number in range(5100):
        slack.say(CHANNEL, str(number))
    assert await sink.find(PLACE, part()) == []
    assert len(slack.calls_of("conversations.history")) == 25


@pytest.mark.parametrize(
    ("error", "problem", "said"),
    [
        ("not_in_channel", Blocked, "invite the bot"),
        ("is_archived", Blocked, "archived"),
        ("msg_blocks_too_long", Blocked, "msg_blocks_too_long"),
        ("something_new", Blocked, "something_new"),
        ("invalid_auth", Denied, "invalid_auth"),
        ("missing_scope", Denied, "channels:history"),
        ("account_inactive", Denied, "account_inactive"),
        ("ratelimited", Throttled, "throttles"),
        ("internal_error", Ambiguous, "internal_error"),
        ("fatal_error", Ambiguous, "fatal_error"),
    ],
)
async def test_what_slack_says_is_translated(slack: SlackHost, sink: SlackSink, error: str, problem: type[Problem], said: str) -> None:
    slack.fault("chat.postMessage", "error", value=error, times=2)
    with pytest.raises(problem, match=said) as raised:
        await sink.create(PLACE, part())
    assert type(raised.value) is not Problem and isinstance(raised.value, Blocked) == issubclass(problem, Blocked)
    assert TOKEN not in str(raised.value) and "it goes" not in str(raised.value)
    if problem is Blocked:
        assert raised.value.reason == Reason.REJECTED_BY_SINK and not isinstance(raised.value, Denied)
    if problem is Denied:
        assert raised.value.reason == Reason.ACCESS_DENIED


async def test_a_read_that_fails_was_certainly_not_carried_out(slack: SlackHost, sink: SlackSink) -> None:
    slack.fault("conversations.history", "error", value="internal_error")
    with pytest.raises(Retryable) as raised:
        await sink.find(PLACE, part())
    assert not isinstance(raised.value, Ambiguous)


@pytest.mark.parametrize("operators", [1, 4, 20])
def test_operators_share_a_budget(operators: int) -> None:
    now, sent = [0.0], 0
    limits = Limits(lambda: now[0], operators)
    while now[0] < 600:
        now[0] += limits.ready_in_s()
        limits.spend("chat.postMessage")
        sent += 1
    assert operators * sent <= 40 * 10 + max(10, operators) + operators


async def test_slack_may_ask_us_to_wait(slack: SlackHost, connect: Connections) -> None:
    now = [0.0]
    sink = connect(limits=Limits(lambda: now[0]))
    slack.fault("chat.postMessage", "throttle", value=30)
    with pytest.raises(Throttled) as raised:
        await sink.create(PLACE, part())
    assert isinstance(raised.value, Throttled) and raised.value.after_s == 30 and sink.ready_in_s() == 30
    now[0] = 30.0
    assert sink.ready_in_s() == 0
    assert (await sink.create(PLACE, part())).receipt


@pytest.mark.parametrize(
    ("kind", "value"), [("lose", None), ("hang", None), ("status", 500), ("status", 502), ("garbage", None), ("huge", None)]
)
async def test_nobody_knows_whether_it_was_carried_out(slack: SlackHost, connect: Connections, kind: str, value: Any) -> None:
    sink = connect(deadline_s=0.5)
    slack.fault("chat.postMessage", kind, value=value)
    with pytest.raises(Ambiguous):
        await sink.create(PLACE, part())
    assert len(slack.messages(CHANNEL)) == (1 if kind == "lose" else 0)
    assert len(await sink.find(PLACE, part())) == len(slack.messages(CHANNEL))


async def test_a_redirect_is_not_followed(slack: SlackHost, sink: SlackSink) -> None:
    slack.fault("chat.postMessage", "redirect", value=f"{slack.url}/chat.postMessage")
    with pytest.raises(Blocked, match="redirects"):
        await sink.create(PLACE, part())
    assert slack.calls == []


async def test_a_host_that_is_not_there_got_nothing(connect: Connections) -> None:
    with SlackHost() as host:
        connect.url = host.url
    sink = connect()
    with pytest.raises(Retryable) as raised:
        await sink.create(PLACE, part())
    assert not isinstance(raised.value, Ambiguous)


def write(file: Path, text: str) -> None:
    file.write_text(text)


async def test_a_token_is_read_anew_when_it_is_refused(slack: SlackHost, connect: Connections, token_file: Path) -> None:
    sink = connect()
    await sink.create(PLACE, part())
    del slack.tokens[TOKEN]
    slack.tokens["xoxb-new"] = "B0OURS"
    with pytest.raises(Denied):
        await sink.create(PLACE, part())
    write(token_file, "xoxb-new")
    assert (await sink.create(PLACE, part())).receipt
    write(token_file, "")
    assert (await sink.create(PLACE, part())).receipt, "it is not read while it is taken"
    slack.tokens.clear()
    with pytest.raises(Denied, match="invalid_auth"):
        await sink.create(PLACE, part())


async def test_with_the_token_of_another_bot_its_own_messages_count(slack: SlackHost, connect: Connections, token_file: Path) -> None:
    sink = connect()
    old = (await sink.create(PLACE, part())).receipt
    assert await sink.find(PLACE, part()) == [old]
    del slack.tokens[TOKEN]
    write(token_file, OTHER_TOKEN)
    assert await sink.find(PLACE, part()) == [], "read anew while it looks"
    new = (await sink.create(PLACE, part())).receipt
    assert await sink.find(PLACE, part()) == [new]


async def test_a_token_that_cannot_be_read_is_said(connect: Connections, tmp_path: Path) -> None:
    with pytest.raises(Denied, match="missing"):
        await connect(tmp_path / "missing").create(PLACE, part())


async def test_a_process_that_is_not_the_leader_changes_nothing(slack: SlackHost, connect: Connections) -> None:
    class Closed:
        def check(self, what: str) -> None:
            raise NotLeading(what)

    sink = connect(fence=Closed())
    for change in (sink.create(PLACE, part()), sink.change(PLACE, "1.1", part()), sink.remove(PLACE, "1.1", part())):
        with pytest.raises(NotLeading):
            await change
    assert slack.calls == [] and await sink.find(PLACE, part()) == []


async def test_what_nobody_may_edit_any_more_is_left(slack: SlackHost, sink: SlackSink) -> None:
    made = (await sink.create(PLACE, part())).receipt
    slack.fault("chat.update", "error", value="edit_window_closed")
    await sink.change(PLACE, made, part("other"))
    other = slack.say(CHANNEL, "somebody else's")
    await sink.change(PLACE, other, part())
    assert slack.messages(CHANNEL)[-1].content["text"] == "somebody else's", "the bot was replaced by another one"


async def test_no_token_and_no_text_is_logged(slack: SlackHost, sink: SlackSink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slack.fault("chat.postMessage", "error", value="internal_error")
    with pytest.raises(Ambiguous):
        await sink.create(PLACE, part("secret plans"))
    await sink.create(PLACE, part("secret plans"))
    assert TOKEN not in caplog.text and "secret plans" not in caplog.text
