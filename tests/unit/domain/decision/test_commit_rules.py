"""What the commit graph lets begin: a table of what is asked, what is answered, and what follows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.domain.decision.commit_rules import (
    DEPLOYED,
    RUNS,
    UNDER_WAY,
    Answer,
    Answers,
    Question,
    Refusal,
    Standing,
    Step,
    questions,
    refusal,
    without_meant,
)
from ecs_release.domain.ports.commits import Membership, Relation, Repository, Unknown, UnknownReason
from tests.builders.ecs import NOW

ONE, TWO, THREE = ("1" * 40, "2" * 40, "3" * 40)
REPOSITORY = Repository("shop", "https://git.example.com/shop/web", "main")
MERGED, UNMERGED = Membership(True, THREE, NOW), Membership(False, THREE, NOW)
AHEAD, BEHIND, DIVERGED, SAME = Relation(2, 0), Relation(0, 3), Relation(1, 2), Relation(0, 0)
PENDING, UNREADABLE = Unknown(UnknownReason.PENDING, "being fetched"), Unknown(UnknownReason.UNREADABLE, "the host does not answer")
MISSING, LOST = Unknown(UnknownReason.NOT_ALLOWED, "no binding"), Unknown(UnknownReason.COMMIT_NOT_FOUND, "no such commit")


def rules(text: str) -> EnvironmentCommits:
    """`RHU`: Refuse what is not merged, Hold what goes backwards, hold what is Unknown."""
    return EnvironmentCommits(
        not_merged="Refuse" if "R" in text else "Allow",
        backwards="Hold" if "H" in text else "Allow",
        unknown="Hold" if "U" in text else "Allow",
    )


def over(*hashes: str, how: str = RUNS) -> tuple[Standing, ...]:
    return tuple(Standing(h, how, NOW - timedelta(hours=1)) for h in hashes)


def said(to: str, standing: tuple[Standing, ...], membership: Answer | None = None, *relations: Answer | None) -> Answers:
    known = {Question(to): membership} | {Question(to, s.hash): r for s, r in zip(standing, relations, strict=False)}
    return Answers(REPOSITORY, {q: a for q, a in known.items() if a is not None})


def of(text: str, to: str, standing: tuple[Standing, ...], membership: Answer | None = None, *relations: Answer | None) -> Refusal | None:
    return refusal(rules(text), [Step("app", to, standing)], said(to, standing, membership, *relations))


@pytest.mark.parametrize(
    ("what", "found", "reason", "words", "passes"),
    [
        ("nothing is asked for", of("U", "", over("")), None, "", False),
        ("ahead of what runs", of("RHU", TWO, over(ONE), MERGED, AHEAD), None, "", False),
        ("the same as what runs", of("RHU", TWO, over(TWO), MERGED), None, "", False),
        ("the same by its whole hash", of("RHU", TWO, over(TWO[:12]), MERGED, SAME), None, "", False),
        ("behind", of("H", ONE, over(TWO), None, BEHIND), "GoesBackwards", "is 3 commits behind 222222222222, which runs since", False),
        ("by one", of("H", ONE, over(TWO), None, Relation(0, 1)), "GoesBackwards", "is 1 commit behind", False),
        ("diverged", of("H", ONE, over(TWO), None, DIVERGED), "GoesBackwards", "has diverged from 222222222222", False),
        ("diverged counts", of("H", ONE, over(TWO), None, DIVERGED), "GoesBackwards", "lacks 2 commits of it, and has 1 of its own", False),
        ("allowed", of("RU", ONE, over(TWO), MERGED, BEHIND), None, "", False),
        (
            "behind what is under way, ahead of what runs",
            of("HU", ONE, over(THREE) + over(TWO, how=UNDER_WAY), None, AHEAD, BEHIND),
            "GoesBackwards",
            "is under way",
            True,
        ),
        (
            "behind what was deployed last, ahead of what somebody else has put there",
            of("HU", ONE, over(THREE) + over(TWO, how=DEPLOYED), None, AHEAD, BEHIND),
            "GoesBackwards",
            "was deployed last since",
            False,
        ),
        (
            "what stays is said before what may pass",
            of("HU", ONE, over(THREE, how=UNDER_WAY) + over(TWO), None, BEHIND, BEHIND),
            "GoesBackwards",
            "which runs",
            False,
        ),
        ("not merged", of("RH", ONE, over(TWO), UNMERGED, AHEAD), "NotMerged", "is not on branch main of https://git.example.com", False),
        ("not merged, and backwards", of("RH", ONE, over(TWO), UNMERGED, BEHIND), "NotMerged", "merge it", False),
        ("an abbreviated one that no commit begins with", of("R", ONE[:12], (), LOST), "NotMerged", "is not on branch main", False),
        ("nothing runs", of("RHU", ONE, (), MERGED), None, "", False),
        ("nothing runs, and only that counts", of("HU", "", ()), None, "", False),
        # Not known.
        ("no tag", of("HU", "", over(TWO)), "CommitUnknown", "no tag with a release hash", False),
        ("no tag, allowed", of("RH", "", over(TWO)), None, "", False),
        ("claimed", of("RU", f"claimed:{ONE}", ()), "CommitUnknown", "no tag in ECR confirms it", False),
        ("claimed, allowed", of("R", f"claimed:{ONE}", ()), None, "", False),
        ("no hash of a commit", of("RU", "v2", ()), "CommitUnknown", "v2 is not the hash of a commit", False),
        ("short, with Refuse", of("RU", ONE[:11], (), MERGED), "CommitUnknown", "can be forged", False),
        ("short, without", of("HU", ONE[:7], over(TWO), None, AHEAD), None, "", False),
        ("what runs has no tag", of("HU", ONE, over("")), "CommitUnknown", "stands to the one, which runs", False),
        ("what runs is claimed", of("HU", ONE, over(f"claimed:{TWO}")), "CommitUnknown", "no tag in ECR confirms it", False),
        ("refused by the service", of("HU", ONE, over(TWO), None, MISSING), "CommitUnknown", "no binding", False),
        ("a commit that is not there", of("HU", ONE, over(TWO), None, LOST), "CommitUnknown", "no such commit", False),
        ("the host does not answer", of("HU", ONE, over(TWO), None, UNREADABLE), "CommitUnknown", "the host does not answer", True),
        ("the host does not answer, allowed", of("H", ONE, over(TWO), None, UNREADABLE), None, "", False),
        ("given up", of("RU", ONE, (), PENDING), "CommitUnknown", "being fetched", True),
        ("given up, allowed", of("R", ONE, (), PENDING), None, "", False),
        ("not asked yet", of("RU", ONE, ()), "CommitUnknown", "asking the commits service", True),
        ("not asked yet, allowed", of("R", ONE, ()), "CommitUnknown", "asking the commits service", True),
        ("what is wrong comes before what is not known", of("RHU", ONE, over(TWO), None, BEHIND), "GoesBackwards", "", False),
    ],
)
def test_decision(what: str, found: Refusal | None, reason: str | None, words: str, passes: bool) -> None:
    assert (found.reason if found else None) == reason, what
    if found is not None:
        assert words in found.message and found.passes is passes, (what, found)
        assert (found.situation.stalled, found.situation.ready) == (not passes, "False"), what


def test_one_container_refuses_the_others() -> None:
    steps = [Step("app", TWO, over(ONE)), Step("proxy", ONE, over(TWO))]
    answers = Answers(REPOSITORY, {Question(TWO, ONE): AHEAD, Question(ONE, TWO): BEHIND})
    assert (refusal(rules("H"), steps, answers) or pytest.fail("nothing is said")).reason == "GoesBackwards"


def test_an_answer_that_is_awaited_is_waited_for() -> None:
    answers = Answers(REPOSITORY, {}, frozenset({Question(ONE)}))
    found = refusal(rules("R"), [Step("app", ONE)], answers)
    assert found is not None and found.is_asking


@pytest.mark.parametrize(
    ("text", "to", "standing", "asked"),
    [
        ("U", ONE, over(TWO), []),
        ("R", ONE, over(TWO), [Question(ONE)]),
        ("H", ONE, over(TWO, THREE), [Question(ONE, TWO), Question(ONE, THREE)]),
        ("RH", ONE, over(ONE, ""), [Question(ONE)]),
        ("RH", "", over(TWO), []),
        ("RH", ONE[:11], over(TWO), []),
        ("H", ONE[:11], over(TWO), [Question(ONE[:11], TWO)]),
        ("H", f"claimed:{ONE}", over(TWO), []),
        ("H", ONE, over(f"claimed:{TWO}", "v2"), []),
        ("H", "--upload-pack=x", over(TWO), []),
    ],
)
def test_only_hashes_of_commits_are_asked_about(text: str, to: str, standing: tuple[Standing, ...], asked: list[Question]) -> None:
    assert list(questions(rules(text), [Step("app", to, standing), Step("proxy", to, standing)])) == asked


@pytest.mark.parametrize(
    ("given", "left"),
    [(None, [TWO, THREE]), (TWO, [THREE]), (TWO[:7], [THREE]), (ONE, [TWO, THREE]), (THREE[:12], [TWO])],
)
def test_what_is_gone_back_from_on_purpose_does_not_count(given: str | None, left: list[str]) -> None:
    steps, is_meant = without_meant([Step("app", ONE, over(TWO, THREE))], given)
    assert [s.hash for s in steps[0].over] == left and is_meant is (len(left) < 2)


@pytest.mark.parametrize(
    ("standing", "given", "is_meant"), [(TWO[:8], TWO, True), (f"claimed:{TWO}", TWO, True), ("", TWO, False), ("v2", TWO, False)]
)
def test_what_names_what_runs(standing: str, given: Any, is_meant: bool) -> None:
    assert without_meant([Step("app", ONE, over(standing))], given)[1] is is_meant
