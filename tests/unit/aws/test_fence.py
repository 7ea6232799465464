"""A changing call to AWS is held back at the last moment where this process leads no longer; a read is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from ecs_release.app import SystemClock
from ecs_release.aws.adapter import BotoAws
from ecs_release.aws.sessions.pacing import Pacing
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Ambiguous, NotLeading
from ecs_release.domain.ports.protocols import Message
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")
ROLE = Access("111122223333", "eu-west-1", "arn:aws:iam::111122223333:role/releases")
_CREDENTIALS = (
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>x</SecretAccessKey>"
    "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
)


class Fence:
    """Lets pass until it is closed."""

    def __init__(self) -> None:
        self.closed = False

    def check(self, what: str) -> None:
        if self.closed:
            raise NotLeading(f"{what} was not sent")


class Remote:
    """Answers AssumeRole, and everything else with an empty list of tasks; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_assume_role: Callable[[], None] = lambda: None
        remote = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                action = self.headers.get("X-Amz-Target", "").rpartition(".")[2] or "AssumeRole"
                remote.asked.append(action)
                if action == "AssumeRole":
                    assert "Action=AssumeRole" in body
                    remote.at_assume_role()
                text = (_CREDENTIALS if action == "AssumeRole" else '{"taskArns": []}').encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Any:
    remote = Remote()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{remote.server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    yield remote
    remote.close()


@pytest.fixture
def fence() -> Fence:
    return Fence()


@pytest.fixture
def aws(fence: Fence, remote: Remote) -> Any:
    aws = BotoAws(SystemClock(), version="0", session_name="test", threads=2, fence=fence)
    yield aws
    aws.close()


async def test_reads_pass_and_changes_do_not(aws: BotoAws, fence: Fence, remote: Remote) -> None:
    fence.closed = True
    assert await aws.ecs(ACCESS).list_tasks("c", "s") == []
    with pytest.raises(NotLeading, match=r"a changing call to AWS \(ecs:UpdateService\) was not sent") as raised:
        await aws.ecs(ACCESS).update_service("c", "s", "td:1")
    # Nothing was sent, so that nothing is in doubt.
    assert not isinstance(raised.value, Ambiguous)
    with pytest.raises(NotLeading):
        await aws.ecs(ACCESS).register_task_definition({"family": "f", "containerDefinitions": []}, {})
    assert remote.asked == ["ListTasks"]


async def test_a_message_is_left_to_whoever_leads_now(aws: BotoAws, fence: Fence, remote: Remote) -> None:
    """One that is deleted by a process that acts no longer is lost: nobody looks where it points to."""
    queue = aws.event_queue(ACCESS, "https://sqs.eu-west-1.amazonaws.com/111122223333/events")
    await queue.delete([Message("{}", "handle")])
    fence.closed = True
    with pytest.raises(NotLeading, match="DeleteMessageBatch"):
        await queue.delete([Message("{}", "handle")])
    assert remote.asked == ["DeleteMessageBatch"]


async def test_a_lease_that_ends_while_credentials_are_fetched_holds_the_call_back(aws: BotoAws, fence: Fence, remote: Remote) -> None:
    def too_late() -> None:
        time.sleep(0.1)
        fence.closed = True

    remote.at_assume_role = too_late
    with pytest.raises(NotLeading):
        await aws.ecs(ROLE).update_service("c", "s", "td:1")
    assert remote.asked == ["AssumeRole"]


@pytest.mark.parametrize(("row", "calls"), [("service-read", 100 * 0.5), ("registry-read", 200 * 0.5 / 4), ("registry-modify", 1)])
def test_what_several_shards_reach_is_divided_among_them(row: str, calls: float) -> None:
    """ECS is counted where its account and region is, which is one shard's; a registry may be everybody's."""

    async def main() -> int:
        limiter, passed = Pacing(SimulatedClock(), 0.5, operators=4).limiter("1", "r", row), 0
        while limiter._bucket.take(0.0) == 0.0:
            passed += 1
        return passed

    assert run_simulated(main()) == calls
