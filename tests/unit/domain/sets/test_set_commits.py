"""Which commits a deployment set brings: what the attempts of its services say, if they agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import HistoryEntry
from ecs_release.api.releaseset_status import SetHistoryEntry
from ecs_release.domain.model.conditions import progressing
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.facts import SetFacts
from tests.builders.ecs import NOW, OLD
from tests.builders.set_facts import set_of_two

RANGE = AttemptCommits(before="a" * 40, after="b" * 40, added=2, last="b" * 40)
OTHER = AttemptCommits(before="c" * 40, after="b" * 40, added=5, last="b" * 40)
BEGUN = NOW - timedelta(seconds=60.5)
UNDER_WAY = {"situation": progressing(Reason.ROLLING_OUT, "1 of 2 tasks")}
READY: dict[str, object] = {}
NOT_TOLD = {"digest": OLD, "pinned": OLD}


def attempt(commits: AttemptCommits | None, *, begun_s: float = 0) -> HistoryEntry:
    return HistoryEntry(attempt_id="x", start_time=BEGUN + timedelta(seconds=begun_s), commit_range=commits)


def given(web: HistoryEntry | None, api: HistoryEntry | None, *, api_is: dict[str, object] | None = None, **entry: object) -> SetFacts:
    """A set that began a minute ago, and whose services have these latest attempts."""
    facts = set_of_two(UNDER_WAY, UNDER_WAY if api_is is None else api_is, states=("Open", "Open"))
    current = SetHistoryEntry.model_validate({"id": "a", "startTime": BEGUN, "cause": "Requested", **entry})
    release_set = facts.release_set.model_copy(update={"status": facts.status.model_copy(update={"history": [current]})})
    children = dict(facts.children)
    for service, its in (("web", web), ("api", api)):
        child = children[child_name("all", service)]
        status = child.release.status.model_copy(update={"history": [its] if its else None}) if child.release.status else None
        children[child.name] = replace(child, release=child.release.model_copy(update={"status": status}))
    return replace(facts, release_set=release_set, children=children)


def told(facts: SetFacts) -> AttemptCommits | None:
    return (decide_set(facts).status.history or [])[0].commit_range


@pytest.mark.parametrize(
    ("what", "facts", "expected"),
    [
        ("both bring the same", given(attempt(RANGE), attempt(RANGE)), RANGE),
        ("one is not known yet, or changes no commit", given(attempt(RANGE), attempt(None)), RANGE),
        ("one has no attempt yet", given(attempt(RANGE), None), RANGE),
        ("they come from different commits", given(attempt(RANGE), attempt(OTHER)), None),
        ("nothing is known", given(attempt(None), attempt(None)), None),
        ("an attempt that began before the set did", given(attempt(RANGE, begun_s=-2), attempt(None)), None),
        ("a time in whole seconds", given(HistoryEntry(attempt_id="x", start_time=BEGUN.replace(microsecond=0), commit_range=RANGE), None), RANGE),
        ("a service that was not told of the source", given(attempt(RANGE), attempt(OTHER), api_is=NOT_TOLD), RANGE),
    ],
)  # fmt: skip
def test_the_set_says_what_its_services_agree_on(what: str, facts: SetFacts, expected: AttemptCommits | None) -> None:
    assert told(facts) == expected, what


def test_what_one_service_said_is_taken_back_if_another_differs() -> None:
    assert told(given(attempt(RANGE), attempt(OTHER), commitRange=RANGE.to_kubernetes())) is None


def test_what_is_known_at_the_end_stays() -> None:
    """Later attempts of the services, a correction of drift say, are no part of it."""
    entry = {"outcome": "Succeeded", "commitRange": RANGE.to_kubernetes()}
    assert told(given(attempt(OTHER), attempt(OTHER), **entry)) == RANGE


def test_the_pass_that_ends_it_has_the_last_word() -> None:
    facts = given(attempt(RANGE), attempt(RANGE), api_is=READY)
    ready = set_of_two({}, {}).children
    children = {}
    for name, child in facts.children.items():
        assert child.release.status is not None and ready[name].release.status is not None
        status = ready[name].release.status.model_copy(update={"history": child.release.status.history})
        children[name] = replace(child, release=child.release.model_copy(update={"status": status}))
    done = [w.model_copy(update={"state": "Finished"}) for w in facts.status.waves or ()]
    release_set = facts.release_set.model_copy(update={"status": facts.status.model_copy(update={"waves": done})})
    entry = (decide_set(replace(facts, children=children, release_set=release_set)).status.history or [])[0]
    assert (entry.outcome, entry.commit_range) == ("Succeeded", RANGE)
