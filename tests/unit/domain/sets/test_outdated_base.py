"""A newer base revision appears while a set goes on: its waves end on the proof of its images, and a retry takes the base in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Replace
from ecs_release.domain.sets.facts import SetFacts
from tests.builders.ecs import OLD
from tests.builders.set_facts import set_of_two

OUTDATED = {"situation": conditions.unready(Reason.BASE_REVISION_OUTDATED, "web:3 is newer")}
READY: dict[str, Any] = {}
WAITS = {"digest": OLD, "pinned": OLD}


def after(given: SetFacts) -> SetFacts:
    """The same once the status is written."""
    return replace(given, release_set=given.release_set.model_copy(update={"status": decide_set(given).status}))


def test_the_wave_ends() -> None:
    decision = decide_set(set_of_two(OUTDATED, WAITS))

    assert [w.state for w in decision.status.waves or ()] == ["Finished", "Open"]


def test_the_set_ends_well_and_is_not_ready() -> None:
    status = decide_set(set_of_two(OUTDATED, READY, states=("Finished", "Open"))).status
    ready = conditions.find(status.conditions, "Ready")

    assert [h.outcome for h in status.history or ()] == ["Succeeded"]
    assert ready is not None and (ready.status, ready.reason) == ("False", "BaseRevisionOutdated")
    assert (conditions.find(status.conditions, "Reconciling") or ready).status == "False"


def test_a_retry_of_the_set_takes_the_newer_base_in() -> None:
    given = after(set_of_two(OUTDATED, READY, states=("Finished", "Open")))
    meta = given.release_set.metadata.model_copy(update={"annotations": {"ecs-release.dev/retry": "1"}})
    decision = decide_set(replace(given, release_set=given.release_set.model_copy(update={"metadata": meta})))

    assert [r.service for r in decision.requests if isinstance(r, Replace)] == ["web"]
    assert next(h.cause for h in decision.status.history or ()) == "Retry"
