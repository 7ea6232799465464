"""What a rollback goes back to: what status and ledger prove, never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.manifests import rollback_target
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
TIME = "2026-05-04T10:00:00Z"


def image(digest: str, release_hash: str = "", container: str = "app") -> dict[str, str]:
    return {"container": container, "digest": digest} | ({"releaseHash": release_hash} if release_hash else {})


def entry(number: int, digest: str, release_hash: str, outcome: str | None = "Succeeded") -> dict[str, Any]:
    changes = [
        {"container": "app", "toDigest": digest, "toHash": release_hash},
        {"container": "log", "toDigest": C, "unlisted": True},
    ]
    return {"attemptID": f"a{number}", "outcome": outcome, "images": changes}


def release(service: str = "web", **status: Any) -> Release:
    spec = {"projectRef": {"name": "shop"}, "service": service, "environmentRef": {"name": "prod"}, "source": {"tag": "latest"}}
    return Release.model_validate(
        {"metadata": {"name": service, "generation": 2}, "spec": spec, "status": {"observedGeneration": 2, **status}}
    )


def release_set(*services: dict[str, Any], generation: int = 2, observed: int = 2) -> ReleaseSet:
    spec = {"projectRef": {"name": "shop"}, "serviceSet": "all", "environmentRef": {"name": "prod"}, "source": {"tag": "latest"}}
    status = {"observedGeneration": observed, "services": list(services)}
    return ReleaseSet.model_validate({"metadata": {"name": "all", "generation": generation}, "spec": spec, "status": status})


def line(name: str, now: str, before: str | None, **more: Any) -> dict[str, Any]:
    return {"name": name, "images": [image(now)], "previous": [image(before, "v1")] if before else None, **more}


def test_a_set_goes_back_to_what_it_replaced() -> None:
    found = rollback_target.previous_of_set(release_set(line("api", A, A), line("web", B, A), line("gone", B, None, state="Left")))
    assert {s: source.digests for s, source in found.items()} == {"api": {"app": A}, "web": {"app": A}}
    assert found["web"].images and found["web"].images[0].release_hash == "v1"


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (release_set(), "not up to date"),
        (release_set(line("web", B, A), observed=1), "not up to date"),
        (release_set(line("api", A, A), line("web", B, None)), "what web ran before"),
        (release_set(line("api", A, A)), "ran the same before"),
    ],
)
def test_a_set_that_does_not_know(subject: ReleaseSet, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        rollback_target.previous_of_set(subject)


@pytest.mark.parametrize(
    ("status", "digest"),
    [
        # It failed: back to what was Ready.
        ({"pin": {"images": [image(B)]}, "lastReady": {"images": [image(A, "v1")]}, "history": [entry(2, B, "v2", "RolledBack")]}, A),
        # It is Ready: back to the success before, past failures and attempts at the same.
        (
            {
                "pin": {"images": [image(B)]},
                "lastReady": {"images": [image(B, "v2")]},
                "history": [entry(4, B, "v2"), entry(3, C, "v3", "RolledBack"), entry(2, B, "v2"), entry(1, A, "v1")],
            },
            A,
        ),
        ({"pin": {"images": [image(B)]}, "history": [entry(2, B, "v2", None), entry(1, A, "v1", "SucceededLate")]}, A),
    ],
    ids=["after a failure", "after a success", "while under way"],
)
def test_a_release_goes_back(status: dict[str, Any], digest: str) -> None:
    assert rollback_target.previous_of_release(release(**status)).digests == {"app": digest}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"pin": {"images": [image(A)]}, "lastReady": {"images": [image(A)]}},
        {"pin": {"images": [image(A)]}, "history": [entry(1, B, "v2", "RolledBack")]},
        # The Project lists other containers by now.
        {"pin": {"images": [image(A), image(A, container="side")]}, "history": [entry(1, B, "v2")]},
    ],
)
def test_a_release_that_ran_nothing_else(status: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="nothing else"):
        rollback_target.previous_of_release(release(**status))


def test_a_hash_may_be_abbreviated_where_it_is_unambiguous() -> None:
    known = {"1a2b3c4d", "1a2bffff", "77777777"}
    assert rollback_target.expand_hash("7777", known) == "77777777" and rollback_target.expand_hash("1a2bffff", known) == "1a2bffff"
    with pytest.raises(CommandError, match="ambiguous: it may be 1a2b3c4d, 1a2bffff"):
        rollback_target.expand_hash("1a2b", known)
    with pytest.raises(NotFound, match="there are: 1a2b3c4d"):
        rollback_target.expand_hash("9999", known)


def test_a_set_goes_back_to_a_hash_whole() -> None:
    web = release("web", pin={"images": [image(B, "v2")]}, history=[entry(2, B, "v2"), entry(1, A, "v1")])
    api = release("api", pin={"images": [image(C, "v1")]})
    assert rollback_target.known_hashes([web, api]) == {"v1", "v2"}
    found = rollback_target.sources_at_hash({"web": web, "api": api}, "v1")
    assert {s: source.digests for s, source in found.items()} == {"web": {"app": A}, "api": {"app": C}}
    with pytest.raises(NotFound, match="api has not run v2"):
        rollback_target.sources_at_hash({"web": web, "api": api}, "v2")


def ledger_entry(service: str, environment: str, digest: str, stage: str = "end", outcome: str | None = "Succeeded") -> LedgerEntry:
    images = [{"container": "app", "toDigest": digest, "toHash": "v1"}, {"container": "log", "toDigest": C, "unlisted": True}]
    names = {"installation": "main", "namespace": "shop", "project": "shop", "service": service, "environment": environment}
    return LedgerEntry.model_validate({**names, "attemptID": "a", "stage": stage, "outcome": outcome, "startTime": TIME, "images": images})


def test_a_release_number_means_what_was_deployed() -> None:
    entries = [
        ledger_entry("web", "staging", B),
        ledger_entry("web", "prod", A),
        ledger_entry("api", "staging", C),
        ledger_entry("x", "prod", A),
    ]
    found = rollback_target.sources_of_number(entries, {"web", "api"}, "prod", 7)
    assert {s: source.digests for s, source in found.items()} == {"api": {"app": C}, "web": {"app": A}}
    with pytest.raises(NotFound, match="no release 7 of other"):
        rollback_target.sources_of_number(entries, {"other"}, "prod", 7)


@pytest.mark.parametrize(("stage", "outcome", "never"), [("end", "Succeeded", False), ("end", "RolledBack", True), ("start", None, True)])
def test_a_release_that_never_went_well(stage: str, outcome: str | None, never: bool) -> None:
    assert rollback_target.never_succeeded([ledger_entry("web", "prod", A, stage, outcome)]) is never


ONE, TWO = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("what", "of", "left"),
    [
        ("nothing is known", release(), None),
        ("what runs", release(running={"hash": TWO}), TWO),
        ("what runs is a digest", release(running={"hash": "5de8fa6cd32c@"}), None),
        ("what runs has no commit's name", release(running={"hash": "v2"}), None),
        ("what is only claimed", release(running={"hash": f"claimed:{TWO}"}), None),
        ("what is under way", release(running={"hash": ONE}, rollout=entry(1, B, TWO, outcome=None)), TWO),
        ("what has ended", release(running={"hash": ONE}, rollout=entry(1, B, TWO, outcome="RolledBack")), ONE),
    ],
)
def test_what_a_rollback_of_a_release_goes_back_from(what: str, of: Release, left: str | None) -> None:
    assert rollback_target.left_commit(of) == left, what


@pytest.mark.parametrize(
    ("outcome", "hashes", "running", "left"),
    [
        ("Succeeded", (TWO, TWO), TWO, TWO),
        ("Succeeded", (TWO, TWO), None, None),
        (None, (TWO, TWO), ONE, TWO),
        (None, (TWO, ONE), ONE, None),
    ],
)
def test_what_a_rollback_of_a_set_goes_back_from(
    outcome: str | None, hashes: tuple[str, str], running: str | None, left: str | None
) -> None:
    services = [{"name": n, "images": [image(A, h)]} for n, h in zip(("api", "web"), hashes, strict=True)]
    body = release_set(*services).to_kubernetes()
    body["status"] |= {"history": [{"id": "a"} | ({"outcome": outcome} if outcome else {})], "summary": {"runningHash": running}}
    assert rollback_target.left_commit(ReleaseSet.model_validate(body)) == left
