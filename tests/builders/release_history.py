"""Any history: whatever people, ECS and our own crashes do, the laws hold after every pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ecs_release.api.environment import Environment
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, PinnedImage, ReleaseStatus
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Decision, Draft, Outcome, Register, Stop, Update
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.service import Deployment, Hook, Look, Service, ServiceDeployment, ServiceKey, Task, TaskDefinition
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Ambiguous
from ecs_release.domain.release import action_outcomes
from ecs_release.domain.release.decide import RULES, decide
from ecs_release.engine.release.memory import Memory
from tests.builders.ecs import NOW, REGISTRY_HOST, deployment, revision, service, task
from tests.builders.facts import facts as given_facts
from tests.builders.objects import environment, release_object

HASHES = ["aaaaaaa", "bbbbbbb", "ccccccc"]
DIGESTS = {h: "sha256:" + h[0] * 64 for h in HASHES}
CORRECT_AFTER_S = 300
CLOSED = [{"name": "freeze", "kind": "Deny", "startTime": "2026-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "reason": "audit"}]
REST_PASSES = 60
"""A second each: longer than ECS's reads may lag (30 s)."""
KEY = ServiceKey("111122223333", "eu-west-1", "prod", "web")


class AnyHistory(RuleBasedStateMachine):
    """One Release, one ECS service, and all that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.passes = NOW, 0
        self.revisions = {1: self.make_revision(1, DIGESTS["aaaaaaa"], {})}
        self.deployments: list[Deployment] = [deployment(1, age_s=3600)]
        self.made: list[Deployment] = []
        self.numbers = 1
        self.updates: Counter[str] = Counter()
        self.asked, self.token, self.lose, self.paused = 1, 0, "", False
        self.correct, self.closed, self.observe = True, False, False
        self.completed_at: dict[str, datetime] = {"ecs-svc/1": NOW}
        self.corrected: list[tuple[int, datetime]] = []
        self.memory = Memory(NOW)
        self.body = release_object(meta={"uid": "1"}, annotations={}, suspend=False)
        self.environments: dict[tuple[bool, bool, bool], Environment] = {}
        self.read: tuple[object, ReleaseStatus] = (None, ReleaseStatus())

    # The world.

    @staticmethod
    def make_revision(number: int, digest: str, tags: dict[str, str]) -> TaskDefinition:
        content = {"family": "web", "containerDefinitions": [{"name": "app", "image": f"{REGISTRY_HOST}/shop/web@{digest}"}]}
        return TaskDefinition(revision(number), "web", number, "ACTIVE", content, tags)

    def digest_of(self, found: Deployment) -> str:
        number = int(found.task_definition.rpartition(":")[2])
        return str(self.revisions[number].image_of("app")).partition("@")[2]

    @property
    def tasks(self) -> tuple[Task, ...]:
        done = next((d for d in self.deployments if d.rollout_state == "COMPLETED"), None)
        if done is None:
            return ()
        return tuple(replace(task(int(done.id[8:]), self.digest_of(done)), task_definition=done.task_definition) for _ in range(2))

    def seen(self) -> Service:
        return service(*self.deployments, tasks=self.tasks, rollback=True, strategy="BLUE_GREEN")

    def deploy(self, number: int) -> Deployment:
        self.numbers += 1
        made = deployment(self.numbers, state="IN_PROGRESS", running=0, task_definition=revision(number), created_at=self.now)
        kept = [replace(d, status="ACTIVE") for d in self.deployments if d.rollout_state == "COMPLETED"]
        self.deployments = [made, *kept]
        self.made.append(made)
        return made

    @property
    def environment(self) -> Environment:
        rollout = {"onDrift": "Correct" if self.correct else "Report", "correctAfterSeconds": CORRECT_AFTER_S}
        mode = "Observe" if self.observe else "Deploy"
        # Made once: no pass changes it.
        now = (self.correct, self.closed, self.observe)
        if now not in self.environments:
            self.environments[now] = environment(rollout=rollout, mode=mode, windows=CLOSED if self.closed else [])
        return self.environments[now]

    # What happens.

    @rule()
    def ecs_completes(self) -> None:
        self.deployments = [replace(self.deployments[0], rollout_state="COMPLETED", running=2)]
        self.completed_at.setdefault(self.deployments[0].id, self.now)

    @rule()
    def ecs_rolls_back(self) -> None:
        if len(self.deployments) > 1:
            back = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
            self.deployments = [replace(self.deployments[1], status="PRIMARY", rollout_state="COMPLETED", rollout_state_reason=back)]

    @rule()
    def ecs_pauses_or_goes_on(self) -> None:
        self.paused = not self.paused

    @rule(wanted=st.sampled_from(HASHES))
    def somebody_deploys(self, wanted: str) -> None:
        number = max(self.revisions) + 1
        self.revisions[number] = self.make_revision(number, DIGESTS[wanted], {})
        self.deploy(number)

    @rule(wanted=st.sampled_from(HASHES), times=st.integers(1, 5))
    def somebody_keeps_deploying(self, wanted: str, times: int) -> None:
        """Until that stands, and the operator had time to correct it."""
        for _ in range(times):
            self.somebody_deploys(wanted)
            self.ecs_completes()
            self.passes_are_made(2)
            self.now += timedelta(seconds=CORRECT_AFTER_S + 1)
            self.passes_are_made(5)
            self.ecs_completes()
            self.passes_are_made(2)

    @rule(which=st.sampled_from(["correct", "closed", "observe"]))
    def the_environment_changes(self, which: str) -> None:
        setattr(self, which, not getattr(self, which))

    @rule(wanted=st.sampled_from(HASHES))
    def a_new_source(self, wanted: str) -> None:
        if self.body["spec"]["source"] != {"releaseHash": wanted}:
            self.body["spec"]["source"] = {"releaseHash": wanted}
            self.body["metadata"]["generation"] += 1
            self.asked += 1

    @rule(request=st.sampled_from(["retry", "abort"]))
    def a_request(self, request: str) -> None:
        self.token += 1
        self.asked += request == "retry"
        self.body["metadata"]["annotations"][f"ecs-release.dev/{request}"] = str(self.token)

    @rule()
    def suspend_or_not(self) -> None:
        self.body["spec"]["suspend"] = not self.body["spec"]["suspend"]
        self.body["metadata"]["generation"] += 1

    @rule()
    def the_operator_dies(self) -> None:
        self.memory = Memory(self.now)

    @rule(how=st.sampled_from(["before", "after"]))
    def an_answer_gets_lost(self, how: str) -> None:
        self.lose = how

    @rule()
    def revisions_are_deregistered(self) -> None:
        used = {d.task_definition for d in self.deployments}
        self.revisions = {n: r if r.arn in used else replace(r, status="INACTIVE") for n, r in self.revisions.items()}

    @rule(seconds=st.sampled_from([1, 15, 700]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(times=st.integers(1, 6))
    def passes_are_made(self, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=1)
            self.one_pass()

    # A pass, as the engine makes it.

    def one_pass(self) -> None:
        release = Release.model_validate(self.body)
        facts = self.gather(release)
        self.check_rules(facts)
        decision = decide(facts)
        if decision.act is not None:
            decision = self.act(facts, decision)
        self.check_pause(facts, decision)
        before, after = release.status.rollout if release.status else None, decision.status.rollout
        if after is not None and after.cause == drift.CAUSE and (before is None or before.attempt_id != after.attempt_id):
            self.check_correction(facts)
        self.report(facts, decision)

    def check_rules(self, facts: Facts) -> None:
        """A rule that returns None has not touched the draft."""
        draft = Draft.of(facts.status)
        before = replace(draft, events=list(draft.events))
        for rule_ in RULES:
            verdict = rule_(facts, draft)
            if isinstance(verdict, Outcome):
                return
            assert verdict is not None or draft == before, rule_
            # Where nothing was touched it is a copy still: most rules do not apply.
            before = before if verdict is None else replace(draft, events=list(draft.events))

    def report(self, facts: Facts, decision: Decision) -> None:
        """Write the status, and note what it announces."""
        before, after = facts.status.rollout, decision.status.rollout
        if (before and before.attempt_id, attempts.intended_action(before)) != (
            after and after.attempt_id,
            attempts.intended_action(after),
        ):
            self.memory.intend(after)
        self.body["status"] = decision.status.to_kubernetes()

    def gather(self, release: Release) -> Facts:
        status = release.status or ReleaseStatus()
        self.memory.follow(status.rollout, self.now)
        self.passes += 1
        source = source_hash(release.spec.source)
        pin = status.pin
        if pin is None or pin.source_hash != source:
            image = PinnedImage(container="app", digest=DIGESTS[release.spec.source.release_hash or ""])
            pin = Pin(source_hash=source, resolved_time=self.now, images=[image])
        seen = self.seen()
        running = self.revisions[int(seen.task_definition.rpartition(":")[2])]
        primary = self.digest_of(self.deployments[0])
        return given_facts(
            release=release, now=self.now, environment=self.environment, may_correct=drift.is_due(status, self.now),
            pin=pin, look=Look(KEY, seen, self.now, self.now, self.passes),
            running=running, newest=tuple(self.revisions.values()), earlier=self.earlier(pin, status), claims=(Claim(NOW, "shop/web"),), attempt_id=f"{self.now:%Y%m%dt%H%M%S}-{self.passes:06x}",
            doubt=self.memory.doubt(status.rollout, self.now, self.effect(status)),
            primary_digests={"app": primary}, service_deployment=self.explain(status),
        )  # fmt: skip

    def explain(self, status: ReleaseStatus) -> ServiceDeployment | None:
        """A hook holds what is under way; the API tells it of ours only."""
        primary, rollout = self.deployments[0], status.rollout
        if not self.paused or rollout is None or rollout.deployment_id != primary.id or primary.rollout_state != "IN_PROGRESS":
            return None
        return ServiceDeployment("arn", "IN_PROGRESS", stage="POST_SCALE_UP", traffic=0.0, hooks=(Hook("ABC", "AWAITING_ACTION"),))

    def check_pause(self, facts: Facts, decision: Decision) -> None:
        rollout, was = decision.status.rollout, facts.status.rollout
        ready = find(decision.status.conditions, "Ready")
        if rollout is None or ready is None:
            return
        assert bool(rollout.awaiting) <= (not rollout.outcome)
        assert (ready.reason == "AwaitingHook") <= (facts.diagnostics.service_deployment is not None)
        if facts.diagnostics.service_deployment is not None and was is not None and was.outcome != rollout.outcome:
            assert rollout.outcome != "DeadlineExceeded"

    def check_correction(self, facts: Facts) -> None:
        """A correction begins: was it time, was it allowed, and is it not one too many?"""
        assert self.correct and not self.closed and not self.observe and not self.body["spec"]["suspend"]
        primary, wanted = self.deployments[0], DIGESTS[self.body["spec"]["source"]["releaseHash"]]
        assert primary.rollout_state == "COMPLETED" and self.digest_of(primary) != wanted
        assert self.now - self.completed_at[primary.id] >= timedelta(seconds=CORRECT_AFTER_S)
        tried = [h for h in facts.status.history or () if h.outcome != "Abandoned" and (h.images or [])[0].to_digest == wanted]
        assert not tried or tried[0].outcome in attempts.GOOD
        assert facts.status.last_ready is not None
        self.corrected.append((self.asked, self.now))
        alike = [at for asked, at in self.corrected if asked == self.asked and self.now - at <= drift.WITHIN]
        assert len(alike) <= drift.MOST, alike

    def earlier(self, pin: Pin, status: ReleaseStatus) -> tuple[TaskDefinition, ...]:
        """Our own revisions of the wanted digest, as the engine finds them by the history."""
        known = {h.task_definition for h in status.history or ()}
        wanted = (pin.images or [])[0].digest
        return tuple(r for r in self.revisions.values() if r.arn in known and str(r.image_of("app")).endswith(f"@{wanted}"))

    def effect(self, status: ReleaseStatus) -> Doubt | None:
        rollout = status.rollout
        if rollout is None or self.memory.doubt_since is None:
            return None
        registered = next((r.arn for r in self.revisions.values() if (o := ownership(r)) and o.attempt == rollout.attempt_id), "")
        listed = set((rollout.intent.deployments if rollout.intent else None) or ())
        # Also one that is listed no longer: the tasks that it started and that have stopped name it (`engine.release.unconfirmed_calls`).
        ours = [d for d in reversed(self.made) if d.task_definition == rollout.task_definition and d.id not in listed]
        started = next((d.id for d in ours if rollout.task_definition), "")
        return Doubt(self.memory.doubt_since, registered, started)

    def act(self, facts: Facts, decision: Decision) -> Decision:
        rollout, lose, act = facts.status.rollout, self.lose, decision.act
        assert rollout is not None and not self.observe
        assert isinstance(act, Stop) or not self.body["spec"]["suspend"] or attempts.intended_action(rollout) == attempts.RETURN
        self.lose = ""
        self.memory.sending(self.now)
        if lose == "before":
            return action_outcomes.lost(facts, Ambiguous("lost"))
        if isinstance(act, Stop):
            self.ecs_rolls_back()
            return action_outcomes.stopped(facts, rolls_back=True)
        if isinstance(act, Register):
            number = max(self.revisions) + 1
            digest = act.content["containerDefinitions"][0]["image"].partition("@")[2]
            self.revisions[number] = self.make_revision(number, digest, dict(act.tags))
            done = action_outcomes.registered(facts, revision(number))
        else:
            assert isinstance(act, Update)
            self.updates[rollout.attempt_id] += 1
            done = action_outcomes.updated(facts, self.deploy(int(act.task_definition.rpartition(":")[2])).id)
        return action_outcomes.lost(facts, Ambiguous("lost")) if lose == "after" else done

    # What must hold.

    @property
    def status(self) -> ReleaseStatus:
        """What was written last: read once, however many ask."""
        if self.read[0] is not (written := self.body.get("status")):
            self.read = (written, ReleaseStatus.model_validate(written or {}))
        return self.read[1]

    @invariant()
    def an_attempt_deploys_once(self) -> None:
        assert all(times == 1 for times in self.updates.values()), self.updates

    @invariant()
    def what_was_deployed_is_not_abandoned(self) -> None:
        abandoned = {h.attempt_id for h in self.status.history or () if h.outcome == "Abandoned"}
        assert not abandoned & self.updates.keys()

    @invariant()
    def only_a_source_or_a_retry_deploys(self) -> None:
        assert len(self.updates) <= self.asked + self.abandoned + len(self.corrected)

    @property
    def abandoned(self) -> int:
        """An attempt whose base changed under it is made again: it had not been deployed."""
        return sum(h.outcome == "Abandoned" for h in self.status.history or ())

    @invariant()
    def history_is_bounded_and_each_attempt_is_in_it(self) -> None:
        history = self.status.history or []
        assert len(history) <= 10
        if self.status.rollout is not None:
            assert self.status.rollout.attempt_id in {h.attempt_id for h in history}

    @rule()
    def ready_is_true_only_if_it_is(self) -> None:
        self.now += timedelta(seconds=1)
        self.one_pass()
        ready = find(self.status.conditions, "Ready")
        assert ready is not None
        wanted = DIGESTS[self.body["spec"]["source"]["releaseHash"]]
        if ready.status == "True" and ready.reason == "Succeeded" and self.tasks:
            assert {t.digest_of("app") for t in self.tasks} == {wanted}
