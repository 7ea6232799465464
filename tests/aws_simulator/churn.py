"""Churn, as Application Auto Scaling and Spot make it: a service's desired count changes all the time, and running tasks are lost.

Neither is a deployment: its revision and its deployments stay as they are.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.aws_simulator.client import Simulator


@dataclass
class Churned:
    """How often what was done."""

    scaled: int = 0
    lost: int = 0


@contextmanager
def churn(
    aws: Simulator, service: str, *, desired: Sequence[int] = (), every_s: float = 0.3, seed: int = 1, **where: str
) -> Iterator[Churned]:
    """Until the end of the block: lose a random running task every `every_s` seconds and, where given, set one of the desired counts."""
    done, stop, chance = Churned(), threading.Event(), random.Random(seed)
    faults: list[BaseException] = []

    def go() -> None:
        try:
            while not stop.wait(every_s):
                done.lost += bool(aws.lose_any_task(service, chance, **where))
                if desired:
                    aws.scale(service, chance.choice(list(desired)), **where)
                    done.scaled += 1
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=go, daemon=True, name=f"churn of {service}")
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join(30)
    if faults:
        raise faults[0]
