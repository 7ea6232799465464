"""The waves of a set on a scale of time: what the drawing is made of. Pure.

All is in units of the drawing, one of which is a pixel where there is room for it. Times are told from the start, so that the drawing is
the same in every time zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.bounded_types import CUT
from ecs_release.pages.ages import age
from ecs_release.pages.sets.details import ServiceLine, SetDetails, WaveLines

WIDTH = 860
NAMES, STATES = 210, 170
"""Room for the names on the left, and for the states on the right."""
ROW, TOP, GAP = 26, 30, 10
_LEAST = 3.0
"""What took no time is seen, too."""
_LONGEST = 26
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: a wave, or one of its services. Without a width nothing of it has begun; `is_open`: it has not ended."""

    label: str
    title: str
    y: float
    x: float
    width: float
    style: str
    mark: str
    state: str
    is_wave: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing."""

    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    began: datetime
    span: str


def draw(shown: SetDetails) -> Timeline | None:
    """Return the drawing of a set; None if nothing has begun."""
    spans = [(wave.began, wave.ended) for wave in shown.waves]
    spans += [(one.began, one.ended) for wave in shown.waves for one in wave.services]
    times = [time for span in spans for time in span if time is not None]
    if not times:
        return None
    began, last = min(times), max(times)
    if shown.is_under_way:
        last = max(last, shown.time)
    span_s = max((last - began).total_seconds(), 1.0)
    scale = _Scale(began, last, (WIDTH - NAMES - STATES) / span_s)
    bars, y = list[Bar](), float(TOP)
    for wave in shown.waves:
        if wave.number:
            bars.append(_of_wave(wave, scale, y))
            y += ROW
        for line in wave.services:
            bars.append(_of_service(line, scale, y))
            y += ROW
        y += GAP
    return Timeline(y, tuple(bars), _ticks(span_s, scale), began, age(span_s))


@dataclass(frozen=True, slots=True)
class _Scale:
    began: datetime
    last: datetime
    per_s: float

    def at(self, time: datetime) -> float:
        return round(NAMES + max(0.0, (time - self.began).total_seconds()) * self.per_s, 1)

    def bar(self, began: datetime | None, ended: datetime | None) -> tuple[float, float]:
        """Return where a bar begins, and its width."""
        if began is None:
            return 0.0, 0.0
        x = self.at(began)
        return x, round(max(_LEAST, self.at(ended or self.last) - x), 1)


def _of_wave(wave: WaveLines, scale: _Scale, y: float) -> Bar:
    x, width = scale.bar(wave.began, wave.ended)
    state = _took(wave.state or "Pending", wave.began, wave.ended)
    title = f"Wave {wave.number}"
    return Bar(title, f"{title}: {state}", y, x, width, "dim", "", state, is_wave=True, is_open=wave.ended is None)


def _of_service(line: ServiceLine, scale: _Scale, y: float) -> Bar:
    x, width = scale.bar(line.began, line.ended)
    state = _took(line.state, line.began, line.ended)
    label = line.name if len(line.name) <= _LONGEST else line.name[: _LONGEST - 1] + CUT
    return Bar(label, f"{line.name}: {state}", y, x, width, line.style, line.mark, state, is_wave=False, is_open=line.ended is None)


def _took(state: str, began: datetime | None, ended: datetime | None) -> str:
    return f"{state[:20]}, {age((ended - began).total_seconds())}" if began and ended else state[:20]


def _ticks(span_s: float, scale: _Scale) -> tuple[Tick, ...]:
    step_s = next((step for step in _STEPS_S if span_s / step <= _MOST_TICKS), int(span_s / _MOST_TICKS) + 1)
    return tuple(
        Tick(round(NAMES + second * scale.per_s, 1), age(second) if second else "0") for second in range(0, int(span_s) + 1, step_s)
    )
