"""The series of each condition of each Release: tens of thousands of lines, rendered in pieces."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from prometheus_client import Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ecs_release.domain.model.conditions import FALSE, TRUE
from ecs_release.engine.store.store import ReleaseFacts

_LABELS = ("namespace", "name", "environment", "service", "type")
_VALUES = {TRUE: 1.0, FALSE: 0.0}
_UNKNOWN = -1.0
_RELEASES_A_PIECE = 10
_GIVE_WAY_S = 1e-5


def value_of(status: str) -> float:
    """Return the number that stands for a condition's status: 1 True, 0 False, -1 Unknown."""
    return _VALUES.get(status, _UNKNOWN)


class _Piece(Collector):
    """The conditions of some Releases."""

    def __init__(self, releases: Sequence[ReleaseFacts]) -> None:
        self._releases = releases

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("ecs_release_condition", "Conditions of Releases: 1 True, 0 False, -1 Unknown.", labels=_LABELS)
        for r in self._releases:
            for kind, status in r.conditions:
                family.add_metric((r.key.namespace, r.key.name, r.environment, r.service, kind), value_of(status))
        yield family


def pieces(releases: Sequence[ReleaseFacts]) -> Iterator[bytes]:
    """Yield the family's text in pieces: for 5,000 Releases all of it would take 20 MB.

    The interpreter lock is released for the event loop after each piece, not only after Python's switch interval of 5 ms.
    """
    for start in range(0, max(1, len(releases)), _RELEASES_A_PIECE):
        text = generate_latest(_Piece(releases[start : start + _RELEASES_A_PIECE]))
        # A family has one head (# HELP, # TYPE).
        yield text if start == 0 else text.split(b"\n", 2)[2]
        time.sleep(_GIVE_WAY_S)
