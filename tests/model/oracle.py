"""What must hold, judged by the truth alone. Of the operator it knows nothing but the API: no decision of the domain may be its own judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ecs_release.api.conditions import Reason
from tests.model.ecs import COMPLETED, FAILED, IN_PROGRESS, ROLLED_BACK, SUPERSEDED, Fate, Service
from tests.model.scene import STAGE, TAG, Accepted, Gates, Scene, repository_of
from tests.model.world import Snapshots

LAG_S, PASS_S, GRACE_S = 30.0, 40.0, 300.0
QUICK_S, SLOW_S = 4.0, 60.0
"""How old what a pass rests on may be when it acts: with all calls quick, and with slow ones and old answers."""
PASSING = "Too many concurrent attempts"
"""A refusal that passes by itself."""
GOOD = frozenset({Reason.SUCCEEDED, Reason.SUCCEEDED_LATE, Reason.OVERTAKEN_SAME_DIGESTS})
BAD = frozenset({Reason.ROLLED_BACK, Reason.ROLLOUT_FAILED})
FAILURES = BAD | {Reason.DEADLINE_EXCEEDED, Reason.SUPERSEDED, Reason.DRIFTED, Reason.TASKS_UNHEALTHY, Reason.TAG_MOVED}
TAKES_BACK = BAD | {"Aborted", Reason.SUPERSEDED, Reason.TAG_MOVED}
"""Outcomes after which the environment's tag is moved back."""
NOTHING_WANTED = frozenset({Reason.NOTHING_RUNNING, Reason.SUSPENDED, Reason.OBSERVING, Reason.AWAITING_RELEASE_SET})
"""Reasons that Ready=True may have where no task is wanted, and what would start is right."""
UNASKED = frozenset({"DriftCorrection", "BaseRevisionChanged", "Rollback"})
"""Causes of attempts that nobody has asked for."""
UPDATE, RETURN, STOP = "UpdateService", "RollBack", "StopServiceDeployment"
UNHEALTHY_LEAST_S, UNHEALTHY_S = 290.0, 400.0
"""After how long somebody may, and everybody has, noticed that too few tasks run."""
MANY_STATES = 50
"""From so many states on tasks come and go: whether enough run depends on who looks when."""
ENDED_S = 400.0
"""How long after a deployment's end its attempt has an end, too: to prove a deployment may take the tasks a while."""
TAG_S = 600.0
"""How seldom it is looked where a tag points, where nothing is to be done."""
WRITTEN_S = 10.0
"""How long after its pass has begun a status may be written."""
LOOP_S, LOOP_CALLS = 3600.0, 4


@dataclass(frozen=True)
class Violation:
    """A rule that did not hold. `rule` names the rule and, after a slash, the circumstances."""

    rule: str
    message: str
    time: float = 0.0


@dataclass
class Oracle:
    """Judges one run. `found` is what did not hold; rules that match a pattern of `off` are not asked."""

    scene: Scene
    off: frozenset[str] = frozenset()
    found: list[Violation] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """How often each reason of Ready was written."""
    set_reasons: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    last_fault: float = float("-inf")
    slow: float = float("-inf")
    """When a call last was slow, or its answer old."""
    outages_s: float = 0.0
    """For how long AWS has not answered, all in all. After what people see as unobserved a deadline begins anew."""
    _judged_calls: int = 0
    _first_written: dict[str, float] = field(default_factory=dict)
    """When a status of an object was written first, by its uid."""
    _promoted: set[str] = field(default_factory=set)
    """When what was promoted was resolved, as statuses have it."""
    _begun: set[str] = field(default_factory=set)
    _opened: dict[str, float] = field(default_factory=dict)
    """When each attempt was first seen under way: it may follow a deployment that is older than itself."""
    """Attempts that were announced."""
    _ended: set[tuple[str, str]] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)
    """Attempts whose end was written."""
    _blocked: dict[str, float] = field(default_factory=dict)
    """Since when Releases are Stalled."""
    _gave_up: list[float] = field(default_factory=list)

    # Each status that is written.

    def wrote(self, body: Mapping[str, Any]) -> None:
        """Judge a status at the moment at which it is written."""
        status = body.get("status") or {}
        if body["kind"] == "ReleaseSet":
            self._judge_set(status)
        if body["kind"] != "Release":
            return
        self._first_written.setdefault(body["metadata"]["uid"], self.scene.timeline.now)
        ready = condition(status, "Ready")
        self.reasons[f"{ready.get('status')} {ready.get('reason')}"] += 1
        if ready.get("status") == "True":
            self._judge_ready(body, status, ready)
        stalled = condition(status, "Stalled")
        if stalled.get("status") == "True" and PASSING in ready.get("message", ""):
            self.say("stalled/passing-refusal", f"Stalled: {ready.get('message')}")
        self._note_blocked(body["metadata"]["name"], stalled.get("status") == "True")
        self._judge_open(status.get("rollout") or {})
        self._judge_settled(status.get("rollout") or {})
        self._judge_earned(status)
        self._judge_begun(body, status.get("rollout") or {})
        for entry in status.get("history") or ():
            self._judge_entry(body, entry)

    def _judge_ready(self, body: Mapping[str, Any], status: Mapping[str, Any], ready: Mapping[str, Any]) -> None:
        now = self.scene.timeline.now
        states = self._service_states(status, now - self._bound_s(), now)
        pinned = {i["container"]: i["digest"] for i in (status.get("pin") or {}).get("images") or ()}
        wanted = {i["container"]: i["digest"] for i in body["spec"]["source"].get("images") or ()}
        if wanted and wanted != pinned and ready.get("observedGeneration") == body["metadata"]["generation"]:
            self.say(f"ready/another-source/{ready.get('reason')}", f"Ready=True of a source that nobody acted on: {ready.get('message')}")
        if any(self._is_proven(s, pinned, listed) for s in states for listed in self._listed(body, now)):
            # Since when too few run is known from the first look for this object on.
            if now - self._first_written[body["metadata"]["uid"]] < UNHEALTHY_S + self._bound_s():
                return
            before = self._service_states(status, now - UNHEALTHY_S - self._bound_s(), now)
            if all(2 * len(s.running) <= s.desired and s.desired > 0 for s in before) and len(before) < MANY_STATES:
                self.say(f"ready/too-few-tasks/{ready.get('reason')}", f"Ready=True: {ready.get('message')}; {len(states[-1].running)} run")
            return
        kept = self._of_listed(body, pinned)
        if ready.get("reason") in NOTHING_WANTED and any(s.desired == 0 and self._would_start(s, p) for s in states for p in kept):
            return
        self.say(f"ready/{self._kind_of_unproven(body, states, pinned)}/{ready.get('reason')}", f"Ready=True: {ready.get('message')}")

    def _kind_of_unproven(self, body: Mapping[str, Any], states: list[Service], pinned: Mapping[str, str]) -> str:
        last = states[-1]
        if set(self._listed(body, self.scene.timeline.now)[-1]) - pinned.keys():
            return "container-not-pinned"
        if last.primary.state == FAILED:
            return "failed-primary"
        if any(self._would_run(last, c) not in ("", self._release_of(d)) for c, d in pinned.items()):
            pinned_by_revision = all("@" in self._reference(last, c) for c in pinned)
            return "other-revision" if pinned_by_revision else "other-tag"
        if not last.running:
            return "no-task"
        shown = {self._names(d, c, pinned) for t in last.running for c, d in t.shows.items() if c in pinned}
        return "mixed-tasks" if len(shown) > 1 else "other-digests"

    def _names(self, digest: str, container: str, pinned: Mapping[str, str]) -> bool:
        return digest in self._accepted(pinned[container])

    def _is_proven(self, state: Service, pinned: Mapping[str, str], listed: Iterable[str]) -> bool:
        """Judge whether a state proves a pin: by its tasks, or as what its PRIMARY has shown before (Spot, scaling)."""
        if not self.scene.ecs.is_good(state) or set(listed) - pinned.keys():
            return False
        wanted = {c: self._release_of(pinned[c]) for c in listed}
        if any(self._would_run(state, c) not in ("", r) for c, r in wanted.items()):
            return False
        shown = [self.scene.ecs.shown_by_all(state), *self.scene.ecs.proofs.get(state.primary.id, ())]
        return any(found is not None and all(found.get(c) == r for c, r in wanted.items()) for found in shown)

    def _reference(self, state: Service, container: str) -> str:
        return self.scene.ecs.revisions[state.primary.revision].now.images.get(container, "")

    def _would_run(self, state: Service, container: str) -> str:
        """Return the release that the next task would run: what the first one has found, else what the revision names."""
        digest = state.primary.resolved.get(container, "")
        image = self.scene.registry.of_digest(digest)
        if image is None:
            image = self.scene.registry.of_reference(self._reference(state, container))
        return image.release if image else ""

    def _would_start(self, state: Service, pinned: Mapping[str, str]) -> bool:
        images = self.scene.ecs.revisions[state.primary.revision].now.images
        found = {c: self.scene.registry.of_reference(r) for c, r in images.items()}
        # Where a tag points is read now and then: it may have been another image's a moment ago.
        lately = {d for t, d in self.scene.registry.moved if self.scene.timeline.now - t < TAG_S + self._bound_s()}
        return all((i := found.get(c)) is not None and (d in i.digests or bool(lately & self._accepted(d))) for c, d in pinned.items())

    def _judge_entry(self, body: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        outcome, fate = entry.get("outcome", ""), self.scene.ecs.fates.get(entry.get("deploymentID", ""))
        said = (entry["attemptID"], outcome)
        if not outcome or said in self._ended:
            return
        self._ended.add(said)
        self.outcomes[outcome] += 1
        if outcome == "Abandoned" and any(c.attempt == entry["attemptID"] and c.deployment for c in self.scene.calls):
            self.say("history/deployed-called-Abandoned", f"attempt {entry['attemptID']}: {entry.get('message')}")
        if fate is None:
            return
        text = f"attempt {entry['attemptID']}: {outcome} ({entry.get('message')}), but its deployment ended {fate.end or 'not yet'}"
        if fate.by != "operator":
            return
        if outcome in GOOD and fate.end in (FAILED, ROLLED_BACK) and fate.completed is None:
            self.say(f"history/{fate.end.lower()}-called-{outcome}", text)
        if outcome in BAD and fate.end == COMPLETED:
            self.say(f"history/completed-called-{outcome}", text)
        if (
            outcome in BAD
            and fate.end == SUPERSEDED
            and not fate_is_ecs(self.scene, fate)
            and self._followed(fate).end not in (FAILED, ROLLED_BACK)
        ):
            self.say(f"history/superseded-called-{outcome}", text)
        if outcome == Reason.SUPERSEDED and fate.end == ROLLED_BACK and self.scene.timeline.now - fate.ended > self._slack_s():
            self.say("history/rolled-back-called-Superseded", text)
        # What was done before a status was lost is known by what ECS still lists alone.
        known = fate.completed is not None and self.scene.recreated <= fate.completed
        if outcome == Reason.SUPERSEDED and known and self._stood(fate) > 3 * self._slack_s() + self.outages_s:
            self.say("history/completed-called-Superseded", text)

    def _followed(self, fate: Fate) -> Fate:
        """Find the deployment that is followed in place of ours: the last one of the same images, each of which took over.

        What ECS has given up is not followed further: what it goes back to may have the same images.
        """
        images, seen = self._images_of(fate), [fate]
        while fate.end not in (FAILED, ROLLED_BACK) and (after := self.scene.ecs.fates.get(fate.succeeded_by)):
            if after in seen or self._images_of(after) != images:
                # A rollback reuses the id of what it returns to.
                break
            seen.append(after)
            fate = after
        return fate

    def _images_of(self, fate: Fate) -> dict[str, str]:
        """Name the release of each container of a deployment, by what its first task found, else by digest or tag."""
        if fate.resolved:
            return {c: self._release_of(d) for c, d in fate.resolved.items() if d}
        images = self.scene.ecs.revisions[fate.revision].now.images
        found = {c: self.scene.registry.of_reference(reference) for c, reference in images.items()}
        return {c: image.release for c, image in found.items() if image}

    def _judge_begun(self, body: Mapping[str, Any], rollout: Mapping[str, Any]) -> None:
        """A set that is suspended starts no service: what it has started goes on, and a retry is somebody's own request."""
        attempt, now = rollout.get("attemptID", ""), self.scene.timeline.now
        if attempt in self._begun or not self.scene.switches.has_set or self.scene.called(body).startswith(STAGE):
            return
        self._begun.add(attempt)
        intended, its_set = (rollout.get("intent") or {}).get("action"), self.scene.objects.history[self.scene.asked_of]
        stood = its_set.between(now - self._slack_s(), now)
        if intended and rollout.get("cause") != "Retry" and all(b is not None and self.scene.is_suspended(b["spec"]) for b in stood):
            name = body["metadata"]["name"]
            self.say("sets/begun-while-suspended", f"attempt {attempt} of {name} ({rollout['cause']}) has begun, and its set is suspended")

    def _judge_settled(self, rollout: Mapping[str, Any]) -> None:
        """An attempt ends without an announced answer to a hook of which that pass has read what became of it.

        A hook that failed where the operator itself takes the deployment back, or ECS does by itself, tells nothing of an answer that is to go
        back, too.
        """
        attempt = rollout.get("attemptID", "")
        if not rollout.get("outcome") or attempt in self._settled:
            return
        self._settled.add(attempt)
        status, read = self.scene.hooks_read.get(rollout.get("deploymentID", ""), ("", {}))
        call = (rollout.get("intent") or {}).get("action")
        for answer in _announced(rollout):
            fate = read.get(answer.get("hookID", ""))
            is_clear = status != "STOPPED" and all(s == "SUCCEEDED" for h, s in read.items() if h != answer.get("hookID"))
            by_answer = call == UPDATE and is_clear and not self._ended_by_itself(rollout.get("deploymentID", ""))
            known = fate == "SUCCEEDED" or (fate == "FAILED" and (answer["action"] == "CONTINUE" or by_answer))
            if known:
                text = f"{answer['action']} of {answer['hookID']} is announced, and the hook has {fate}"
                self.say("hooks/unsettled", f"attempt {attempt} has ended as {rollout['outcome']}: {text}")

    def _ended_by_itself(self, deployment_id: str) -> bool:
        """Say whether a deployment was ended by no answer to its hooks."""
        fate = self.scene.ecs.fates.get(deployment_id)
        return fate is not None and (fate.end == SUPERSEDED or (bool(fate.failed_by) and "ContinueServiceDeployment" not in fate.failed_by))

    def _judge_earned(self, status: Mapping[str, Any]) -> None:
        """An answer counts as accepted by AWS only if it was; or if somebody gave the same one there, while ours may have been on its way."""
        given = {c.hook for c in self.scene.calls if c.call == "continue_service_deployment"} | self.scene.answered_in_aws
        for attempt in (status.get("rollout") or {}, *(status.get("history") or ())):
            for answer in attempt.get("interventions") or ():
                what = f"{answer.get('hookID')} {answer.get('action')}"
                if answer.get("cause") == "Requested" and answer.get("acceptedTime") and what not in given:
                    self.say("hooks/unearned", f"{what} of {attempt.get('attemptID')} counts as accepted, and AWS was not given it")

    def _judge_open(self, rollout: Mapping[str, Any]) -> None:
        """An attempt that never comes further ends at its deadline, however often the process is another one."""
        fate, now = self.scene.ecs.fates.get(rollout.get("deploymentID", "")), self.scene.timeline.now
        if fate is None or fate.by != "operator" or rollout.get("outcome"):
            return
        if fate.end:
            if self.outages_s:
                return
            lately = (s for history in self.scene.ecs.services.values() for s in history.between(now - self._ended_s(), now))
            goes_back = any(s.rolls_back and s.primary.id == rollout["deploymentID"] for s in lately)
            if not goes_back and now - max(fate.ended, self.last_fault, self.scene.recreated) > self._ended_s():
                self.say("history/open", f"attempt {rollout['attemptID']} is under way, but its deployment ended {fate.end}")
            return
        opened = self._opened.setdefault(rollout["attemptID"], now)
        waited = now - max(fate.created, fate.progressed, opened, self.scene.recreated)
        if waited > 2 * self.scene.switches.deadline_s + SLOW_S + self.outages_s and not self.scene.switches.pauses:
            self.say("history/no-deadline", f"attempt {rollout['attemptID']} is open, and came no further for {waited:.0f} s")

    def _stood(self, fate: Fate) -> float:
        """Say for how long a deployment stood completed before another one took its place."""
        after = self.scene.ecs.fates.get(fate.succeeded_by)
        return (after.created if after else self.scene.timeline.now) - (fate.completed or 0.0)

    # Each call that AWS has accepted.

    def judge_calls(self) -> None:
        """Judge the calls that were accepted since, and whether an attempt is open for too long."""
        for _, body in self.scene.objects.of_kind("Release"):
            self._judge_open((body.get("status") or {}).get("rollout") or {})
        calls = self.scene.calls
        for index in range(self._judged_calls, len(calls)):
            if calls[index].call == "update_service":
                self._judge_update(calls[index], calls[:index])
            if calls[index].call == "move_tag":
                self._judge_move(calls[index])
            if calls[index].call == "continue_service_deployment":
                self._judge_answer(calls[index])
        self._judged_calls = len(calls)

    def _judge_move(self, call: Accepted) -> None:
        """A tag moves as far as an attempt may go on; where the attempt has failed, it returns unless the platform team stops that."""
        gates = self.scene.gates.between(call.sent - self._slack_s(), call.sent)
        if not any(self._is_open(g, call) for g in gates):
            self.say(f"gates/{self._shut(gates[-1])}", f"PutImage ({call.action or 'back'} of {call.attempt}) found its gates shut")

    def _judge_answer(self, call: Accepted) -> None:
        """A hook is answered as somebody asked who named it, and as status has announced; nothing goes on while that is stopped."""
        if call.hook != call.announced_hook:
            self.say("hooks/unannounced", f"{call.hook} of {call.attempt} was answered, and {call.announced_hook} was announced")
        if call.hook not in self.scene.approved:
            self.say("hooks/unasked", f"{call.hook} of {call.attempt} was answered, and nobody asked for that")
        gates = self.scene.gates.between(call.sent - self._slack_s(), call.sent)
        back = call.hook.endswith("ROLLBACK")
        if all(g.environment_suspended or g.observes or (g.suspended and not back) for g in gates):
            self.say(f"gates/{self._shut(gates[-1])}", f"{call.hook} of {call.attempt} was answered, and its gates were shut")

    def _judge_update(self, call: Accepted, before: list[Accepted]) -> None:
        same = [c for c in before if c.call == call.call and (c.uid, c.attempt, c.action) == (call.uid, call.attempt, call.action)]
        what = f"UpdateService to {call.revision.rpartition('/')[2]} ({call.action} of {call.attempt}, sent {call.sent:.0f} s)"
        if same:
            self.say("calls/deployed-twice" + ("-forced" if call.force else ""), f"{what} was accepted {len(same) + 1} times")
        self._judge_overrun(call, what)
        self._judge_settings(call, what)
        if call.release.startswith(STAGE):
            return
        gates = self.scene.gates.between(call.sent - self._slack_s(), call.sent)
        if not any(self._is_open(g, call) for g in gates):
            self.say(f"gates/{self._shut(gates[-1])}", f"{what} found its gates shut: {gates[-1]}")
        asked = max((t for t in self.scene.asked if t <= call.sent), default=0.0)
        lately = [c for c in before if (c.call, c.release) == (call.call, call.release) and c.sent >= max(asked, call.sent - LOOP_S)]
        if len(lately) >= LOOP_CALLS:
            self.say("calls/without-end", f"{what} is the {len(lately) + 1}th since somebody asked for an attempt")
        if call.action == UPDATE and call.cause not in UNASKED:
            alike = [c for c in before if c.release == call.release and c.action == UPDATE and c.cause not in UNASKED]
            made = sum(c.call == call.call for c in alike) + 1
            if made > sum(t <= call.sent for t in self.scene.asked):
                self.say(f"calls/unasked/{call.cause}", f"{what} is attempt {made}, and fewer were asked for")
            if any(asked < t < call.sent for t in self.scene.withdrawn):
                self.say("calls/withdrawn", f"{what} is what a retry asked for that was withdrawn")
        self._judge_direction(call, what, before)
        if call.release == "web" and self.scene.switches.has_set and call.cause not in UNASKED:
            self._judge_wave(call, what)
        begun = _began_to_go_back(call, before)
        if call.cause == "Rollback" and not self._has_failed(max((t for t in self.scene.asked if t <= begun), default=0.0), call):
            self.say("sets/rolled-back-for-nothing", f"{what} takes a set back of which no deployment has failed")
        if (
            self.scene.switches.controller != "ECS"
            and not self.scene.goes_elsewhere
            and call.release == "api"
            and call.cause not in UNASKED
        ):
            self.say("sets/deployed-before-refusal", f"{what}, and the service of the next wave can never be deployed")

    def _judge_settings(self, call: Accepted, what: str) -> None:
        """All but images is as in the base: what runs, or the newest revision of somebody else, unless what runs was built on a newer one."""
        scene, made = self.scene, self.scene.ecs.revisions[call.revision].now
        start = min(call.sent, made.registered) - SLOW_S
        running = [scene.ecs.revisions[s.primary.revision].now for s in scene.ecs.services[call.service].between(start, call.sent)]
        # A list of revisions may be old: whatever was the newest since then may have been the base.
        theirs = [r for r in scene.ecs.revisions.values() if r.now.family == made.family and r.now.registered_by != "operator"]
        moments = {start, call.sent, *(t for r in theirs for t in r.times if start < t <= call.sent)}
        latest = scene.switches.base_latest and call.action != RETURN
        bases = list(running) if not latest else []
        for moment in moments if latest else ():
            active = [s for r in theirs if r.times[0] <= moment and (s := r.at(moment)).status == "ACTIVE"]
            newest = max(active, key=lambda r: r.number, default=None)
            # One that has been deregistered since.
            newer = [r.now.settings for r in theirs if newest and r.times[0] <= moment and r.now.number > newest.number]
            bases += [newest, *(r for r in running if r.settings in newer)] if newest else running
        if made.settings not in [r.settings for r in bases]:
            self.say("calls/lost-settings", f"{what} has settings {made.settings}, which its base has not")

    def _judge_direction(self, call: Accepted, what: str, before: list[Accepted]) -> None:
        """What was asked for does not take the place of something newer, where that is not wanted. (A set may return to what it was Ready on.)"""
        switches = self.scene.switches
        if not switches.asks_graph or switches.has_set or switches.uses_tag or call.action == RETURN or call.cause in UNASKED:
            return
        image = self.scene.registry.of_reference(self.scene.ecs.revisions[call.revision].now.images["app"])
        states = self.scene.ecs.services[call.service].between(call.sent - self._slack_s(), call.sent)
        if image is None:
            return
        if image.release < (newer := self._under_way(call, states, before)):
            self.say("graph/before-newer", f"{what} takes {image.release} to where {newer} rolls out")
        shown = {(s.primary.id, (self.scene.ecs.shown_by_all(s) or {}).get("app", "")) for s in states}
        if len(shown) != 1:
            return
        ((_, runs),) = shown
        if image.release < runs:
            self.say("graph/backwards", f"{what} takes {image.release} to where {runs} runs")

    def _under_way(self, call: Accepted, states: Sequence[Service], before: list[Accepted]) -> str:
        """Return the image of the Release's attempt before this one, if nothing has ended it but this one."""
        last = next((c for c in reversed(before) if c.call == call.call and c.service == call.service), None)
        if last is None or last.uid != call.uid or last.action != UPDATE or {s.primary.id for s in states} != {last.deployment}:
            return ""
        bodies = [body for _, body in self.scene.objects.of_kind("Release") if body["metadata"]["uid"] == call.uid]
        entries = [e for body in bodies for e in (body.get("status") or {}).get("history") or () if e["attemptID"] == last.attempt]
        if not entries or any(e.get("outcome") not in (None, "", Reason.SUPERSEDED) for e in entries):
            return ""
        image = self.scene.registry.of_reference(self.scene.ecs.revisions[last.revision].now.images["app"])
        return image.release if image else ""

    def _judge_overrun(self, call: Accepted, what: str) -> None:
        """A deployment of somebody else, or ECS's own rollback, that is under way is given time to end."""
        if call.action == RETURN:
            return
        # What is under way once the call is sent, and carried out late, cannot be known.
        states = self.scene.ecs.services[call.service].between(call.sent - self._slack_s(), call.sent - 0.001)
        under_way = {s.primary.id for s in states if s.primary.state == IN_PROGRESS and s.primary.failed_tasks == 0}
        if len(under_way) != 1 or len({s.primary.id for s in states}) != 1 or any(s.primary.state != IN_PROGRESS for s in states):
            return
        fate = self.scene.ecs.fates[next(iter(under_way))]
        back = bool(states[-1].rolls_back)
        # A rollback may have the id and the time of the deployment that it returns to: it began when ours was given up.
        began = self.scene.ecs.fates[states[-1].rolls_back].ended if back else states[0].primary.created
        if (fate.by != "operator" or back) and call.sent - began < self.scene.switches.deadline_s - SLOW_S:
            self.say(f"calls/overran-{'rollback' if back else fate.by}", f"{what} overran a deployment that began at {began:.0f} s")

    @staticmethod
    def _is_open(gates: Gates, call: Accepted) -> bool:
        # What was deployed, and a tag that was moved, may go back.
        back = call.action == RETURN or (call.call == "move_tag" and call.has_ended)
        closed = gates.closed and not call.window and not call.has_moved and not back
        # spec.suspend stops what would be deployed, and lets an abort take back what was.
        suspended = gates.suspended and not back
        return not (suspended or gates.environment_suspended or gates.observes or closed)

    @staticmethod
    def _shut(gates: Gates) -> str:
        named = {"suspended": gates.suspended, "environment-suspended": gates.environment_suspended, "observes": gates.observes}
        return next((name for name, shut in named.items() if shut), "closed")

    # Sets.

    def _has_failed(self, since: float, call: Accepted) -> bool:
        """Return whether, since somebody asked for something, there was a reason to go back.

        A deployment failed, was never completed, or was somebody else's; tasks were missing; or something has blocked a Release for long.
        """
        fates = [f for f in self.scene.ecs.fates.values() if f.created < call.sent and (not f.end or f.ended >= since)]
        if any(f.by != "operator" or f.end in (FAILED, ROLLED_BACK) or f.completed is None for f in fates):
            return True
        waited = any(t >= since for t in self._gave_up) or self._has_waited(call.sent)
        return waited or any(self._lacked_tasks(s, since, call.sent) for s in self.scene.ecs.services.values())

    @staticmethod
    def _lacked_tasks(service: Snapshots[Service], since: float, until: float) -> bool:
        """Return whether a service had too few tasks for as long as it takes to be called unhealthy."""
        lacking = float("inf")
        for time, state in zip(service.times, service.states, strict=True):
            if time > until or (len(state.running) >= state.desired and max(time, since) - lacking >= UNHEALTHY_LEAST_S):
                break
            lacking = min(lacking, max(time, since)) if len(state.running) < state.desired else float("inf")
        return until - lacking >= UNHEALTHY_LEAST_S

    def _has_waited(self, now: float) -> bool:
        """Return whether something has blocked a Release for as long as an attempt may go without progress.

        A condition has the time at which its pass began; it is seen here when its write was accepted, after that pass's slow reads.
        """
        return any(now - since >= self.scene.switches.deadline_s - WRITTEN_S for since in self._blocked.values())

    def _note_blocked(self, name: str, stalled: bool) -> None:
        """Note since when a Release is Stalled, and when one was for so long that its set may have gone back for it."""
        if stalled:
            self._blocked.setdefault(name, self.scene.timeline.now)
        elif name in self._blocked:
            if self._has_waited(self.scene.timeline.now):
                self._gave_up.append(self.scene.timeline.now)
            del self._blocked[name]

    def _judge_promoted(self, status: Mapping[str, Any]) -> None:
        """What is promoted was proven where it comes from, a moment ago."""
        now, resolved = self.scene.timeline.now, status.get("resolvedTime", "")
        if not self.scene.promotes or resolved in self._promoted:
            return
        self._promoted.add(resolved)
        for line in status.get("services") or ():
            states = self.scene.service(line["name"], STAGE).between(now - self._bound_s(), now)
            pinned = {i["container"]: i["digest"] for i in line.get("images") or ()}
            if not line.get("origin") and pinned and not any(self._is_proven(s, pinned, pinned) for s in states):
                self.say("sets/promoted-unproven", f"{line['name']} is promoted, and nothing proves that in {STAGE}")

    def _judge_set(self, status: Mapping[str, Any]) -> None:
        """A set that has succeeded rests on the proofs of all its services."""
        self._judge_promoted(status)
        ready = condition(status, "Ready")
        self.set_reasons[f"{ready.get('status')} {ready.get('reason')}"] += 1
        if ready.get("status") != "True":
            return
        for listed in status.get("services") or ():
            if not self._service_is_proven(
                listed["name"], {i["container"]: i["digest"] for i in listed.get("images") or ()}, self._bound_s()
            ):
                self.say(f"sets/unproven/{ready.get('reason')}", f"Ready=True: {ready.get('message')}; {listed['name']} is not proven")

    def _judge_wave(self, call: Accepted, what: str) -> None:
        """The second wave begins once the first is proven, unless the set goes on whatever happens. An abort is no beginning."""
        if call.action == RETURN:
            return
        status = (self.scene.objects.get(self.scene.asked_of) or {}).get("status") or {}
        first = next((s for s in status.get("services") or () if s["name"] == "api"), None)
        if first is None or first.get("wants") or self.scene.switches.on_failure != "Halt":
            return
        images = {i["container"]: i["digest"] for i in first.get("images") or ()}
        if not self._service_is_proven("api", images, 2 * self._bound_s()):
            self.say("sets/wave-unproven", f"{what} began the second wave, but nothing proves the first")

    def _service_is_proven(self, name: str, pinned: Mapping[str, str], seconds: float) -> bool:
        body, now = self.scene.objects.get(self.scene.key(name)), self.scene.timeline.now
        if body is None:
            return False
        states = self._service_states(body.get("status") or {}, now - seconds, now, name)
        kept = self._of_listed(body, pinned)
        wanted = [self._is_proven(s, p, p) or (s.desired == 0 and self._would_start(s, p)) for s in states for p in kept]
        return bool(pinned) and any(wanted)

    # At rest.

    def judge_rest(self, name: str = "web") -> None:
        """Judge how a Release stands once nothing has happened for a while, and nothing has gone wrong for longer."""
        scene = self.scene
        body = scene.objects.get(scene.key(name))
        if body is None:
            return
        status, now = body.get("status") or {}, scene.timeline.now
        states = self._service_states(status, now - 2 * self._bound_s(), now, name)
        pinned = {i["container"]: i["digest"] for i in (status.get("pin") or {}).get("images") or ()}
        ready = condition(status, "Ready")
        text = f"Ready={ready.get('status')}, {ready.get('reason')}: {ready.get('message')}"
        proven = [self._is_proven(s, pinned, self._listed(body, now)[-1]) for s in states]
        nothing = all(s.desired == 0 for s in states)
        if ready.get("status") == "True" and not any(proven) and not nothing:
            self.say(f"rest/{self._kind_of_unproven(body, states, pinned)}/{ready.get('reason')}", text)
        # Where the environment's tag points is a finding, too.
        tags = self.scene.registry.tags
        strays = self.scene.uses_tag and any(tags[repository_of(c), TAG] not in self._accepted(d) for c, d in pinned.items())
        failed = ready.get("status") == "False" and ready.get("reason") in FAILURES and not strays
        if failed and len(states) == 1 and self._is_whole(states[0], pinned) and self._is_observed(body):
            self.say(f"rest/proven-but-{ready.get('reason')}", text)
        self._judge_history(body, status)
        self._judge_announced(status.get("rollout") or {}, states[-1])
        if self.scene.uses_tag:
            self._judge_tag(status.get("rollout") or {}, ready)

    def _judge_announced(self, rollout: Mapping[str, Any], state: Service) -> None:
        """An answer that is announced does not stand there while its hook waits: it is sent, or refused. Without the API nothing is sent."""
        taken_back = (rollout.get("intent") or {}).get("action") in (STOP, RETURN)
        if rollout.get("outcome") or taken_back or not self.scene.switches.has_deployments_api or not self.scene.switches.pauses:
            return
        hooks = self.scene.ecs.hooks_of(rollout.get("deploymentID", ""), state)
        for answer in _announced(rollout):
            if hooks.get(answer.get("hookID", "")) == "AWAITING_ACTION":
                self.say("hooks/not-sent", f"{answer['action']} of {answer['hookID']} is announced, and the hook waits")

    def _judge_tag(self, rollout: Mapping[str, Any], ready: Mapping[str, Any]) -> None:
        """A tag that an attempt has moved returns once that has failed, unless somebody has moved it on, or the platform team stops that."""
        gates, registry = self.scene.gates.now, self.scene.registry
        if rollout.get("outcome") != ready.get("reason") or gates.environment_suspended or gates.observes:
            return
        for image in rollout.get("images") or () if rollout["outcome"] in TAKES_BACK else ():
            repository = repository_of(image["container"])
            moved = image.get("tagDigest") and image.get("toDigest") not in (None, image["tagDigest"])
            if moved and registry.tags[repository, TAG] == image["toDigest"] and registry.movers[repository] == "operator":
                self.say(
                    f"tags/kept-after-{rollout['outcome']}", f"the tag of {repository} points to what attempt {rollout['attemptID']} tried"
                )

    def _is_whole(self, state: Service, pinned: Mapping[str, str]) -> bool:
        """Judge whether all wanted tasks run what is wanted, of a deployment that is done."""
        shown, whole = self.scene.ecs.shown_by_all(state), len(state.running) == state.desired == len(state.tasks)
        wanted = {c: self._release_of(d) for c, d in pinned.items()}
        proven = shown is not None and bool(pinned) and all(shown.get(c) == r for c, r in wanted.items())
        return proven and whole and state.primary.state == COMPLETED

    def _is_observed(self, body: Mapping[str, Any]) -> bool:
        return body["metadata"]["generation"] == (body.get("status") or {}).get("observedGeneration")

    def _judge_history(self, body: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Each accepted call has one entry, and that tells an end where there was one."""
        entries = Counter(e["attemptID"] for e in status.get("history") or ())
        outcomes = {e["attemptID"]: e.get("outcome", "") for e in status.get("history") or ()}
        for attempt, count in entries.items():
            if count > 1:
                self.say("history/twice", f"attempt {attempt} has {count} entries")
        mine = [c for c in self.scene.calls if c.call == "update_service" and c.uid == body["metadata"]["uid"] and c.action == UPDATE]
        now = self.scene.timeline.now
        for call in mine[-8:]:
            if call.attempt not in entries and len(entries) < 10:
                self.say("history/missing", f"attempt {call.attempt}, accepted at {call.applied:.0f} s, has no entry")
            fate = self.scene.ecs.fates[call.deployment]
            followed = self._followed(fate)
            long_ago = followed.end and now - followed.ended > self._ended_s()
            after = self.scene.ecs.fates.get(fate.succeeded_by)
            alone = after is None or (fate.end != SUPERSEDED and after.created - fate.ended > ENDED_S)
            # A newer attempt that has begun, and is held up before it deploys, has taken its place in status.
            alone = alone and not any(e["attemptID"] != call.attempt and not e.get("deploymentID") for e in status.get("history") or ())
            if outcomes.get(call.attempt) == Reason.SUPERSEDED and fate.end and alone:
                self.say(f"history/{fate.end}-not-recorded", f"attempt {call.attempt} is called Superseded, and ended {fate.end}")
            if call.attempt in outcomes and not outcomes[call.attempt] and long_ago:
                self.say("history/open", f"attempt {call.attempt} is under way, but its deployment ended {fate.end}")

    # Helpers.

    def say(self, rule: str, message: str) -> None:
        """Note that a rule did not hold."""
        if not any(fnmatchcase(rule, pattern) for pattern in self.off):
            self.found.append(Violation(rule, message, self.scene.timeline.now))

    def _ended_s(self) -> float:
        """How long after its deployment's end an attempt may be open: what took its place may run nothing before the deadline."""
        return max(ENDED_S, self.scene.switches.deadline_s + SLOW_S)

    def _slack_s(self) -> float:
        return QUICK_S if self.scene.timeline.now - self.slow > SLOW_S else SLOW_S

    def _bound_s(self) -> float:
        late = self.scene.timeline.now - self.last_fault < GRACE_S + LAG_S + PASS_S
        return LAG_S + PASS_S + self.scene.switches.interval_s + (GRACE_S if late else 0.0)

    def _service_states(self, status: Mapping[str, Any], start: float, end: float, name: str = "web") -> list[Service]:
        arn = (status.get("target") or {}).get("serviceARN", "")
        found = self.scene.ecs.services.get(arn.rpartition("/")[2]) or self.scene.service(name)
        return found.between(start, end)

    def _listed(self, body: Mapping[str, Any], now: float) -> list[list[str]]:
        """List the containers that the Project listed a moment ago and now."""
        projects, name = self.scene.objects.history[self.scene.project].between(now - PASS_S, now), body["spec"]["service"]
        services = [s for p in projects if p is not None for s in p["spec"]["serviceSets"][0]["services"] if s["name"] == name]
        return [[c["name"] for c in s["containers"]] for s in services]

    def _of_listed(self, body: Mapping[str, Any], pinned: Mapping[str, str]) -> list[dict[str, str]]:
        """Leave out of pinned digests what the Project does not list any more, by each of its lists of a moment ago and now."""
        return [{c: d for c, d in pinned.items() if c in listed} for listed in self._listed(body, self.scene.timeline.now)]

    def _release_of(self, digest: str) -> str:
        image = self.scene.registry.of_digest(digest)
        return image.release if image else ""

    def _accepted(self, digest: str) -> frozenset[str]:
        image = self.scene.registry.of_digest(digest)
        return image.digests if image else frozenset()


def fate_is_ecs(scene: Scene, fate: Fate) -> bool:
    """Return whether ECS itself has replaced a deployment."""
    after = scene.ecs.fates.get(fate.succeeded_by)
    return after is not None and after.by == "ecs"


def condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Find a condition."""
    return next((c for c in status.get("conditions") or () if c["type"] == kind), {})


def _began_to_go_back(call: Accepted, before: Sequence[Accepted]) -> float:
    """Return when a set began to go back: what somebody asks for meanwhile does not end that."""
    begun = call.sent
    for earlier in reversed([c for c in before if c.call == call.call and not c.release.startswith(STAGE)]):
        if earlier.cause != call.cause:
            break
        begun = earlier.sent
    return begun


def _announced(rollout: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the answers to hooks that an attempt has announced, and of which status does not say that AWS has accepted them."""
    return [a for a in rollout.get("interventions") or () if a.get("cause") == "Requested" and not a.get("acceptedTime")]
