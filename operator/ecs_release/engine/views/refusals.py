"""What a sink refuses: parts of documents, each of which waits for its own next try, so that it delays nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.views.shown import Shown

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 300.0

PartName = tuple[str, str]
"""The view's id, and the part's name."""


@dataclass(slots=True)
class _Refusal:
    """A part that was refused with that content, and is not sent again before a time. No Environment: nobody is told."""

    environment: str
    problem: Blocked
    content: str
    until_s: float
    pause_s: float = 2 * _FIRST_PAUSE_S


def is_past(one: Shown) -> bool:
    """Return whether nobody looks for a deployment set any more."""
    return one.told is None and not one.is_latest and (one.is_replaced or not one.is_good)


class Refusals:
    """What is refused, by object: forgotten with the object, and once the sink takes it."""

    def __init__(self) -> None:
        """Nothing was refused yet."""
        self._of: defaultdict[ObjectKey, dict[PartName, _Refusal]] = defaultdict(dict)

    def note(self, key: ObjectKey, environment: str, name: PartName, content: str, problem: Blocked, now_s: float) -> bool:
        """Note that a part was refused: it is tried again after 1 s, then 2 s, up to every five minutes. Returns whether that is news."""
        known = self._of[key].get(name)
        if known is None:
            self._of[key][name] = _Refusal(environment, problem, content, now_s + _FIRST_PAUSE_S)
            return bool(environment)
        is_news = (known.environment, known.problem.message) != (environment, problem.message)
        known.environment, known.problem, known.content = environment, problem, content
        known.until_s, known.pause_s = now_s + known.pause_s, min(_LAST_PAUSE_S, 2 * known.pause_s)
        return is_news

    def is_refused(self, key: ObjectKey, name: PartName) -> bool:
        """Return whether a part was refused when it was sent last."""
        return name in self._of.get(key, {})

    def waits_s(self, key: ObjectKey, name: PartName, content: str, now_s: float) -> float:
        """Return for how long a part is not to be sent; 0: it may be. Other content may be taken at once."""
        known = self._of.get(key, {}).get(name)
        return max(0.0, known.until_s - now_s) if known is not None and known.content == content else 0.0

    def hush(self, key: ObjectKey, name: PartName) -> bool:
        """Tell no longer of a part. Returns whether it was told of."""
        was, self._of[key][name].environment = self._of[key][name].environment, ""
        return bool(was)

    def keep(self, key: ObjectKey, names: Collection[PartName]) -> bool:
        """Forget all that was refused of an object but these parts. Returns whether anybody was told of one."""
        gone = [self._of[key].pop(name) for name in self._of.get(key, {}).keys() - set(names)]
        if not self._of.get(key):
            self._of.pop(key, None)
        return any(one.environment for one in gone)

    def lift(self, key: ObjectKey, name: PartName) -> bool:
        """Note that a part was taken. Returns whether it was refused before."""
        return self.keep(key, self._of.get(key, {}).keys() - {name})

    def of(self, environment: str) -> list[tuple[ObjectKey, Blocked]]:
        """List the objects of an Environment of which something is refused, each with one reason."""
        found = {
            key: refusal.problem for key, parts in self._of.items() for refusal in parts.values() if refusal.environment == environment
        }
        return sorted(found.items(), key=lambda one: str(one[0]))
