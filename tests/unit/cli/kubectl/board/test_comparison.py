"""Differences between two environments, and between what a Release wants and runs."""

from __future__ import annotations

from ecs_release.cli.kubectl.board import comparison
from tests.unit.cli.kubectl.objects import conditions, digest, release

REPOSITORY = {("shop", "shop"): "https://github.com/example/shop.git"}


def test_environments_are_compared_by_digest() -> None:
    staging = [release("web"), release("search"), release("only")]
    production = [release("web", runs={"a": 2}, environment="production"), release("search", environment="production")]
    found = comparison.environments(staging, production, REPOSITORY)

    assert [(d.service, d.differs) for d in found] == [("only", True), ("search", False), ("web", True)]
    assert found[2].link == "https://github.com/example/shop/compare/bbbbbbb...aaaaaaa"
    assert found[0].after.is_empty
    assert [str(c) for c in comparison.rows(found)[2][2:3]] == ["bbbbbbb app@bbbbbbbbbbbb"]
    assert comparison.data(found)[0]["after"] is None


def test_the_same_name_with_another_digest_differs_and_another_name_of_the_same_does_not() -> None:
    """By digest, never by what somebody called it."""
    one, other = release("web"), release("web", environment="production", wanted="b")
    other["status"]["running"]["hash"] = "another-name"
    assert comparison.environments([one], [other], {})[0].differs is False
    other["status"]["running"]["hash"] = "bbbbbbb"
    other["status"]["running"]["containers"][0]["digests"][0]["digest"] = digest("c")
    assert comparison.environments([one], [other], {})[0].differs is True


def test_a_platforms_digest_is_not_another() -> None:
    one, other = release("web"), release("web", environment="production", runs={"c": 2})
    other["status"]["pin"]["images"][0]["platformDigests"] = [digest("c")]
    assert comparison.environments([one], [other], {})[0].differs is False


def test_only_what_is_proven_is_the_same() -> None:
    staging = [release("web", runs={"b": 1, "a": 1}), release("search"), release("mail", running=None), release("jobs", runs={"b": 0})]
    production = [release(s, environment="production") for s in ("web", "search", "mail", "jobs")]
    found = comparison.environments(staging, production, {})
    assert {d.service: (str(d.verdict), d.is_same) for d in found} == {
        "web": ("Differs", False),
        "search": ("Same", True),
        "mail": ("Unknown", False),
        "jobs": ("NothingRuns", False),
    }
    assert comparison.summary(found) == "1 of 4 services differ; of 1 it is not known; of 1 nothing runs."
    assert comparison.summary(found[2:3]) == "0 of 1 services differ."
    lines = {row[1]: [getattr(cell, "text", cell) for cell in row[2:5]] for row in comparison.rows(found)}
    assert lines["web"] == ["bbbbbbb app@bbbbbbbbbbbb app@aaaaaaaaaaaa", "≠", "bbbbbbb app@bbbbbbbbbbbb"]
    assert (lines["mail"][:2], lines["jobs"][:2], lines["search"][1]) == (["-", "?"], ["nothing runs", "○"], "=")
    assert [d["differs"] for d in comparison.data(found)] == [None, None, False, True]


def test_what_nobody_observes_is_not_the_same() -> None:
    staging, production = [release("web"), release("mail")], [release("web", environment="production"), release("mail", runs={"a": 2})]
    found = comparison.environments(staging, production, {}, {"production"})
    assert {d.service: str(d.verdict) for d in found} == {"web": "Unknown", "mail": "Differs"}
    assert [str(d.verdict) for d in comparison.wanted(production[:1], {}, {"production"})] == ["Unknown"]


def test_of_two_releases_of_one_service_the_holder_is_compared() -> None:
    refused = {"phase": "Failed", "conditions": conditions("TargetConflict", "held", stalled="True")}
    both = [release("web"), release("web", name="z-web", wanted="c", readiness=refused)]
    for staging in (both, both[::-1]):
        (one,) = comparison.environments(staging, [release("web", environment="production")], {})
        assert one.is_same


def test_wanted_against_running() -> None:
    found = comparison.wanted([release("web", runs={"a": 2}), release("search")], REPOSITORY)
    assert [(d.service, d.differs, d.before.hash, d.after.hash) for d in found] == [
        ("search", False, "bbbbbbb", "bbbbbbb"),
        ("web", True, "aaaaaaa", "bbbbbbb"),
    ]


def test_task_definitions_are_compared_by_name_and_secrets_are_not_shown() -> None:
    before = {
        "family": "web", "cpu": "256", "revision": 3,
        "containerDefinitions": [
            {"name": "log", "image": "log:1"},
            {"name": "app", "image": f"r/web@{digest('a')}", "environment": [{"name": "KEY", "value": "one"}], "command": ["a", "b"]},
        ],
    }  # fmt: skip
    after = {
        "family": "web", "cpu": "512", "revision": 9,
        "containerDefinitions": [
            {"name": "app", "image": f"r/web@{digest('b')}", "environment": [{"name": "KEY", "value": "two"}, {"name": "NEW", "value": "x"}],
             "command": ["a", "c"]},
            {"name": "log", "image": "log:1", "cpu": 0},
        ],
    }  # fmt: skip
    assert comparison.fields(before, after) == [
        ("containerDefinitions.[app].command.[1]", "b", "c"),
        ("containerDefinitions.[app].environment.[KEY].value", "(set)", "(set)"),
        ("containerDefinitions.[app].environment.[NEW].value", "-", "(set)"),
        ("containerDefinitions.[app].image", "r/web@aaaaaaaaaaaa", "r/web@bbbbbbbbbbbb"),
        ("containerDefinitions.[log].cpu", "-", "0"),
        ("cpu", "256", "512"),
    ]
    assert comparison.fields(before, before) == []
    alone = comparison.fields({}, after)
    assert ("containerDefinitions.[app].environment.[NEW].value", "-", "(set)") in alone
    assert "two" not in str(alone)
