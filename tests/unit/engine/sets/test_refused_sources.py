"""A source that the commit graph refuses is not resolved anew at each event of the set's children."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.names import REFRESH_ANNOTATION
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.sets.facts import Resolved, SetFacts
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.sets.gatherer import RefusedSources, SetGatherer
from tests.builders.set_facts import set_facts

RULES = EnvironmentCommits(backwards="Hold")


@dataclass
class Resolving:
    """Resolves, and counts how often."""

    problem: Retryable | None = None
    times: int = 0
    now: float = 0.0

    async def pin(self, *_: Any) -> tuple[Resolved, ...]:
        self.times += 1
        return (Resolved("web", problem=self.problem),)

    def monotonic(self) -> float:
        return self.now

    async def resolve(self, *several: SetFacts) -> int:
        gatherer = SetGatherer(None, None, self, EngineSettings(), self, None)  # type: ignore[arg-type]
        for facts in several:
            self.now += 10
            await gatherer._pinned(facts, None, None)  # type: ignore[arg-type]
        return self.times


def edited(facts: SetFacts, **meta: Any) -> SetFacts:
    metadata = facts.release_set.metadata.model_copy(update=meta)
    return replace(facts, release_set=facts.release_set.model_copy(update={"metadata": metadata}))


ASKED = set_facts(other=True, commit_rules=RULES, interval_s=60.0)


@pytest.mark.parametrize(
    ("what", "passes", "times"),
    [
        ("events of the children", [ASKED] * 5, 1),
        ("an interval", [ASKED] * 8, 2),
        ("another spec", [ASKED, edited(ASKED, generation=7)], 2),
        ("a refresh", [ASKED, edited(ASKED, annotations={REFRESH_ANNOTATION: "1"})], 2),
        ("another set", [ASKED, edited(ASKED, uid="another")], 2),
        ("other services", [ASKED, replace(ASKED, members=("web",))], 2),
        ("it waits for what is under way", [set_facts(other=True, suspend=True)] * 5, 1),
        ("nothing is under way", [set_facts(other=True, suspend=True, outcome="Failed")] * 5, 5),
        ("nobody asks the graph", [replace(ASKED, commit_rules=None)] * 3, 3),
    ],
)
async def test_when_a_set_is_resolved_again(what: str, passes: list[SetFacts], times: int) -> None:
    assert await Resolving().resolve(*passes) == times, what


async def test_what_could_not_be_resolved_is_tried_again() -> None:
    assert await Resolving(Retryable("ECR does not answer")).resolve(ASKED, ASKED) == 2


def test_few_are_kept() -> None:
    kept = RefusedSources()
    for number in range(1500):
        kept.keep(str(number), "asked", (), until=100.0)
    assert [kept.of(uid, "asked", 0.0) for uid in ("0", "1499")] == [None, ()] and kept.of("1499", "asked", 100.0) is None
