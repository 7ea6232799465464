"""Each call of the real process is a point at which it may die: before it, when it is carried out, and after its answer."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from urllib3 import Retry

from tests.aws_simulator.client import Simulator
from tests.control_plane.control_plane import Cluster, control_plane
from tests.e2e.bed import GROUP, ROOT, VERSION, Bed, Place, condition, custom_objects
from tests.operator_process import FAST
from tests.reliability.calls import CrashPoint, Phase, is_read
from tests.reliability.disturbances import Disturbance, Stage
from tests.reliability.mortal import MortalOperator
from tests.reliability.scenarios import SETTINGS, Scenario
from tests.reliability.wires import Wires, wires

_QUIET_S = 2.0
"""For how long nothing may follow the end of a scenario: many passes, each of which would deploy what is not known to be deployed."""
_LOOK_S = 0.1
_RETRIES = 60


@dataclass
class Ground:
    """A control plane and a simulated AWS, in which one scenario is played after another."""

    cluster: Cluster
    aws: Simulator
    api: Any

    @contextmanager
    def place(self, wires: Wires | None = None) -> Iterator[tuple[Place, MortalOperator]]:
        """Make a place, and the operator that looks after it, not yet running."""
        kubeconfig, environment = self.cluster.kubeconfig, self.aws.environment()
        if wires is not None:
            kubeconfig, environment = wires.kubeconfig(kubeconfig), {**environment, "AWS_ENDPOINT_URL": wires.aws_url}
        with MortalOperator(kubeconfig, environment, {**FAST, **SETTINGS}) as operator:
            bed = Bed(self.cluster, self.aws, operator, self.api)
            with bed.cleared():
                yield Place(bed), operator


@contextmanager
def ground(time_scale: float = 60.0) -> Iterator[Ground]:
    """Run what all scenarios need; AWS's durations are divided by `time_scale`."""
    with control_plane() as cluster, Simulator(time_scale=time_scale) as aws:
        cluster.install_crds(ROOT / "crds")
        yield Ground(cluster, aws, _patient(custom_objects(cluster)))


def _patient(api: Any) -> Any:
    """Have a client wait for an API server that is restarted."""
    pools = api.api_client.rest_client.pool_manager
    pools.connection_pool_kw["retries"] = Retry(total=_RETRIES, backoff_factor=0.1, backoff_max=1.0, allowed_methods=None)
    return api


@dataclass
class Played:
    """What one scenario did: its calls, how often the process died, which faults its wires met, and what did not hold."""

    calls: Counter[str] = field(default_factory=Counter)
    died: int = 0
    met: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    violations: list[str] = field(default_factory=list)


def play(
    on: Ground, scenario: Scenario, point: CrashPoint | None = None, *, faults: int | None = None, disturbance: Disturbance | None = None
) -> Played:
    """Play a scenario to its end: with a death at a crash point, wires that misbehave by a seed in the beginning, or a disturbance."""
    played = Played()
    with ExitStack() as stack:
        has_wires = faults is not None or disturbance is not None
        both = stack.enter_context(wires(on.cluster.kubeconfig, on.aws.endpoint, faults or 0)) if has_wires else None
        place, operator = stack.enter_context(on.place(both))
        stage = Stage(on.cluster, place, operator, both) if both else None
        environment = disturbance.settle(stage) if disturbance and stage else {}
        scenario.prepare(place)
        begun = place.aws.mark()
        with operator.running(point, environment), _watched(place, played.violations), ExitStack() as meanwhile:
            if both and faults is not None:
                meanwhile.enter_context(both.misbehaving())
            if disturbance and stage:
                meanwhile.enter_context(_disturbed(stage, disturbance, begun, played))
            try:
                scenario.play(place)
                time.sleep(_QUIET_S)
                _wait_for_history(place, scenario)
            except AssertionError as error:
                played.violations.append(str(error))
            played.died, played.calls = operator.died, operator.calls()
            played.violations += operator.ends
        played.violations += _wrong(place, scenario, begun)
        played.met = both.met() if both else Counter()
    return played


@contextmanager
def _disturbed(stage: Stage, disturbance: Disturbance, begun: int, played: Played) -> Iterator[None]:
    """Disturb a scenario as soon as a deployment of its was accepted, and see to it that this happens."""
    over = threading.Event()
    striker = threading.Thread(target=_strike, args=(stage, disturbance, begun, over, played), daemon=True)
    striker.start()
    try:
        yield
    finally:
        over.set()
        striker.join()


def _strike(stage: Stage, disturbance: Disturbance, begun: int, over: threading.Event, played: Played) -> None:
    try:
        while not _accepted(stage.place, begun)["UpdateService"]:
            if over.wait(_LOOK_S):
                played.violations.append("it was over before it could be disturbed")
                return
        disturbance.strike(stage)
        played.struck += 1
    except Exception as error:
        played.violations.append(f"it could not be disturbed: {error!r}")
        raise


def _accepted(place: Place, begun: int) -> Counter[str]:
    """Count what AWS has accepted from the operator of a place."""
    return Counter(c["action"] for c in place.aws.calls(since=begun) if f"/{place.name}/" in c["caller"] and not c["error"])


def _wait_for_history(place: Place, scenario: Scenario) -> None:
    """Raise AssertionError if the history that must be there does not come."""
    place.until(lambda: _histories(place, scenario) in (scenario.history, scenario.if_late), f"history {dict(scenario.history)}",
                show=lambda: _histories(place, scenario))  # fmt: skip


def _histories(place: Place, scenario: Scenario) -> dict[str, list[tuple[str, str]]]:
    found = {r["spec"]["service"]: r.get("status") or {} for r in place.bed.cluster.get("releases", "-n", place.name)["items"]}
    return {s: [(h["cause"], h.get("outcome", "")) for h in found.get(s, {}).get("history") or ()] for s in scenario.history}


def _wrong(place: Place, scenario: Scenario, begun: int) -> Iterator[str]:
    """Yield what ECS accepted too often: an attempt registers one revision and deploys it once."""
    accepted = _accepted(place, begun)
    expected = {
        "UpdateService": scenario.updates,
        "RegisterTaskDefinition": scenario.revisions,
        "ContinueServiceDeployment": scenario.answers,
    }
    for action, wanted in expected.items():
        if accepted[action] != wanted:
            yield f"{action} was accepted {accepted[action]} times, not {wanted}"


@contextmanager
def _watched(place: Place, violations: list[str]) -> Iterator[None]:
    """Judge what Releases say while a scenario is played: Ready=True is true."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(place, over, violations), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(place: Place, over: threading.Event, violations: list[str]) -> None:
    api = _patient(custom_objects(place.bed.cluster))
    try:
        while not over.wait(_LOOK_S):
            for release in _releases(api, place):
                found = _untrue(place, release)
                same = [r for r in _releases(api, place) if r["metadata"]["resourceVersion"] == release["metadata"]["resourceVersion"]]
                # One that was written meanwhile is looked at again.
                if found and same:
                    violations.append(found)
                    return
    except Exception as error:
        violations.append(f"nobody watched any more: {error!r}")
        raise


def _releases(api: Any, place: Place) -> list[dict[str, Any]]:
    return list(api.list_namespaced_custom_object(GROUP, VERSION, place.name, "releases")["items"])


def _untrue(place: Place, release: dict[str, Any]) -> str:
    """Return in what a Release that is Ready is wrong; an empty string if it is right, or somebody has deployed since."""
    status = release.get("status") or {}
    ready = condition(status, "Ready")
    if ready.get("status") != "True" or status.get("observedGeneration") != release["metadata"]["generation"]:
        return ""
    where = {"cluster": place.name, "account": place.account, "region": place.region}
    name = status["target"]["serviceARN"].rpartition("/")[2]
    wanted = {image["container"]: {image["digest"]} for image in status["pin"]["images"]}
    # Before the service: if its deployment is still PRIMARY then, no tasks of another one were among these.
    running = place.aws.running_digests(name, **where)
    primary = next(d for d in place.aws.service(name, **where)["deployments"] if d["status"] == "PRIMARY")
    if primary["id"] != status["running"]["deploymentID"] or (primary["rolloutState"] == "COMPLETED" and running == wanted):
        return ""
    return (
        f"{release['metadata']['name']} is Ready ({ready['reason']}) while {primary['rolloutState']} and {running} run instead of {wanted}"
    )


def points(calls: Counter[str], chance: random.Random) -> list[CrashPoint]:
    """Return the crash points of calls as they were counted where nothing went wrong: of reads, which change nothing, one each."""
    found = []
    for call, number in sorted(calls.items()):
        if is_read(call):
            found.append(CrashPoint(call, chance.randint(1, number), Phase.BEFORE))
        else:
            found += [CrashPoint(call, n, phase) for n in range(1, number + 1) for phase in Phase]
    return found
