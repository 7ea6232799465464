"""The operator's client of the commits service: answers are taken strictly, and whatever else happens is a Problem."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.commits import answers
from ecs_release.commits.adapter import HttpCommits
from ecs_release.commits_service import questions
from ecs_release.domain.model.errors import Blocked, Problem, Retryable
from ecs_release.domain.ports.commits import (
    Commit,
    CommitRange,
    FullHash,
    Membership,
    Relation,
    RelationKind,
    Repository,
    Unknown,
    UnknownReason,
)

A, B = "a" * 40, "b" * 40
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHOP = Repository("shop", "https://git.example.com/shop/web", "main")


@pytest.mark.parametrize(
    ("relation", "kind"),
    [
        (Relation(0, 0), RelationKind.SAME),
        (Relation(2, 0), RelationKind.AHEAD),
        (Relation(0, 2), RelationKind.BEHIND),
        (Relation(1, 2), RelationKind.DIVERGED),
    ],
)
def test_kinds_of_relations(relation: Relation, kind: RelationKind) -> None:
    assert relation.kind is kind


@pytest.mark.parametrize(
    ("answer", "parse"),
    [
        (Relation(3, 4), answers.relation),
        (Membership(True, A, AT), answers.membership),
        (FullHash(A, AT), lambda body: answers.full_hash(body, "aaaaaaa")),
        (CommitRange(2, (Commit(A, "x", "Ana", AT), Commit(B, "", "", None))), answers.commit_range),
        (CommitRange(1, (Commit(A, "x", "Ana", datetime(1901, 1, 1, tzinfo=UTC)),)), answers.commit_range),
        (Unknown(UnknownReason.PENDING, "wait"), answers.unknown),
    ],
)
def test_what_the_service_writes_the_client_reads(answer: Any, parse: Callable[[Any], Any]) -> None:
    assert parse(json.loads(json.dumps(questions._json(answer)))) == answer


COMMIT = {"hash": A, "subject": "", "author": "", "committedAt": None}


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (answers.relation, {"ahead": 1}),
        (answers.relation, {"ahead": -1, "behind": 0}),
        (answers.relation, {"ahead": True, "behind": 0}),
        (answers.relation, {"ahead": 1.0, "behind": 0}),
        (answers.relation, {"ahead": "1", "behind": 0}),
        (answers.relation, {"ahead": 2**60, "behind": 0}),
        (answers.relation, {"ahead": 1, "behind": 0, "more": 1}),
        (answers.relation, []),
        (answers.membership, {"onBranch": 1, "tip": A, "asOf": 0}),
        (answers.membership, {"onBranch": True, "tip": A[1:], "asOf": 0}),
        (answers.membership, {"onBranch": True, "tip": A.upper(), "asOf": 0}),
        (answers.membership, {"onBranch": True, "tip": A, "asOf": None}),
        (answers.membership, {"onBranch": True, "tip": A, "asOf": -1}),
        (answers.membership, {"onBranch": True, "tip": A, "asOf": 2**50}),
        (answers.commit_range, {"total": 2, "commits": [COMMIT]}),
        (answers.commit_range, {"total": 0, "commits": [COMMIT]}),
        (answers.commit_range, {"total": 300, "commits": [COMMIT] * 251}),
        (answers.commit_range, {"total": 1, "commits": [{**COMMIT, "subject": None}]}),
        (answers.commit_range, {"total": 1, "commits": [{**COMMIT, "subject": "x" * 5000}]}),
        (answers.commit_range, {"total": 1, "commits": [{**COMMIT, "hash": "x"}]}),
        (lambda body: answers.full_hash(body, "bbbbbbb"), {"hash": A, "asOf": 0}),
        (answers.unknown, {"unknown": {"reason": "Because", "message": ""}}),
        (answers.unknown, {"unknown": {"reason": ["Busy"], "message": ""}}),
        (answers.unknown, {"unknown": "Busy"}),
        (answers.unknown, {"unknown": {"reason": "Busy", "message": ""}, "ahead": 0}),
    ],
)
def test_malformed_answers(parse: Callable[[Any], Any], body: Any) -> None:
    with pytest.raises(answers.MalformedError):
        parse(body)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3) | st.dictionaries(
    st.sampled_from(["ahead", "behind", "onBranch", "tip", "asOf", "total", "commits", "unknown", "reason", "message"]), x, max_size=4))  # fmt: skip


@given(JSON)
def test_no_answer_of_any_form_raises_anything_else(body: Any) -> None:
    for parse in (answers.relation, answers.membership, answers.commit_range, answers.unknown):
        try:
            parse(body)
        except answers.MalformedError:
            continue


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def asked(answer: Answer, token_file: Path, deadline_s: float = 60, times: int = 1) -> Any:
    """Ask a service that answers so."""
    application = web.Application()
    application.add_routes([web.post("/v1/{question}", answer)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = HttpCommits(f"http://127.0.0.1:{runner.addresses[0][1]}", token_file, deadline_s)
    try:
        for _ in range(times):
            found = await client.relation(SHOP, A, B)
        return found
    finally:
        await client.close()
        await runner.cleanup()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("a token of the test's own\n")
    return path


def problem_of(answer: Answer, token_file: Path, deadline_s: float = 60) -> Problem:
    with pytest.raises(Problem) as caught:
        asyncio.run(asked(answer, token_file, deadline_s))
    return caught.value


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '{"ahead": 1}', '{"ahead": NaN, "behind": 0}', "[" * 100_000, '{"ahead": 1, "behind": "' + "x" * 2**21 + '"}'],
)
def test_a_service_that_lies(text: str, token_file: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    assert "malformed" in problem_of(answer, token_file).message


@pytest.mark.parametrize("status", [302, 400, 404, 413, 500, 503])
def test_a_service_that_refuses(status: int, token_file: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "http://169.254.169.254/"})

    found = problem_of(answer, token_file)
    assert isinstance(found, Retryable) and f"status {status}" in found.message


def test_a_service_that_hangs(token_file: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    found = problem_of(answer, token_file, deadline_s=0.5)
    assert isinstance(found, Retryable) and "did not answer relation" in found.message


def test_a_service_that_is_not_there(token_file: Path) -> None:
    async def ask() -> None:
        client = HttpCommits("http://127.0.0.1:1", token_file)
        try:
            await client.relation(SHOP, A, B)
        finally:
            await client.close()

    with pytest.raises(Retryable, match="did not answer"):
        asyncio.run(ask())


def test_a_token_that_was_rotated_is_read_again(token_file: Path) -> None:
    given: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        given.append(request.headers["Authorization"])
        if given[-1] == "Bearer another":
            return web.json_response({"ahead": 1, "behind": 0})
        await asyncio.to_thread(token_file.write_text, "another")
        return web.Response(status=401)

    assert asyncio.run(asked(answer, token_file, times=2)) == Relation(1, 0)
    assert given == ["Bearer a token of the test's own", "Bearer another", "Bearer another"]


def test_a_token_that_is_refused_is_said(token_file: Path) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=401)

    found = problem_of(answer, token_file)
    assert isinstance(found, Blocked) and "refuses the token" in found.message


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"a\nb"])
def test_a_token_that_cannot_be_read_is_said(content: bytes | None, token_file: Path) -> None:
    token_file.unlink()
    if content is not None:
        token_file.write_bytes(content)

    async def answer(_: web.Request) -> web.Response:
        raise AssertionError

    found = problem_of(answer, token_file)
    assert isinstance(found, Blocked) and str(token_file) in found.message
