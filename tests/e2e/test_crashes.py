"""The operator is killed at random moments: every rollout ends, nothing is deployed twice, no attempt is lost."""

from __future__ import annotations

import random
import time

from tests.e2e.bed import Place, condition

KILLS = 50
_SERVICES = ("one", "two", "three")
_LATENCY_S = 0.4


def test_killed_fifty_times(place: Place) -> None:
    chance = random.Random(7)
    for service in _SERVICES:
        place.service("v0", service)
    place.environment()
    place.project(*_SERVICES)
    for action in ("RegisterTaskDefinition", "UpdateService"):
        place.aws.fault(action, kind="delay", seconds=_LATENCY_S, times=None, match=place.name)
    wanted: dict[str, list[str]] = {service: [] for service in _SERVICES}
    kills = 0
    try:
        while kills < KILLS:
            _next_round(place, wanted)
            while not all(_done(place, service, sources[-1]) for service, sources in wanted.items()):
                if kills == KILLS:
                    place.bed.operator.wait_until_ready()
                    for service in _SERVICES:
                        place.wait("Succeeded", service)
                    break
                _moment(place, chance)
                place.bed.operator.kill()
                place.bed.operator.start()
                kills += 1
    finally:
        place.aws.control("clear-faults", match=place.name)
        place.bed.restart_operator()
    for service, sources in wanted.items():
        status = place.wait("Succeeded", service)
        history = [(h["hash"], h["outcome"]) for h in status["history"]]
        assert history == [(source, "Succeeded") for source in reversed(sources)][:10]
        started = [c for c in place.updates() if c["parameters"]["service"] == service and not c["error"]]
        assert len(started) == len(sources), f"{service} was deployed {len(started)} times for {sources}"
    assert kills == KILLS


def _moment(place: Place, chance: random.Random) -> None:
    """Wait for a moment to kill: any, or while AWS is carrying a mutating call out, or just after it."""
    if chance.random() < 0.4:
        time.sleep(chance.uniform(0.0, 2.5))
        return
    known, end = len(place.mutations()), time.monotonic() + 3
    while len(place.mutations()) == known and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(chance.uniform(0.0, 1.5 * _LATENCY_S))


def _next_round(place: Place, wanted: dict[str, list[str]]) -> None:
    for service, sources in wanted.items():
        source = f"v{len(sources) + 1}"
        place.push(f"slow.{source}" if len(sources) % 3 == 2 else source, source, service=service)
        place.release(source, service)
        sources.append(source)


def _done(place: Place, service: str, source: str) -> bool:
    status = place.status(service)
    return condition(status, "Ready").get("status") == "True" and status.get("running", {}).get("hash") == source
