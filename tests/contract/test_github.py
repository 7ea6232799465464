"""The sink of GitHub against a GitHub on loopback, which checks what it is sent by GitHub's own description."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, NotLeading, Retryable, Throttled
from ecs_release.domain.ports.views import LEFT, Created, Part, Place
from ecs_release.github.adapter import GitHub, connect
from ecs_release.github.limits import ContentLimits
from ecs_release.outbound.connections import load
from ecs_release.outbound.session import Session
from tests.github_fake.description import faults_of_request, is_available
from tests.github_fake.server import APP, BOT, GitHubFake

COMMIT, PLACE = "5d6e7f8" + "0" * 33, Place("acme/store")


@pytest.fixture
def fake() -> Iterator[GitHubFake]:
    with GitHubFake().running() as running:
        running.repositories["acme/store"].commits.add(COMMIT)
        yield running
        assert running.wrong == [], "what is sent and answered is as GitHub describes"


@pytest.fixture
async def sink(fake: GitHubFake, tmp_path: Path) -> AsyncIterator[GitHub]:
    found = connected(fake, tmp_path)
    yield found
    await found.close()


def connected(fake: GitHubFake, folder: Path, fence: Any = None, deadline_s: float = 20) -> GitHub:
    path = folder / "connections.yaml"
    path.write_text("github:\n" + fake.connection(folder))
    (connection,) = load(path, allow_loopback=True).github
    session = Session(connection.url, None, allow_loopback=True, user_agent="ecs-release-operator/test", deadline_s=deadline_s)
    return connect(connection, session, fence)


def part(state: str = "in_progress", key: str = "key-1", ref: str = COMMIT, **more: str) -> Part:
    content = {
        "ref": ref,
        "environment": "production",
        "description": "ReleaseSet shop/front",
        "state": state,
        "status": "",
        "logURL": "",
        **more,
    }
    return Part("deployment", key, content)


@pytest.mark.skipif(not is_available(), reason="needs npm")
def test_the_check_finds_faults() -> None:
    path = "/repos/acme/store/deployments"

    assert faults_of_request("POST", path, "", b'{"ref": "x", "required_contexts": []}') == []
    assert faults_of_request("POST", path, "", b'{"environment": "x"}')
    assert faults_of_request("POST", path, "", b'{"ref": "x", "required_contexts": "none"}')
    assert faults_of_request("POST", path, "", b'{"ref": "x", "autoMerge": false}')
    assert faults_of_request("GET", path, "env=x", b"")
    assert faults_of_request("POST", f"{path}/1/statuses", "", b'{"state": "done"}')
    assert faults_of_request("PUT", path, "", b"{}")


async def test_a_deployment_from_creation_to_inactive(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, part())
    assert not made.is_current
    for state in ("in_progress", "success", "inactive"):
        await sink.change(PLACE, made.receipt, part(state, status="3/3 ready", logURL="https://console.aws.amazon.com/x"))
    repository = fake.repositories["acme/store"]
    assert repository.states() == [(COMMIT, ["in_progress", "success", "inactive"])]
    (deployment,) = repository.deployments.values()
    assert (deployment["environment"], deployment["payload"]) == ("production", {"ecs-release-key": "key-1"})
    assert await sink.find(PLACE, part()) == [made.receipt]
    assert await sink.find(PLACE, part(key="another")) == []


async def test_a_status_that_stands_is_not_repeated(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, part())
    fake.fault("lose", method="POST", path="statuses")
    with pytest.raises(Retryable):
        await sink.change(PLACE, made.receipt, part("success"))
    await sink.change(PLACE, made.receipt, part("success"))
    assert fake.repositories["acme/store"].states() == [(COMMIT, ["success"])]


async def test_another_service_sets_deployment_stays_active(sink: GitHub, fake: GitHubFake) -> None:
    for key in ("front", "back"):
        made = await sink.create(PLACE, part(key=key))
        await sink.change(PLACE, made.receipt, part("success", key=key))
    assert [states for _, states in fake.repositories["acme/store"].states()] == [["success"], ["success"]]


async def test_what_was_created_twice_is_removed(sink: GitHub, fake: GitHubFake) -> None:
    first, second = [(await sink.create(PLACE, part())).receipt for _ in range(2)]
    assert await sink.find(PLACE, part()) == [first, second]
    await sink.remove(PLACE, second, part())
    await sink.remove(PLACE, second, part())
    assert await sink.find(PLACE, part()) == [first]


async def test_a_key_that_somebody_copied_is_not_ours(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, part())
    fake.repositories["acme/store"].deployments[int(made.receipt)]["performed_via_github_app"] = {**APP, "id": 666}
    assert await sink.find(PLACE, part()) == []


async def test_what_the_apps_bot_has_made_is_ours_if_no_app_is_named(sink: GitHub, fake: GitHubFake) -> None:
    fake.names_app = False
    made, said = await sink.create(PLACE, part()), await sink.create(PLACE, comment())
    for _ in range(2):
        assert await sink.find(PLACE, part()) == [made.receipt] and await sink.find(PLACE, comment()) == [said.receipt]
    assert [c[2] for c in fake.calls].count("/app") == 1
    deployment = fake.repositories["acme/store"].deployments[int(made.receipt)]
    for other in ({"login": "dependabot[bot]"}, {"type": "User"}):
        deployment["creator"] = {**BOT, **other}
        assert await sink.find(PLACE, part()) == []
    deployment["creator"] = None
    assert await sink.find(PLACE, part()) == []
    deployment |= {"creator": BOT, "performed_via_github_app": {**APP, "id": 666}}
    assert await sink.find(PLACE, part()) == [], "another App is named"


async def test_a_short_hash_is_resolved_and_a_branch_of_that_name_is_not_taken(sink: GitHub, fake: GitHubFake) -> None:
    await sink.create(PLACE, part(ref=COMMIT[:7]))
    assert [sha for sha, _ in fake.repositories["acme/store"].states()] == [COMMIT]
    fake.fault("status", path="commits/abcdef0", status=200)
    with pytest.raises(Blocked, match="has no commit abcdef0"):
        await sink.create(PLACE, part(ref="abcdef0"))


async def test_a_lost_answer_of_a_creation_is_in_doubt(sink: GitHub, fake: GitHubFake) -> None:
    fake.fault("lose", method="POST", path="deployments$")
    with pytest.raises(Ambiguous):
        await sink.create(PLACE, part())
    assert len(await sink.find(PLACE, part())) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "status", "status": 502}, Ambiguous),
        ({"kind": "hang"}, Ambiguous),
        ({"kind": "status", "status": 404}, Blocked),
        ({"kind": "status", "status": 301}, Blocked),
        ({"kind": "status", "status": 403, "message": "Repository was archived so is read-only."}, Blocked),
        ({"kind": "status", "status": 422, "message": "No ref found"}, Blocked),
        ({"kind": "status", "status": 401, "times": None}, Denied),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "33"}}, Throttled),
        ({"kind": "status", "status": 403, "headers": {"Retry-After": "33"}}, Throttled),
        ({"kind": "status", "status": 403, "message": "You have exceeded a secondary rate limit."}, Throttled),
    ],
)
async def test_what_goes_wrong_is_told_apart(fake: GitHubFake, tmp_path: Path, fault: dict[str, Any], kind: type[Exception]) -> None:
    sink = connected(fake, tmp_path, deadline_s=2 if fault["kind"] == "hang" else 20)
    fake.fault(**fault, method="POST", path="deployments$")
    with pytest.raises(kind) as caught:
        await sink.create(PLACE, part())
    await sink.close()
    assert type(caught.value) is kind
    assert "ghs_" not in str(caught.value)
    if isinstance(caught.value, Throttled):
        assert caught.value.after_s == (33 if "headers" in fault else 60)


@pytest.mark.parametrize(
    ("fault", "after_s"),
    [
        ({"status": 429, "headers": {"Retry-After": "33"}}, 33),
        ({"status": 403, "headers": {"Retry-After": "33"}}, 33),
        ({"status": 403, "message": "API rate limit exceeded"}, 60),
    ],
)
async def test_a_token_that_has_to_wait_is_not_refused(sink: GitHub, fake: GitHubFake, fault: dict[str, Any], after_s: float) -> None:
    fake.fault("status", method="POST", path="access_tokens$", **fault)
    with pytest.raises(Throttled) as caught:
        await sink.create(PLACE, part())
    assert caught.value.after_s == after_s
    await sink.create(PLACE, part())


async def test_the_end_of_a_limit_is_waited_for(sink: GitHub, fake: GitHubFake) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 600)}
    fake.fault("status", status=403, headers=headers, path="deployments$")
    with pytest.raises(Throttled) as caught:
        await sink.create(PLACE, part())
    assert 590 < caught.value.after_s <= 600


def comment(text: str = "**Live** in `prod`", *, number: int = 7, owner: str = "o1", label: str = "", key: str = "pr-key") -> Part:
    content = {"number": number, "owner": owner, "text": text, "label": label}
    return Part(f"pull/{number}", key, content, is_shared=True)


async def test_a_comment_is_edited_and_labelled(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, comment("**On its way** to `prod`"))
    assert made.is_current
    await sink.change(PLACE, made.receipt, comment(label="live: prod"))
    await sink.change(PLACE, made.receipt, comment(label="live: prod"))
    repository = fake.repositories["acme/store"]
    (found,) = repository.comments.values()
    assert found["body"].splitlines() == [
        "<!-- ecs-release comment pr-key -->",
        "<!-- ecs-release section o1 -->",
        "**Live** in `prod`",
        "<!-- ecs-release end -->",
    ]
    assert repository.labels == {7: ["live: prod"]}
    assert [c[1] for c in fake.content_calls()].count("PATCH") == 1, "what stands is not written again"
    assert await sink.find(PLACE, comment()) == [made.receipt]
    assert await sink.find(PLACE, comment(key="another")) == []


async def test_two_objects_share_one_comment(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, comment("first"))
    await sink.change(PLACE, made.receipt, comment("second", owner="o2"))
    await sink.change(PLACE, made.receipt, comment("first again"))
    (found,) = fake.repositories["acme/store"].comments.values()
    assert [line for line in found["body"].splitlines() if not line.startswith("<!--")] == ["first again", "second"]


async def test_a_comment_whose_marker_somebody_has_removed_loses_no_section(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, comment("first"))
    (found,) = fake.repositories["acme/store"].comments.values()
    found["body"] = "\n".join(found["body"].splitlines()[1:])
    await sink.change(PLACE, made.receipt, comment("second", owner="o2"))
    (found,) = fake.repositories["acme/store"].comments.values()
    assert [line for line in found["body"].splitlines() if not line.startswith("<!--")] == ["first", "second"]
    assert await sink.find(PLACE, comment()) == [made.receipt]


async def test_a_comment_of_others_is_left_alone(sink: GitHub, fake: GitHubFake) -> None:
    """Somebody has copied the marker."""
    made = await sink.create(PLACE, comment())
    fake.repositories["acme/store"].comments[int(made.receipt)] |= {"performed_via_github_app": None, "user": None}
    assert await sink.find(PLACE, comment()) == []


async def test_a_comment_that_somebody_has_deleted_is_left_so(sink: GitHub, fake: GitHubFake) -> None:
    made = await sink.create(PLACE, comment())
    fake.repositories["acme/store"].comments.clear()
    await sink.change(PLACE, made.receipt, comment("anew", label="live"))
    assert fake.repositories["acme/store"].comments == {} and fake.repositories["acme/store"].labels == {7: ["live"]}


async def test_where_the_conversation_is_locked_nothing_is_said_and_the_label_is_set(sink: GitHub, fake: GitHubFake) -> None:
    locked = "Unable to create comment because issue is locked."
    fake.fault("status", status=403, message=locked, method="POST", path="comments$", times=None)
    assert await sink.create(PLACE, comment()) == Created(LEFT)
    made = await sink.create(PLACE, comment(label="live"))
    assert made == Created(LEFT, is_current=False)
    await sink.change(PLACE, made.receipt, comment(label="live"))
    assert fake.repositories["acme/store"].comments == {} and fake.repositories["acme/store"].labels == {7: ["live"]}
    fake.faults.clear()
    made = await sink.create(PLACE, comment())
    fake.fault("status", status=403, message=locked.replace("create", "edit"), method="PATCH")
    await sink.change(PLACE, made.receipt, comment("anew"))


async def test_a_comment_of_many_pages_is_found_and_removed(sink: GitHub, fake: GitHubFake) -> None:
    for _ in range(205):
        fake.repositories["acme/store"].comment("x" * 10, 7)
    first, second = [(await sink.create(PLACE, comment())).receipt for _ in range(2)]
    assert await sink.find(PLACE, comment()) == [first, second]
    await sink.remove(PLACE, second, comment())
    await sink.remove(PLACE, second, comment())
    assert await sink.find(PLACE, comment()) == [first]


async def test_pull_requests_of_a_commit_are_asked_for_once(sink: GitHub, fake: GitHubFake) -> None:
    fake.repositories["acme/store"].pulls[COMMIT] = [7, 9]
    assert await sink.pull_requests("acme/store", COMMIT) == (7, 9)
    assert await sink.pull_requests("acme/store", COMMIT) == (7, 9)
    assert len([c for c in fake.calls if c[2].endswith("/pulls")]) == 1


async def test_tokens_are_renewed(sink: GitHub, fake: GitHubFake) -> None:
    await sink.find(PLACE, part())
    await sink.find(PLACE, part())
    assert len(fake.tokens) == 1
    fake.tokens.clear()
    await sink.find(PLACE, part())
    assert len(fake.tokens) == 1
    fake.tokens.clear()
    fake.token_s = 200
    await sink.find(PLACE, part())
    await sink.find(PLACE, part())
    assert len(fake.tokens) == 2, "one that ends soon is not used again"


async def test_an_app_that_is_refused_is_denied(fake: GitHubFake, tmp_path: Path) -> None:
    sink = connected(fake, tmp_path)
    (tmp_path / "main.pem").write_text(GitHubFake().pem())
    with pytest.raises(Denied, match="gives App 4711 no token"):
        await sink.find(PLACE, part())
    (tmp_path / "main.pem").write_text("no key")
    with pytest.raises(Denied, match="no key in PEM"):
        await sink.find(PLACE, part())
    await sink.close()


async def test_nothing_is_changed_by_one_that_does_not_lead(fake: GitHubFake, tmp_path: Path) -> None:
    class Fence:
        def check(self, what: str) -> None:
            raise NotLeading(what)

    sink = connected(fake, tmp_path, Fence())
    with pytest.raises(NotLeading):
        await sink.create(PLACE, part())
    assert fake.content_calls() == []
    await sink.close()


@pytest.mark.parametrize("operators", [1, 3])
def test_the_limits_of_content(operators: int) -> None:
    """Of all operators that have one identity."""
    all_made = list[float]()
    for _ in range(operators):
        limits, now, made = ContentLimits(operators), 0.0, list[float]()
        while now < 7200:
            now += limits.ready_in_s(now)
            limits.note(now)
            made.append(now)
        assert all(b - a >= operators for a, b in pairwise(made))
        assert limits.hourly == 500 // operators
        all_made += made
    all_made.sort()
    assert all(all_made[i + 80] - all_made[i] >= 60 for i in range(len(all_made) - 80))
    assert all(all_made[i + 500] - all_made[i] >= 3600 for i in range(len(all_made) - 500))
    assert 490 < len([m for m in all_made if m < 3600]) <= 500
