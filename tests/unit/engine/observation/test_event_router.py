"""Where an event makes somebody look: at what is an Environment's that names the queue, and at nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.domain.ecs.events import Author, Heard
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.engine.observation.event_router import Wakener
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.store.claim_index import Claims
from ecs_release.engine.store.store import Store

PROD, STAGE, REGION = "111122223333", "444455556666", "eu-west-1"
SHARED, DEV = "https://sqs.eu-west-1.amazonaws.com/111122223333/events", "https://sqs.eu-west-1.amazonaws.com/444455556666/dev"
REGISTRY = "777788889999"
AUTHOR = Author("arn:ada", "cli", datetime(2026, 5, 4, tzinfo=UTC))


@dataclass
class FakeObserver:
    """Observes some services that run a family of their own name, and remembers what it heard."""

    observed: list[ServiceKey]
    heard_of: list[tuple[str, bool, Author | None]] = field(default_factory=list)

    def heard(self, key: ServiceKey, *, tasks: bool, author: Author | None) -> None:
        if key in self.observed:
            self.heard_of.append((key.service, tasks, author))

    def running_family(self, family: str) -> list[ServiceKey]:
        return [key for key in self.observed if key.service == family]


def meta(name: str, namespace: str = "") -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    return {"name": name, "uid": f"{namespace}/{name}", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1, **where}


def environment(name: str, account: str, queue_url: str) -> dict[str, Any]:
    return {
        "metadata": meta(name),
        "spec": {
            "allowedNamespaces": {"names": ["team"]}, "aws": {"accountID": account, "region": REGION}, "artifacts": {"registryID": REGISTRY},
            "target": {"cluster": "main", "serviceName": "{service}"}, "observation": {"eventQueueURL": queue_url},
        },
    }  # fmt: skip


class Bed:
    """Environments blue and green of one account and one queue, stage of another account and the same queue, and dev of a queue of its own.

    dev's account is that of blue and green. Each has one Release, of service `web`.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.claims = Claims(self.store)
        self.woken: list[str] = []
        self.pushed: list[tuple[str, str, str]] = []
        self.observers: dict[str, FakeObserver] = {}
        services = [{"name": "web", "containers": [{"name": "app", "repository": "shop/web"}]}]
        project = {"metadata": meta("shop", "team"), "spec": {"serviceSets": [{"name": "all", "services": services}]}}
        self.store.changed(PROJECT, project)
        for name, account, url in (("blue", PROD, SHARED), ("green", PROD, SHARED), ("stage", STAGE, SHARED), ("dev", PROD, DEV)):
            self.store.changed(ENVIRONMENT, environment(name, account, url))
            spec = {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": name}, "source": {"tag": "x"}}
            self.store.changed(RELEASE, {"metadata": meta(f"web-{name}", "team"), "spec": spec, "status": {}})
            self.observers[name] = FakeObserver([ServiceKey(account, REGION, "main", "web")])
        for facts in self.store.releases.values():
            self.claims.refresh(facts)
        self.wakener = Wakener(
            self.store,
            self.claims,
            lambda name: cast("Observer | None", self.observers.get(name)),
            lambda key: self.woken.append(key.name),
            lambda *told: self.pushed.append(told),
        )

    def heard(self, heard: Heard, url: str = SHARED) -> dict[str, list[tuple[str, bool, Author | None]]]:
        """Tell of an event. Returns what the observers heard then."""
        self.wakener.heard(heard, url)
        return {name: o.heard_of for name, o in self.observers.items() if o.heard_of}


def event(account: str = PROD, region: str = REGION, **what: Any) -> Heard:
    return Heard("x", account, region, **what)


def test_all_environments_of_one_queue_hear_what_happens_in_their_account() -> None:
    told = [("web", True, AUTHOR)]
    assert Bed().heard(event(cluster="main", service="web", tasks=True, author=AUTHOR)) == {"blue": told, "green": told}
    assert Bed().heard(event(STAGE, cluster="main", service="web", tasks=True, author=AUTHOR)) == {"stage": told}


def test_a_service_without_its_cluster_is_looked_for_in_all() -> None:
    assert set(Bed().heard(event(service="web"))) == {"blue", "green"}


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
def test_what_is_nobody_s_moves_nobody(foreign: Heard) -> None:
    bed = Bed()
    assert bed.heard(foreign) == {}
    assert (bed.woken, bed.pushed) == ([], [])


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
def test_nobody_believes_a_queue_that_it_does_not_name(forged: Heard) -> None:
    """Whoever may send to the queue of development must not be able to speak of production."""
    bed = Bed()
    assert set(bed.heard(forged, DEV)) <= {"dev"}
    assert bed.heard(forged, "https://sqs.eu-west-1.amazonaws.com/1/unnamed").keys() <= {"dev"}
    assert set(bed.woken) <= {"web-dev"}


def test_a_new_revision_wakes_who_runs_the_family() -> None:
    bed = Bed()
    assert bed.heard(event(STAGE, family="web")) == {}
    assert bed.heard(event(STAGE, family="other")) == {}
    assert bed.woken == ["web-stage"]


def test_an_image_wakes_who_uses_its_repository_and_its_repository_is_looked_at_once() -> None:
    bed = Bed()
    bed.heard(event(REGISTRY, repository="shop/web"))
    assert sorted(bed.woken) == ["web-blue", "web-green", "web-stage"]
    assert bed.pushed == [(REGISTRY, REGION, "shop/web")]
    bed.heard(event(REGISTRY, repository="shop/other"))
    assert len(bed.woken) == 3


def test_another_shard_s_environment_is_left_to_its_operator() -> None:
    bed = Bed()
    del bed.observers["blue"], bed.observers["green"], bed.observers["stage"]
    assert bed.heard(event(cluster="main", service="web")) == {}
    bed.heard(event(REGISTRY, repository="shop/web"))
    assert (bed.woken, bed.pushed) == ([], [])
