"""What is sent to AWS, and how often: through the real SDK, to a server of our own that answers as it is told to."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.sessions import caller, sessions
from ecs_release.aws.sessions.error_codes import passes, problem_of
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, Denied, Problem, Retryable, Throttled
from ecs_release.domain.ports.protocols import Priority

ACCESS = Access("111122223333", "eu-west-1")
ROLE = Access("111122223333", "eu-west-1", "arn:aws:iam::111122223333:role/releases")
_CREDENTIALS = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>x</SecretAccessKey>"
    "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)
OK = "ok"
THROTTLED, TROUBLE, EXPIRED, DENIED = "ThrottlingException", "ServerException", "ExpiredTokenException", "AccessDeniedException"
DROPPED, SLOW = "dropped", "slow"
_STATUS = {OK: 200, TROUBLE: 500}


class Remote:
    """Answers each request with the next of `answers`, and well once there are no more."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.asked: Counter[str] = Counter()
        self.unknown: set[str] = set()
        """Access keys with which no role is assumed."""
        self._lock = Lock()
        remote = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                action = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or "AssumeRole"
                answer = remote.take(action)
                key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
                if action == "AssumeRole" and key in remote.unknown:
                    self.reply(403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>")
                    return
                if answer == SLOW:
                    time.sleep(0.6)
                if answer in (DROPPED, SLOW):
                    self.close_connection = True
                    return
                text = (
                    _CREDENTIALS
                    if action == "AssumeRole"
                    else json.dumps({"taskArns": [], "tasks": []} if answer == OK else {"__type": answer})
                )
                self.reply(_STATUS.get(answer, 400), text)

            def reply(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def take(self, action: str) -> str:
        with self._lock:
            self.asked[action] += 1
            return self.answers.pop(0) if self.answers and action != "AssumeRole" else OK

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Told:
    """What the adapter tells of its requests, and of the turns that they had."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.turns = 0
        self.first = asyncio.Event()

    def on_call(self, _: Access, action: str, result: str, seconds: float) -> None:
        assert action.startswith("ecs:")
        assert seconds > 0
        self.results[result] += 1
        self.first.set()

    def on_wait(self, *_: Any) -> None:
        self.turns += 1


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    made = Remote()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(caller, "_PAUSES_S", (0.05, 0.05))
    monkeypatch.setattr(sessions, "_READ_S", 0.3)
    yield made
    made.close()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def aws(remote: Remote, told: Told) -> Iterator[BotoAws]:
    made = BotoAws(SystemClock(), version="0", session_name="test", threads=8, share=1.0, on_call=told.on_call, on_wait=told.on_wait)
    yield made
    made.close()


def slowed(aws: BotoAws, row: str = "cluster-resource-read") -> bool:
    return aws._caller._pacing.limiter("111122223333", "eu-west-1", row)._bucket._factor < 0.6


async def test_each_request_of_a_throttled_read_has_its_turn_is_counted_and_slows_the_line(
    aws: BotoAws, remote: Remote, told: Told
) -> None:
    """Two of three are throttled, and every read answers all the same: nobody would see it, and all would go on at full speed."""
    for _ in range(3):
        remote.answers = [THROTTLED, THROTTLED, OK]
        assert await aws.ecs(ACCESS).list_tasks("c", "s") == []
    assert remote.asked == {"ListTasks": 9}
    assert told.results == {"Throttled": 6, "ok": 3}
    assert told.turns == 9
    assert slowed(aws)


@pytest.mark.parametrize(
    ("fault", "result", "slows"), [(TROUBLE, "Retryable", True), (SLOW, "Retryable", True), (DROPPED, "Retryable", False)]
)
async def test_a_fault_that_passes_fails_nothing(aws: BotoAws, remote: Remote, told: Told, fault: str, result: str, slows: bool) -> None:
    remote.answers = [fault]
    assert await aws.ecs(ACCESS).list_tasks("c", "s") == []
    assert told.results == {result: 1, "ok": 1}
    assert slowed(aws) is slows


async def test_all_who_reach_an_account_and_region_share_its_line(aws: BotoAws, remote: Remote) -> None:
    """A sweep with one role and a rollout with another are the same to AWS, which counts by account and region."""
    remote.answers = [THROTTLED]
    await aws.ecs(ACCESS).list_tasks("c", "s")
    before = aws._caller._pacing.limiter("111122223333", "eu-west-1", "cluster-resource-read")
    await aws.ecs(ROLE).describe_tasks("c", ["a"], priority=Priority.ROLLOUT)
    await aws.ecs(Access("111122223333", "us-east-1")).list_tasks("c", "s")
    lines = aws._caller._pacing._limiters
    assert set(lines) == {("111122223333", region, "cluster-resource-read") for region in ("eu-west-1", "us-east-1")}
    assert before._bucket._factor < 0.6, "what one was told slows the other"
    assert lines["111122223333", "us-east-1", "cluster-resource-read"]._bucket._factor == 1, "and nobody elsewhere"


async def test_a_read_is_sent_three_times_at_most_and_the_last_fault_is_told(aws: BotoAws, remote: Remote, told: Told) -> None:
    remote.answers = [TROUBLE, TROUBLE, THROTTLED, OK]
    with pytest.raises(Throttled, match="ecs:ListTasks on tasks in c: AWS asks to slow down"):
        await aws.ecs(ACCESS).list_tasks("c", "s")
    assert told.results == {"Retryable": 2, "Throttled": 1}
    assert told.turns == 3


async def test_what_does_not_pass_is_not_sent_again(aws: BotoAws, remote: Remote, told: Told) -> None:
    remote.answers = [DENIED, OK]
    with pytest.raises(Denied):
        await aws.ecs(ACCESS).list_tasks("c", "s")
    assert told.results == {"Denied": 1}
    assert not slowed(aws)


@pytest.mark.parametrize(("fault", "problem"), [(THROTTLED, Throttled), (TROUBLE, Ambiguous), (SLOW, Ambiguous), (DROPPED, Ambiguous)])
async def test_a_changing_call_is_sent_once_and_slows_its_line(
    aws: BotoAws, remote: Remote, told: Told, fault: str, problem: type[Problem]
) -> None:
    remote.answers = [fault]
    with pytest.raises(problem):
        await aws.ecs(ACCESS).update_service("c", "s", "td:1")
    assert remote.asked == {"UpdateService": 1}
    assert told.results == {problem.__name__: 1}
    assert told.turns == 1
    assert slowed(aws, "service-modify") is (fault != DROPPED)


async def test_expired_credentials_are_renewed_once_and_both_requests_are_counted(aws: BotoAws, remote: Remote, told: Told) -> None:
    assert await aws.ecs(ROLE).list_tasks("c", "s") == []
    remote.answers = [EXPIRED]
    assert await aws.ecs(ROLE).list_tasks("c", "s") == []
    assert remote.asked == {"AssumeRole": 2, "ListTasks": 3}
    assert (told.results, told.turns) == ({"ok": 2, "Retryable": 1}, 3)
    remote.answers = [EXPIRED, EXPIRED]
    with pytest.raises(Retryable, match="expired"):
        await aws.ecs(ROLE).list_tasks("c", "s")
    assert remote.asked["ListTasks"] == 5


async def test_a_changing_call_with_expired_credentials_was_not_done_and_is_sent_again(aws: BotoAws, remote: Remote, told: Told) -> None:
    remote.answers = [EXPIRED, DENIED]
    with pytest.raises(Denied):
        await aws.ecs(ROLE).update_service("c", "s", "td:1")
    assert remote.asked == {"AssumeRole": 2, "UpdateService": 2}
    assert told.turns == 2


async def test_credentials_that_are_not_ours_to_renew_are_not_tried_again(aws: BotoAws, remote: Remote) -> None:
    remote.answers = [EXPIRED]
    with pytest.raises(Retryable, match="expired"):
        await aws.ecs(ACCESS).list_tasks("c", "s")
    assert remote.asked == {"ListTasks": 1}


async def test_a_key_that_was_replaced_in_its_file_is_read_again(
    remote: Remote, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role's credentials have expired, and the key that it was assumed with is not known any more: one call overcomes both."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setattr(sessions, "_SOURCE_KEPT_S", 0.0)
    write_key(tmp_path / "keys", "OLD")
    with closing(BotoAws(SystemClock(), version="0", session_name="test", threads=2, share=1.0, on_wait=told.on_wait)) as aws:
        assert await aws.ecs(ROLE).list_tasks("c", "s") == []
        remote.unknown = {"OLD"}
        write_key(tmp_path / "keys", "NEW")
        remote.answers = [EXPIRED]
        assert await aws.ecs(ROLE).list_tasks("c", "s") == []
        remote.answers = [EXPIRED]
        remote.unknown = {"OLD", "NEW"}
        with pytest.raises(Denied, match="InvalidClientTokenId"):
            await aws.ecs(ROLE).list_tasks("c", "s")
    assert remote.asked == {"ListTasks": 4, "AssumeRole": 5}


def write_key(file: Path, key: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n")


async def test_a_source_that_was_asked_a_moment_ago_is_not_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Many calls notice at once: one of them has the chain gone through again, and the others use what it finds."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    write_key(tmp_path / "keys", "OLD")
    made = sessions.Sessions("test", "test")
    made._base_made -= sessions._SOURCE_KEPT_S
    before = made._base
    assert made.forget_credentials(ROLE, source=True)
    after = made._base
    assert made.forget_credentials(ROLE, source=True)
    assert made._base is after is not before


@pytest.mark.parametrize("code", ["AccessDeniedException", "ServerException", "ClientException", "x" * 5000])
def test_an_error_without_end_is_cut(code: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "y" * 5000}}, "DescribeServices")

    message = problem_of(error, "ecs:DescribeServices on web", mutating=False).message

    assert message.startswith("ecs:DescribeServices on web")
    assert len(message) < 1500


async def test_no_repetition_begins_after_the_deadline(aws: BotoAws, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is told, and not that there was no turn for another try."""
    monkeypatch.setattr(caller, "_PAUSES_S", (0.5, 0.5))
    await aws.ecs(ACCESS).list_tasks("c", "s")
    remote.asked.clear()
    aws._threads.deadline_s = 0.4
    remote.answers = [TROUBLE, OK]
    with pytest.raises(Retryable, match="ServerException"):
        await aws.ecs(ACCESS).list_tasks("c", "s")
    assert remote.asked == {"ListTasks": 1}


async def test_whoever_gives_up_waiting_ends_the_repetitions(
    aws: BotoAws, remote: Remote, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_PAUSES_S", (30.0, 30.0))
    remote.answers = [TROUBLE, OK]
    call = asyncio.create_task(aws.ecs(ACCESS).list_tasks("c", "s"))
    await asyncio.wait_for(told.first.wait(), 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert remote.asked == {"ListTasks": 1}


def client_error(status: int, code: str, operation: str = "DescribeServices") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (client_error(400, "ThrottlingException"), True),
        (client_error(400, "ThrottledException"), True),
        (client_error(429, "Whatever"), True),
        (client_error(400, "RequestTimeout"), True),
        (client_error(503, "Whatever"), True),
        (client_error(400, "Throttling", "AssumeRole"), False),
        (client_error(400, "ExpiredToken"), False),
        (client_error(400, "ClusterNotFoundException"), False),
        (client_error(403, "AccessDenied"), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (ConnectionClosedError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x"), True),
        (NoCredentialsError(), False),
        (TimeoutError(), False),
    ],
)
def test_what_is_worth_another_try(error: Exception, again: bool) -> None:
    assert passes(error) is again
    if again:
        assert isinstance(problem_of(error, "ecs:DescribeServices", mutating=False), Retryable)
