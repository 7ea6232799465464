"""The look-up before a set's first wave: when it is due, and what it says (law 10)."""

from __future__ import annotations

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Waiting
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.domain.sets.pins import check_spec, combined_problem, first_wave_is_due, gone_images_problem
from tests.builders.ecs import NEW
from tests.builders.set_facts import set_facts, set_spec


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (set_facts(), True),
        (set_facts(age_s=59), False),
        (set_facts(suspend=True), False),
        (set_facts(outcome="Failed"), False),
        (set_facts(started=True), False),
        (set_facts(other=True), False),
        (set_facts(observed_only=True), False),
    ],
)
def test_when_it_is_due(given: SetFacts, due: bool) -> None:
    assert first_wave_is_due(given, 60) is due


def test_all_that_is_gone_is_named() -> None:
    image = PinnedImage(container="app", repository="r/shop/web", digest=NEW)
    found = gone_images_problem([("web", image), ("api", image)], 3)
    assert found is not None and found.reason == "ArtifactGone"
    assert (
        "2 of 3 services" in found.message and "web: r/shop/web@bbbbbbbbbbbb (container app)" in found.message and "api:" in found.message
    )
    assert gone_images_problem([], 3) is None


def problem(kind: type[Problem], text: str = "x") -> Problem:
    return kind(text) if kind in (Denied, Retryable) else kind(Reason.ARTIFACT_NOT_FOUND, text)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [([], None), ([Blocked], Blocked), ([Blocked, Retryable], Retryable), ([Blocked, Denied], Denied), ([Waiting, Blocked], Blocked)],
)
def test_problems_are_told_together(kinds: list[type[Problem]], expected: type[Problem] | None) -> None:
    resolved = [Resolved("ok"), *(Resolved(f"s{n}", problem=problem(k, f"text {n}")) for n, k in enumerate(kinds))]
    found = combined_problem(resolved)
    assert (type(found) if found else None) is expected


def test_all_that_is_missing_is_listed() -> None:
    found = combined_problem([Resolved(f"s{n}", problem=problem(Blocked, f"no image {n}")) for n in range(3)])
    assert found is not None and all(f"s{n}: no image {n}" in found.message for n in range(3)) and "3 of 3" in found.message


def test_a_wave_may_name_services_that_the_subset_leaves_out() -> None:
    check_spec(set_spec(services=["api"], strategy={"waves": [{"services": ["web"]}]}), ["api", "web"])
