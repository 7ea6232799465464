"""Any history of a set: whatever is asked, fails or dies, waves keep their order and only wanted artifacts are deployed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ecs_release.api.conditions import Reason
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus, Rollout
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.model import conditions
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Create, Delete, Replace, SetDecision, Write
from ecs_release.domain.sets.facts import Child, Resolved, SetFacts, set_source_hash
from tests.builders.ecs import NOW
from tests.builders.objects import release_set_object

SERVICES = ("api", "bags", "jobs", "web")
WAVES: list[list[list[str]]] = [[], [["bags"], ["api", "jobs"]], [["web", "api"]], [["jobs"], ["web"], ["bags"]]]
HASHES = ["aaaaaaa", "bbbbbbb", "ccccccc"]
SETTLE_S = 30


def digest(service: str, release_hash: str) -> str:
    return "sha256:" + f"{ord(service[0]):x}{release_hash[0]}".ljust(64, "0")


def image(service: str, release_hash: str) -> PinnedImage:
    return PinnedImage(container="app", digest=digest(service, release_hash), release_hash=release_hash)


class AnySetHistory(RuleBasedStateMachine):
    """One set of four services, its children as a small model of what the Release controller does, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.ids, self.token = NOW, 0, 0
        self.members = SERVICES
        self.runs = {s: digest(s, "0000000") for s in SERVICES}
        self.children: dict[str, dict[str, Any]] = {}
        self.bad: set[str] = set()
        self.deployed: list[tuple[str, str]] = []
        self.asked = {s: {digest(s, "0000000")} for s in SERVICES}
        self.begun: Counter[str] = Counter()
        self.dies_after: int | None = None
        strategy = {"waves": None, "maxParallel": 10, "onFailure": "Halt"}
        self.body = release_set_object("all", annotations={}, source={"releaseHash": "aaaaaaa"}, strategy=strategy, suspend=False)
        self.read: tuple[object, ReleaseSetStatus] = (None, ReleaseSetStatus())
        self.want()

    # What people do.

    def want(self) -> None:
        for service in SERVICES:
            self.asked[service].add(digest(service, self.body["spec"]["source"]["releaseHash"]))

    def edit(self, **spec: Any) -> None:
        self.body["spec"] |= spec
        self.body["metadata"]["generation"] += 1

    @rule(wanted=st.sampled_from(HASHES))
    def a_new_source(self, wanted: str) -> None:
        self.edit(source={"releaseHash": wanted})
        self.want()

    @rule(waves=st.sampled_from(WAVES), most=st.integers(1, 4), policy=st.sampled_from(["Halt", "RollBack", "Continue"]))
    def another_strategy(self, waves: list[list[str]], most: int, policy: str) -> None:
        listed = [{"services": w} for w in waves] or None
        self.edit(strategy={"waves": listed, "maxParallel": most, "onFailure": policy})

    @rule()
    def suspend_or_not(self) -> None:
        self.edit(suspend=not self.body["spec"]["suspend"])

    @rule(request=st.sampled_from(["retry", "abort", "refresh"]))
    def a_request(self, request: str) -> None:
        self.token += 1
        self.body["metadata"]["annotations"][f"ecs-release.dev/{request}"] = str(self.token)

    @rule(services=st.sampled_from([SERVICES, SERVICES[:3], SERVICES[1:]]))
    def the_project_changes(self, services: tuple[str, ...]) -> None:
        self.members = services

    @rule(service=st.sampled_from(SERVICES), wanted=st.sampled_from(HASHES))
    def somebody_edits_a_child(self, service: str, wanted: str) -> None:
        child = self.children.get(service)
        if child is not None:
            child["spec"]["source"] = {"images": [{"container": "app", "digest": digest(service, "f" + wanted)}]}
            child["metadata"]["generation"] += 1

    @rule(service=st.sampled_from(SERVICES))
    def somebody_deletes_a_child(self, service: str) -> None:
        self.children.pop(service, None)

    @rule(service=st.sampled_from(SERVICES))
    def an_image_turns_bad_or_good(self, service: str) -> None:
        self.bad ^= {service}

    # What children do: each acts only on what its set wants of it.

    @rule(service=st.sampled_from(SERVICES))
    def a_child_acts(self, service: str) -> None:
        child = self.children.get(service)
        if child is None:
            return
        status = ReleaseStatus.model_validate(child.get("status") or {})
        release = Release.model_validate(child)
        told = {i.container: i.digest for i in release.spec.source.images or ()}["app"]
        line = next((s for s in self.status.services or () if s.name == service), None)
        wanted = (line.previous if line.reverting else line.images) if line else None
        if not wanted or wanted[0].digest != told:
            return
        retry = (child["metadata"].get("annotations") or {}).get("ecs-release.dev/retry")
        open_ = status.rollout is not None and not status.rollout.outcome
        pinned = status.pin is not None and (status.pin.images or [])[0].digest == told
        if open_ and pinned:
            self.end(child, service, told)
        elif not pinned or (retry and retry != status.last_handled_retry):
            self.begin(child, service, told, retry)

    def begin(self, child: dict[str, Any], service: str, told: str, retry: str | None) -> None:
        self.ids += 1
        pin = Pin(source_hash=source_hash(Release.model_validate(child).spec.source), images=[PinnedImage(container="app", digest=told)])
        if self.runs[service] != told:
            self.deployed.append((service, told))
        situation = conditions.progressing(Reason.ROLLING_OUT, "begun")
        self.say(child, situation, pin, Rollout(attempt_id=f"a{self.ids}", start_time=self.now), retry)

    def end(self, child: dict[str, Any], service: str, told: str) -> None:
        status = ReleaseStatus.model_validate(child["status"])
        assert status.rollout is not None
        if service in self.bad and told != digest(service, "0000000") and self.runs[service] != told:
            situation, outcome = conditions.stalled(Reason.ROLLED_BACK, "rolled back"), "RolledBack"
        else:
            self.runs[service] = told
            situation, outcome = conditions.ready(Reason.SUCCEEDED, "runs"), "Succeeded"
        self.say(child, situation, status.pin, status.rollout.model_copy(update={"outcome": outcome}), status.last_handled_retry)

    def say(self, child: dict[str, Any], situation: conditions.Situation, pin: Pin | None, rollout: Rollout, retry: str | None) -> None:
        before = ReleaseStatus.model_validate(child.get("status") or {})
        generation = child["metadata"]["generation"]
        said = conditions.merge(before.conditions, conditions.kstatus_conditions(situation), generation, self.now)
        status = ReleaseStatus(observed_generation=generation, conditions=said, pin=pin, rollout=rollout, last_handled_retry=retry)
        child["status"] = status.to_kubernetes()

    @rule(seconds=st.sampled_from([1, 20, 60]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # The set's passes, as the engine makes them; it may die between any two writes.

    @rule(writes=st.integers(0, 3))
    def the_operator_will_die(self, writes: int) -> None:
        self.dies_after = writes

    @rule(times=st.integers(1, 4))
    def passes_are_made(self, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=1)
            self.one_pass()

    @rule()
    def all_goes_on(self) -> None:
        for _ in range(4):
            self.one_pass()
            for service in SERVICES:
                self.a_child_acts(service)

    def one_pass(self) -> None:
        facts = self.gather()
        decision = decide_set(facts)
        for request in decision.requests:
            if not self.survives():
                return
            self.carry_out(request)
        if not self.survives():
            return
        self.body["status"] = decision.status.to_kubernetes()
        self.check_starts(facts, decision)
        for write in decision.writes:
            if not self.survives():
                return
            self.carry_out(write)

    def survives(self) -> bool:
        if self.dies_after is None:
            return True
        self.dies_after -= 1
        if self.dies_after < 0:
            self.dies_after = None
            return False
        return True

    def gather(self) -> SetFacts:
        release_set = ReleaseSet.model_validate(self.body)
        self.ids += 1
        found = {child_name("all", s): Child(Release.model_validate(b), b) for s, b in self.children.items()}
        known = list(self.members)
        wanted = self.body["spec"]["source"]["releaseHash"]
        resolved = tuple(
            Resolved(s, images=(image(s, wanted),), runs=(PinnedImage(container="app", digest=self.runs[s]),), hash=wanted) for s in known
        )
        status = release_set.status or ReleaseSetStatus()
        pinned = {s.name: (s.images or [])[0].digest for s in status.services or () if s.state != "Left"}
        return SetFacts(
            release_set=release_set, now=self.now, new_id=f"s{self.ids}", members=tuple(known), settle_s=dict.fromkeys(SERVICES, SETTLE_S),
            children=found, resolved=resolved, refreshed=pinned != {r.service: r.images[0].digest for r in resolved},
        )  # fmt: skip

    def carry_out(self, write: Write) -> None:
        match write:
            case Create(service, body):
                assert service not in self.children
                self.children[service] = {**body, "metadata": {**body["metadata"], "uid": f"c{self.ids}", "generation": 1}}
            case Replace(service, _, body):
                before = self.children[service]
                changed = before["spec"] != body["spec"]
                meta = {**body["metadata"], "generation": before["metadata"]["generation"] + changed}
                self.children[service] = {**body, "metadata": meta, "status": before.get("status")}
            case Delete(service, _):
                del self.children[service]

    # What must hold.

    @property
    def status(self) -> ReleaseSetStatus:
        """What was written last: read once, however many ask."""
        if self.read[0] is not (written := self.body.get("status")):
            self.read = (written, ReleaseSetStatus.model_validate(written or {}))
        return self.read[1]

    def check_starts(self, facts: SetFacts, decision: SetDecision) -> None:
        """No child is told to go forward before its wave's turn, nor while the set is suspended; never too many at once."""
        status = decision.status
        lines = {s.name: s for s in status.services or ()}
        waves = list(status.waves or ())
        starts = 0
        for write in decision.writes:
            if isinstance(write, Delete):
                assert write.service not in self.members
                continue
            told = {i["container"]: i["digest"] for i in write.body["spec"]["source"]["images"]}["app"]
            line, before = lines[write.service], self.children.get(write.service)
            if before is not None and before["spec"]["source"]["images"][0]["digest"] == told:
                continue
            pin = ReleaseStatus.model_validate((before or {}).get("status") or {}).pin
            if pin is not None and (pin.images or [])[0].digest == told:
                continue
            assert told == ((line.previous if line.reverting else line.images) or [])[0].digest
            assert not self.body["spec"]["suspend"]
            starts += 1
            if line.reverting:
                continue
            at = next(i for i, w in enumerate(waves) if write.service in (w.services or ()))
            assert all(w.state == "Finished" for w in waves[:at]), "a wave began before those before it were finished"
        assert starts <= self.body["spec"]["strategy"]["maxParallel"]

    @invariant()
    def only_wanted_artifacts_are_deployed(self) -> None:
        assert all(told in self.asked[service] for service, told in self.deployed)

    @invariant()
    def every_deployment_set_is_in_the_history_once(self) -> None:
        history = self.status.history or []
        assert len(history) == len({h.id for h in history}) <= 10
        assert all(h.outcome for h in history[1:]), "only the latest deployment set may be under way"

    @invariant()
    def a_finished_wave_was_ready_for_its_settle_time(self) -> None:
        for wave in self.status.waves or ():
            if wave.state == "Finished" and self.body["spec"]["strategy"]["onFailure"] != "Continue":
                assert wave.completion_time is not None and wave.start_time is not None

    @invariant()
    def ready_means_that_every_service_runs_what_is_wanted(self) -> None:
        ready = conditions.find(self.status.conditions, "Ready")
        if ready is None or ready.status != "True" or self.status.observed_generation != self.body["metadata"]["generation"]:
            return
        assert self.status.source_hash == set_source_hash(ReleaseSet.model_validate(self.body).spec)

    @rule()
    def ready_is_true_only_if_it_is(self) -> None:
        self.dies_after = None
        self.one_pass()
        ready = conditions.find(self.status.conditions, "Ready")
        assert ready is not None
        if ready.status == "True":
            wanted = self.body["spec"]["source"]["releaseHash"]
            members = [s.name for s in self.status.services or () if s.state != "Left"]
            assert {s: self.runs[s] for s in members} == {s: digest(s, wanted) for s in members}


AnySetHistory.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestAnySetHistory = pytest.mark.slow(AnySetHistory.TestCase)
