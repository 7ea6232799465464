"""The look-up before a set's first wave: when it is due, and what it says (law 10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import PinnedImage
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.sets.facts import SetFacts, set_hash
from ecs_release.domain.sets.pins import first_wave_is_due, lost
from tests.builders.ecs import NEW, NOW


def facts(
    *, suspend: bool = False, outcome: str | None = None, started: bool = False, age_s: float = 100, other: bool = False, **more: Any
) -> SetFacts:
    body: dict[str, Any] = {
        "metadata": {"name": "all", "namespace": "shop", "uid": "1", "generation": 1},
        "spec": {
            "projectRef": {"name": "store"}, "serviceSet": "all", "environmentRef": {"name": "prod"}, "source": {"releaseHash": "bbbbbbb"},
            "suspend": suspend,
        },
    }  # fmt: skip
    wanted = set_hash(ReleaseSet.model_validate(body).spec)
    begun = {"startTime": NOW.isoformat()} if started else {}
    body["status"] = {
        "sourceHash": "other" if other else wanted,
        "resolvedTime": (NOW - timedelta(seconds=age_s)).isoformat(),
        "history": [{"id": "a"} | ({"outcome": outcome} if outcome else {})],
        "services": [{"name": "web"} | begun, {"name": "api"}],
    }
    return SetFacts(release_set=ReleaseSet.model_validate(body), now=NOW, new_id="b", **more)


@pytest.mark.parametrize(
    ("given", "due"),
    [
        (facts(), True),
        (facts(age_s=59), False),
        (facts(suspend=True), False),
        (facts(outcome="Failed"), False),
        (facts(started=True), False),
        (facts(other=True), False),
        (facts(observed_only=True), False),
    ],
)
def test_when_it_is_due(given: SetFacts, due: bool) -> None:
    assert first_wave_is_due(given, 60) is due


def test_all_that_is_gone_is_named() -> None:
    image = PinnedImage(container="app", repository="r/shop/web", digest=NEW)
    found = lost([("web", image), ("api", image)], 3)
    assert found is not None and found.reason == "ArtifactGone"
    assert (
        "2 of 3 services" in found.message and "web: r/shop/web@bbbbbbbbbbbb (container app)" in found.message and "api:" in found.message
    )
    assert lost([], 3) is None
