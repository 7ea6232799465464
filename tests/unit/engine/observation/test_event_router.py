"""Where an event makes somebody look: at what is an Environment's that names the queue, and at nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.domain.ecs.events import Author, AwsEvent, Instruction
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.engine.observation.event_router import EventRouter
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.namespace_labels import NamespaceLabels
from ecs_release.engine.store.store import Store
from tests.builders.fake_outside import Nothing
from tests.builders.objects import environment_object, project_object, release_object
from tests.builders.simulated_time import SimulatedClock

PROD, STAGE, REGION = "111122223333", "444455556666", "eu-west-1"
SHARED, DEV = "https://sqs.eu-west-1.amazonaws.com/111122223333/events", "https://sqs.eu-west-1.amazonaws.com/444455556666/dev"
REGISTRY = "777788889999"
AUTHOR = Author("arn:ada", "cli", datetime(2026, 5, 4, tzinfo=UTC))


@dataclass
class FakeObserver:
    """Observes some services that run a family of their own name, and remembers what it received."""

    services: list[ServiceKey]
    received: list[tuple[str, bool, Author | None]] = field(default_factory=list)
    instructions: list[Instruction | None] = field(default_factory=list)

    def event_received(self, key: ServiceKey, *, tasks: bool, author: Author | None, instruction: Instruction | None = None) -> None:
        if key in self.services:
            self.received.append((key.service, tasks, author))
            self.instructions.append(instruction)

    def services_running(self, family: str) -> list[ServiceKey]:
        return [key for key in self.services if key.service == family]


class Bed:
    """Environments blue and green of one account and one queue, stage of another account and the same queue, and dev of a queue of its own.

    dev's account is that of blue and green. Each has one Release, of service `web`.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.claims = ClaimIndex(self.store, NamespaceLabels(Nothing(), SimulatedClock(), lambda _: None))
        self.reread: list[str] = []
        self.pushed: list[tuple[str, str, str]] = []
        self.observers: dict[str, FakeObserver] = {}
        self.store.changed(PROJECT, project_object())
        for name, account, url in (("blue", PROD, SHARED), ("green", PROD, SHARED), ("stage", STAGE, SHARED), ("dev", PROD, DEV)):
            self.store.changed(ENVIRONMENT, environment_object(
                name, aws={"accountID": account, "region": REGION}, artifacts={"registryID": REGISTRY},
                target={"cluster": "main", "serviceName": "{service}"}, observation={"eventQueueURL": url},
            ))  # fmt: skip
            self.store.changed(RELEASE, release_object(f"web-{name}", service="web", environmentRef={"name": name}))
            self.observers[name] = FakeObserver([ServiceKey(account, REGION, "main", "web")])
        self.router = EventRouter(
            self.store,
            self.claims,
            lambda name: cast("Observer | None", self.observers.get(name)),
            lambda key: self.reread.append(key.name),
            lambda *told: self.pushed.append(told),
        )

    def route(self, event: AwsEvent, url: str = SHARED) -> dict[str, list[tuple[str, bool, Author | None]]]:
        """Route an event. Returns what the observers received then."""
        self.router.route(event, url)
        return {name: o.received for name, o in self.observers.items() if o.received}


def event(account: str = PROD, region: str = REGION, **what: Any) -> AwsEvent:
    return AwsEvent("x", account, region, **what)


def test_all_environments_of_one_queue_hear_what_happens_in_their_account() -> None:
    told = [("web", True, AUTHOR)]
    assert Bed().route(event(cluster="main", service="web", tasks=True, author=AUTHOR)) == {"blue": told, "green": told}
    assert Bed().route(event(STAGE, cluster="main", service="web", tasks=True, author=AUTHOR)) == {"stage": told}


def test_who_had_ecs_go_on_is_told_to_those_who_observe_the_service() -> None:
    bed, said = Bed(), Instruction("arn:sd", "CONTINUE", "ABC", "arn:ada", "cli", datetime(2026, 5, 4, tzinfo=UTC))
    bed.route(event(cluster="main", service="web", instruction=said))
    assert {name: o.instructions for name, o in bed.observers.items() if o.instructions} == {"blue": [said], "green": [said]}


def test_a_service_without_its_cluster_is_looked_for_in_all() -> None:
    assert set(Bed().route(event(service="web"))) == {"blue", "green"}


@pytest.mark.parametrize(
    "foreign",
    [
        event("999900001111", cluster="main", service="web"),
        event(region="us-east-1", cluster="main", service="web"),
        event(cluster="other", service="web"),
        event("999900001111", family="web"),
        event("999900001111", repository="shop/web"),
        event(REGISTRY, "us-east-1", repository="shop/web"),
    ],
    ids=["account", "region", "cluster", "family", "registry", "registry-region"],
)
def test_what_is_nobody_s_moves_nobody(foreign: AwsEvent) -> None:
    bed = Bed()
    assert bed.route(foreign) == {}
    assert (bed.reread, bed.pushed) == ([], [])


@pytest.mark.parametrize(
    "forged",
    [
        event(cluster="main", service="web", author=AUTHOR),
        event(service="web"),
        event(family="web"),
        event(REGISTRY, repository="shop/web"),
    ],
    ids=["service", "no-cluster", "family", "repository"],
)
def test_nobody_believes_a_queue_that_it_does_not_name(forged: AwsEvent) -> None:
    """Whoever may send to the queue of development must not be able to speak of production."""
    bed = Bed()
    assert set(bed.route(forged, DEV)) <= {"dev"}
    assert bed.route(forged, "https://sqs.eu-west-1.amazonaws.com/1/unnamed").keys() <= {"dev"}
    assert set(bed.reread) <= {"web-dev"}


def test_a_new_revision_wakes_who_runs_the_family() -> None:
    bed = Bed()
    assert bed.route(event(STAGE, family="web")) == {}
    assert bed.route(event(STAGE, family="other")) == {}
    assert bed.reread == ["web-stage"]


def test_an_image_wakes_who_uses_its_repository_and_its_repository_is_looked_at_once() -> None:
    bed = Bed()
    bed.route(event(REGISTRY, repository="shop/web"))
    assert sorted(bed.reread) == ["web-blue", "web-green", "web-stage"]
    assert bed.pushed == [(REGISTRY, REGION, "shop/web")]
    bed.route(event(REGISTRY, repository="shop/other"))
    assert len(bed.reread) == 3


def test_another_shard_s_environment_is_left_to_its_operator() -> None:
    bed = Bed()
    del bed.observers["blue"], bed.observers["green"], bed.observers["stage"]
    assert bed.route(event(cluster="main", service="web")) == {}
    bed.route(event(REGISTRY, repository="shop/web"))
    assert (bed.reread, bed.pushed) == ([], [])
