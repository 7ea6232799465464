"""What the store keeps of promotions, who is told of a change, and what an Environment's status says of them."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.engine import Engine
from ecs_release.engine.environments.promotion_summary import PromotionSummary
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.release_counter import ReleaseCounter
from ecs_release.engine.store.store import ReleaseFacts, Store, release_facts
from tests.builders.fake_outside import Nothing
from tests.builders.objects import environment, environment_object, project_object, release_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

IMAGES = [{"container": "app", "digest": "sha256:a"}, {"container": "log", "digest": "sha256:b"}]
RULE = {"from": {"name": "staging"}, "overdueAfterSeconds": 7200}


def proven(images: Any = IMAGES, generation: int = 1, **conditions: str) -> dict[str, Any]:
    given = [{"type": kind, "status": status} for kind, status in ({"Ready": "True", "InSync": "True"} | conditions).items()]
    return {"observedGeneration": generation, "pin": {"images": images}, "conditions": given}


def overdue(since: str, what: str = "v2", state: str = "Overdue") -> dict[str, Any]:
    return {"promotion": {"state": state, "sinceTime": since, "hash": what}}


def facts(name: str, status: dict[str, Any], **more: Any) -> ReleaseFacts:
    return release_facts(release_object(name, status=status, **more))


def test_a_number_stands_for_the_digests_that_are_proven() -> None:
    number = facts("web", proven()).proven
    assert number and number == facts("other", proven(IMAGES[::-1])).proven, "in any order, of any Release"
    assert number != facts("web", proven([IMAGES[0]])).proven
    assert number != facts("web", proven([IMAGES[0], {"container": "log", "digest": "sha256:c"}])).proven


@pytest.mark.parametrize(
    "status", [{}, proven([]), proven(generation=0), proven(Ready="False"), proven(Ready="Unknown"), proven(InSync="Unknown")]
)
def test_what_is_not_proven_has_none(status: dict[str, Any]) -> None:
    assert facts("web", status).proven == 0


def test_what_is_overdue_is_counted_and_the_longest_wait_comes_first() -> None:
    counter = ReleaseCounter()
    for name, since in (("b", "2026-07-02T00:00:00Z"), ("a", "2026-07-01T00:00:00Z"), ("c", "2026-07-03T00:00:00Z")):
        counter.put(facts(name, overdue(since)), Admission.ADMITTED)
    counter.put(facts("d", overdue("2026-07-01T00:00:00Z", state="Waiting")), Admission.ADMITTED)
    counter.put(facts("e", overdue("2026-07-01T00:00:00Z")), Admission.REFUSED)
    count, found = counter.overdue("prod", 2)
    assert (count, [key.name for _, key in found]) == (3, ["a", "b"])
    counter.put(facts("a", {}), Admission.ADMITTED)
    counter.put(facts("b", overdue("2026-07-04T00:00:00Z")), Admission.ADMITTED)
    assert [key.name for _, key in counter.overdue("prod", 9)[1]] == ["c", "b"]
    for name in "bc":
        counter.remove(ObjectKey(RELEASE, "shop", name))
    assert counter.overdue("prod", 9) == (0, [])
    assert counter._overdue == {}


def summary(rule: dict[str, Any] | None, *others: str, waits: int = 0) -> Any:
    store, counter = Store(), ReleaseCounter()
    for name in others:
        store.changed(ENVIRONMENT, environment_object(name))
    for n in range(waits):
        counter.put(facts(f"r{n:02}", overdue(f"2026-07-01T00:{n:02}:00Z")), Admission.ADMITTED)
    found = PromotionSummary(store, counter).of(environment("prod", **({"promotion": rule} if rule else {})))
    return found.to_kubernetes() if found is not None else None


def test_an_environment_lists_some_and_counts_all() -> None:
    found = summary(RULE, "staging", waits=30)
    assert found["overdue"] == 30 and [r["name"] for r in found["releases"]] == [f"r{n:02}" for n in range(20)]
    assert found["releases"][0] == {"namespace": "shop", "name": "r00", "hash": "v2", "sinceTime": "2026-07-01T00:00:00Z"}
    assert "message" not in found


@pytest.mark.parametrize(
    ("rule", "others", "message"),
    [
        (RULE, [], "there is no Environment 'staging'"),
        (RULE | {"from": {"name": "prod"}}, ["prod"], "names this Environment itself"),
        (RULE | {"workingHours": {"from": "09:00", "to": "17:00", "timeZone": "Nowhere"}}, ["staging"], "'Nowhere' is not known"),
    ],
)
def test_an_environment_says_what_is_wrong_with_its_rule(rule: dict[str, Any], others: list[str], message: str) -> None:
    found = summary(rule, *others)
    assert message in found["message"] and found["overdue"] == 0


def test_an_environment_says_nothing_if_there_is_nothing_to_say() -> None:
    assert summary(None, "staging", waits=3) is None
    assert summary(RULE, "staging") is None


def test_a_change_concerns_those_that_are_promoted_from_it() -> None:
    async def main() -> None:
        engine = Engine(Nothing(), Nothing(), SimulatedClock(), EngineSettings())  # type: ignore[arg-type]
        added: list[str] = []
        engine._add = lambda key, _after_s=0.0: added.append(str(key))  # type: ignore[method-assign]
        for body in (environment_object("staging"), environment_object("prod", promotion=RULE), environment_object("other")):
            engine.store.changed(ENVIRONMENT, body)
        engine.store.changed(PROJECT, project_object())

        def changed(name: str, place: str, status: dict[str, Any], **spec: Any) -> list[str]:
            added.clear()
            engine.store.changed(RELEASE, release_object(name, environmentRef={"name": place}, status=status, **spec))
            return [key for key in added if key.startswith("shop/")]

        for name, place in (("here", "prod"), ("there", "staging"), ("elsewhere", "other")):
            changed(name, place, {}, service="web")
        changed("mail", "prod", {}, service="mail")
        assert changed("there", "staging", proven(), service="web") == ["shop/here"]
        assert changed("there", "staging", proven(), service="web") == [], "nothing new"
        assert changed("elsewhere", "other", proven(), service="web") == []
        assert changed("here", "prod", proven([IMAGES[0]]), service="web") == ["shop/here"], "what runs here is compared anew"
        assert changed("here", "prod", proven([IMAGES[0]]) | overdue("2026-07-01T00:00:00Z"), service="web") == ["shop/here"]
        assert "prod" in added

    run_simulated(main())
