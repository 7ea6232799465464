"""Which Release claims which service, kept as single objects change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ecs_release.api.names import API_VERSION, ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.environments.claims import Admission, Claim
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.namespace_labels import PATIENCE_S, NamespaceLabels
from ecs_release.engine.store.store import Store
from tests.builders.objects import ACCOUNT, REGION, environment_object, project_object, release_object, release_set_object
from tests.builders.simulated_time import SimulatedClock, run_simulated

WEB = ServiceKey(ACCOUNT, REGION, "prod", "web")
BY_LABEL = {"allowedNamespaces": {"selector": {"matchLabels": {"team": "a"}}}, "target": {"cluster": "prod", "serviceName": "{service}"}}


class Bed:
    """Environment prod, whose template leaves the namespace out, and Releases of service `web` in several namespaces."""

    def __init__(self, **spec: Any) -> None:
        self.namespaces: dict[str, Mapping[str, str] | None] = {}
        self.store = Store()
        self.labels = NamespaceLabels(self, SimulatedClock(), self._changed)
        self.claims = ClaimIndex(self.store, self.labels)
        self.concerned: list[list[str]] = []
        self.claims.on_change = lambda _, keys: self.concerned.append([str(k) for k in keys])
        self.store.changed(ENVIRONMENT, environment_object(**(BY_LABEL | spec)))

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        await asyncio.sleep(0.1)
        return self.namespaces.get(namespace)

    def _changed(self, namespace: str) -> None:
        for facts in self.store.of_namespace(namespace):
            self.claims.refresh(facts)

    def release(self, namespace: str, day: int, name: str = "web", owner: dict[str, Any] | None = None, **more: Any) -> ObjectKey:
        project = project_object()
        project["metadata"] |= {"namespace": namespace, "uid": f"project-{namespace}"}
        self.store.changed(PROJECT, project)
        meta: dict[str, Any] = {"creationTimestamp": f"2026-01-{day:02}T00:00:00Z", "uid": f"{namespace}-{name}-{day}"}
        meta |= {"ownerReferences": [owner]} if owner else {}
        self.store.changed(RELEASE, release_object(name, namespace=namespace, meta=meta, **{"service": "web", **more}))
        return ObjectKey(RELEASE, namespace, name)

    def contend(self, key: ObjectKey, owner: ObjectKey | None = None) -> list[tuple[str, bool]]:
        return [(c.release, c.is_known) for c in self.claims.contenders(WEB, key, owner)]


def test_what_is_not_known_is_neither_a_claim_nor_none() -> None:
    async def main() -> None:
        bed = Bed()
        bed.namespaces = {"old": {"team": "a"}, "new": {"team": "a"}, "other": {"team": "b"}}
        old, new, other = (bed.release(n, day) for day, n in enumerate(("old", "new", "other"), 1))
        assert {bed.claims.admission(k) for k in (old, new, other)} == {Admission.UNKNOWN}
        assert bed.claims.unknown_namespaces(WEB) == {"old", "new", "other"}
        await bed.labels.read("new")
        assert bed.contend(new) == [("new/web", True), ("old/web", False), ("other/web", False)]
        await bed.labels.read_unknown(bed.claims.unknown_namespaces(WEB), 1)
        assert [bed.claims.admission(k) for k in (old, new, other)] == [Admission.ADMITTED, Admission.ADMITTED, Admission.REFUSED]
        assert bed.contend(new) == [("old/web", True), ("new/web", True)]
        assert bed.claims.unknown_namespaces(WEB) == set()

    run_simulated(main())


def test_a_namespace_that_stays_unknown_blocks_nobody_for_long() -> None:
    async def main() -> None:
        bed = Bed()
        bed.namespaces = {"new": {"team": "a"}}
        old, new = bed.release("old", 1), bed.release("new", 2)
        await bed.labels.read("new")
        asking = asyncio.create_task(bed.labels.read_unknown({"old"}, 0.01))
        await asking
        bed.labels.end()  # No answer will ever come.
        assert bed.contend(new) == [("new/web", True), ("old/web", False)]
        await asyncio.sleep(PATIENCE_S)
        assert bed.contend(new) == [("new/web", True)] and bed.claims.admission(old) is Admission.REFUSED

    run_simulated(main())


def test_the_oldest_one_s_own_and_the_owner_s_claim_are_enough_to_know_who_holds_a_service() -> None:
    bed = Bed(allowedNamespaces={"names": [f"n{i}" for i in range(50)]})
    keys = [bed.release(f"n{i}", 28 - i % 28) for i in range(50)]
    assert bed.contend(keys[3], keys[5]) == [("n27/web", True), ("n3/web", True), ("n5/web", True)]
    bed.store.deleted(keys[27])
    bed.claims.forget(keys[27])
    assert bed.contend(keys[3]) == [("n26/web", True), ("n3/web", True)]


def test_a_release_made_again_under_its_name_is_as_old_as_it_is() -> None:
    bed = Bed(allowedNamespaces={"names": ["a", "b"]})
    a, b = bed.release("a", 1), bed.release("b", 2)
    assert bed.contend(b)[0] == ("a/web", True)
    bed.release("a", 3)
    assert bed.claims.contenders(WEB, a)[0].release == "b/web"
    assert next(c for c in bed.claims.contenders(WEB, a) if c.release == "a/web").created.day == 3
    assert isinstance(bed.claims.contenders(WEB, a)[0], Claim)


def test_who_may_hold_the_service_now_is_told_and_nobody_is_told_twice() -> None:
    bed = Bed(allowedNamespaces={"names": ["a", "b", "c"]})
    a, b = bed.release("a", 1), bed.release("b", 2)
    bed.concerned.clear()
    bed.release("b", 2)
    assert bed.concerned == [], "nothing has changed"
    bed.claims.forget(a)
    assert bed.concerned == [["b/web"]]
    bed.concerned.clear()
    bed.release("c", 3)
    assert bed.concerned == [["c/web"]], "a younger claim concerns nobody else"
    assert bed.claims.service_of(b) == WEB and set(bed.claims.services_in("prod")) == {WEB}


def test_few_are_told_of_another_holder_however_many_claim_the_service() -> None:
    """Each of them writes its status: whoever deletes one Release after the other would have the operator write without end."""
    bed = Bed(allowedNamespaces={"names": ["a"]})
    keys = [bed.release("a", 1 + n % 28, f"r{n:03}") for n in range(200)]
    oldest, next_one = keys[0], keys[28]
    bed.concerned.clear()
    bed.claims.forget(oldest)
    (told,) = bed.concerned
    assert str(next_one) in told and 2 <= len(told) <= 11


def test_an_environment_that_goes_takes_the_claims_with_it() -> None:
    bed = Bed(allowedNamespaces={"names": ["a"]})
    a = bed.release("a", 1)
    bed.store.deleted(ObjectKey(ENVIRONMENT, "", "prod"))
    bed.claims.refresh(bed.store.releases[a])
    assert (bed.claims.admission(a), bed.contend(a), bed.claims.services_in("prod")) == (Admission.REFUSED, [], {})


def set_of(namespace: str, **meta: Any) -> dict[str, Any]:
    made = release_set_object("all", namespace=namespace)
    return made | {"metadata": made["metadata"] | {"uid": "set-uid"} | meta}


def child(bed: Bed, name: str, uid: str = "set-uid", api_version: str = API_VERSION, **more: Any) -> ObjectKey:
    owner = {"apiVersion": api_version, "kind": RELEASE_SET, "name": "all", "uid": uid, "controller": True}
    return bed.release("a", 1, name, owner=owner, **more)


def test_only_what_a_set_has_made_acts_for_it() -> None:
    bed = Bed(allowedNamespaces={"names": ["a"]})
    mine = child_name("all", "web")
    made = child(bed, mine)
    assert bed.claims.admission(made) is Admission.REFUSED, "there is no such set"
    bed.store.changed(RELEASE_SET, set_of("a"))
    for facts in bed.store.of_set(ObjectKey(RELEASE_SET, "a", "all")):
        bed.claims.refresh(facts)
    assert bed.claims.admission(made) is Admission.ADMITTED
    forged = [child(bed, "forged"), child(bed, child_name("all", "api")), child(bed, f"{mine}-x", environmentRef={"name": "prod"})]
    assert {bed.claims.admission(key) for key in forged} == {Admission.REFUSED}
    assert bed.contend(forged[0]) == [(f"a/{mine}", True)]
    assert bed.claims.admission(child(bed, "plain", api_version="other/v1")) is Admission.ADMITTED, "no ReleaseSet of ours controls it"
    assert bed.claims.admission(child(bed, mine, uid="another")) is Admission.REFUSED


def test_what_the_environment_does_not_allow_claims_nothing() -> None:
    bed = Bed(allowedNamespaces={"names": ["a", "b"]}, artifacts={"allowedRepositories": ["other/*"]})
    assert bed.claims.admission(bed.release("a", 1)) is Admission.REFUSED and bed.claims.releases_of(WEB) == []
    assert bed.claims.admission(bed.release("b", 1, service="unknown")) is Admission.ADMITTED, "the Project may be corrected"


def test_those_that_are_refused_are_in_one_number_and_those_of_unknown_namespaces_in_none() -> None:
    async def main() -> None:
        bed = Bed()
        bed.namespaces = {"a": {"team": "a"}, "b": {"team": "b"}}

        def counts() -> dict[str, int] | None:
            found = bed.claims.counts.counts("prod", bed.labels.is_given_up)
            return found.model_dump(exclude_none=True) if found is not None else None

        assert counts() == {"total": 0, "ready": 0, "failed": 0, "drifted": 0, "waiting": 0}
        for number in range(20):
            bed.release("b", 1, f"many-{number}", status={"phase": "Failed"})
        bed.release("a", 2, "ready", status={"phase": "Ready", "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded"}]})
        bed.release("a", 2, "failed", status={"phase": "RolledBack"})
        assert counts() is None and bed.claims.counts.unknown("prod") == {"a", "b"}
        await bed.labels.read_unknown({"a", "b"}, 1)
        assert counts() == {"total": 2, "ready": 1, "failed": 1, "drifted": 0, "waiting": 0, "refused": 20}
        bed.release("a", 2, "failed", status={"phase": "Waiting"})
        for number in range(20):
            bed.claims.forget(ObjectKey(RELEASE, "b", f"many-{number}"))
        assert counts() == {"total": 2, "ready": 1, "failed": 0, "drifted": 0, "waiting": 1}
        bed.release("c", 1)
        await bed.labels.read_unknown({"c"}, 0)
        bed.labels.end()
        await asyncio.sleep(PATIENCE_S)
        assert (counts() or {})["refused"] == 1, "given up"

    run_simulated(main())
