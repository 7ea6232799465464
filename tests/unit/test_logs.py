"""Logs: one line, its fields, and never a credential."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release import logs
from ecs_release.logs import Formatter, redact

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJGMEQCIDyJl0YXJwU8iBG4gLVxiNJTYfLp3oFxEOpGGHmQuWmFAiBHEK"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlc2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key AKIAIOSFODNN7EXAMPLE is invalid", "AKIAIOSFODNN7EXAMPLE"),
        ("key ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
        (f"aws_secret_access_key={SECRET}", SECRET),
        (f"AWS_SECRET_ACCESS_KEY: {SECRET}", SECRET),
        (f"{{'SecretAccessKey': '{SECRET}', 'Expiration': 1}}", SECRET),
        (json.dumps({"message": json.dumps({"SecretAccessKey": SECRET})}), SECRET),
        (f"<SecretAccessKey>{SECRET}</SecretAccessKey>", SECRET),
        (f"SessionToken={TOKEN}", TOKEN),
        (f"https://sqs/?X-Amz-Security-Token={TOKEN[:30]}%2F&X-Amz-Signature=abcdef0123", TOKEN[:30]),
        ("https://sqs/?X-Amz-Signature=abcdef0123&x=1", "abcdef0123"),
        (f"the token {TOKEN} has expired", TOKEN),
        (f"Authorization: Bearer {JWT}", JWT),
        ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("{'Authorization': 'Bearer short-one'}", "short-one"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=x/20260101, SignedHeaders=host, Signature=fe5f80f77d5fa3beca038a", "fe5f80f77d5fa3beca038a"),
        ("sent bearer abc123def456", "abc123def456"),
        (f"a JWT {JWT} by itself", JWT),
        ("AssumeRole(externalID='ours-and-secret')", "ours-and-secret"),
        ("ExternalId=abc", "abc"),
        ('"external_id": "ours"', "ours"),
        ("proxy http://me:hush@proxy:3128/", "hush"),
        (f"the token ghs_{'16C7e42F292c6912E7710c838347Ae178B4a'} is refused", "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("github_pat_11ABCDEFG0123456789_abcdefghij", "11ABCDEFG0123456789"),
        ("{'token': 'xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzzqgy'}", "pdFZKVeTuE8sk7oOcHrzzqgy"),
    ],
)  # fmt: skip
def test_credentials_are_taken_out(text: str, hidden: str) -> None:
    assert hidden not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "ArtifactNotFound: no image with tag ref.3f2a91c0d4e5f60718293a4b5c6d7e8f90a1b2c3 in uk.ac.wellcome/bag_register",
        "registered arn:aws:ecs:eu-west-1:111122223333:task-definition/storage-prod-bag_register:42",
        f"sha256:{'0123456789abcdef' * 4}",
        "the Kubernetes API does not know the operator's credentials: Unauthorized",
        "environment storage-prod: access key expired; the session token is refreshed",
        "http://127.0.0.1:5000/ecs?x=1@2",
        "the Environment's connections.github has no ghs_token, and gh_release is a name",
    ],
)
def test_what_people_need_stays(text: str) -> None:
    assert redact(text) == text


def record(message: str, *args: object, exc_info: Any = None, name: str = "ecs_release.engine", **extra: object) -> logging.LogRecord:
    made = logging.getLogger(name).makeRecord(name, logging.INFO, "f", 1, message, args, exc_info, extra=extra)
    made.created = 1767225600.5
    return made


def test_json_is_one_line_with_its_fields() -> None:
    line = Formatter(as_json=True).format(record("Succeeded: %s\nrunning", "all", object="storage/web", attempt="a1", other="x"))

    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.500Z", "level": "INFO", "logger": "ecs_release.engine", "object": "storage/web", "attempt": "a1",
        "message": "Succeeded: all\nrunning",
    }  # fmt: skip


def test_text_is_one_line_that_nobody_can_forge() -> None:
    line = Formatter(as_json=False).format(record("refused: %s", "x\n2026 INFO all is well", object="storage/web"))

    assert line == "2026-01-01T00:00:00.500Z INFO    refused: x\\n2026 INFO all is well object=storage/web"


def test_text_talks_to_no_terminal_and_can_always_be_written() -> None:
    line = Formatter(as_json=False).format(record("%s", "\x1b[2J\0\x85\u2028\ud83d\r\t\N{ROCKET}\N{SNOWMAN}"))

    assert line.endswith("INFO    \\x1b[2J\\x00\\x85\\u2028\\ud83d\\r\\t\N{ROCKET}\N{SNOWMAN}")
    assert line.encode()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_credential_in_message_arguments_fields_or_traceback(as_json: bool) -> None:
    try:
        raise ValueError(f"SecretAccessKey={SECRET}")
    except ValueError:
        exc_info = sys.exc_info()

    line = Formatter(as_json=as_json).format(record("%s", {"SessionToken": TOKEN}, exc_info=exc_info, object="AKIAIOSFODNN7EXAMPLE"))

    assert "ValueError" in line
    for secret in (SECRET, TOKEN, "AKIAIOSFODNN7EXAMPLE"):
        assert secret not in line
    if as_json:
        assert json.loads(line)["exception"].startswith("Traceback")


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("ecs_release", "kopf", "botocore", "urllib3", "asyncio")}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.usefixtures("_logging_restored")
def test_libraries_are_quiet_also_while_we_debug(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug", as_json=False)

    logging.getLogger("botocore.auth").debug("signing with %s", SECRET)
    logging.getLogger("kopf.objects").info("Handler succeeded")
    logging.getLogger("kopf._core.reactor.running").warning("OS signals are ignored: running not in the main thread.")
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("kopf._core").exception("Resource observer has failed")
        logging.getLogger("ecs_release.engine").exception("pass failed")
    logging.getLogger("ecs_release.engine").debug("gathering")

    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("20")]
    assert [line.split(maxsplit=2)[1:] for line in lines] == [
        ["ERROR", "Resource observer has failed"], ["ERROR", "pass failed"], ["DEBUG", "gathering"],
    ]  # fmt: skip


@pytest.mark.usefixtures("_logging_restored")
def test_kopf_tells_no_traceback_and_we_do(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", as_json=True)
    for name in ("kopf._core", "ecs_release.engine"):
        try:
            raise ValueError(name)
        except ValueError:
            logging.getLogger(name).exception("failed")

    kopfs, ours = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert "exception" not in kopfs
    assert "ValueError: ecs_release.engine" in ours["exception"]


@pytest.mark.parametrize("as_json", [True, False])
def test_logs_control_no_terminal_and_change_no_order(as_json: bool) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202e\u2066\u200f\u061c"
    try:
        raise ValueError(evil)
    except ValueError:
        record = logging.LogRecord("ecs_release", logging.WARNING, "", 1, "it says %s", (evil,), sys.exc_info())
    record.object = evil

    line = Formatter(as_json=as_json).format(record)

    assert [c for c in evil if c in line and not c.isprintable()] == []
    if as_json:
        assert json.loads(line)["message"] == f"it says {evil}", "as data it is the same"
