"""What an Environment's status says of its promotions: which are overdue, and what is wrong with its rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.promotion import OverdueRelease, Promotion, PromotionStatus
from ecs_release.domain.environments.working_time import check
from ecs_release.domain.model.errors import Blocked
from ecs_release.engine.store.release_counter import ReleaseCounter
from ecs_release.engine.store.store import Store

_LISTED = 20


@dataclass(frozen=True, slots=True)
class PromotionSummary:
    """Summarizes by what the store keeps: it costs the same however many Releases there are."""

    store: Store
    counter: ReleaseCounter

    def of(self, environment: Environment) -> PromotionStatus | None:
        """Return what status says; None if the Environment has no rule, or nothing is overdue and nothing wrong."""
        rule, name = environment.spec.promotion, environment.metadata.name
        if rule is None:
            return None
        count, found = self.counter.overdue(name, _LISTED)
        message = self._problem(name, rule)
        if not count and not message:
            return None
        listed = [
            OverdueRelease(namespace=key.namespace, name=key.name, hash=what.hash or None, since_time=_parsed(what.since))
            for what, key in found
        ]
        return PromotionStatus(overdue=count, releases=listed or None, message=message or None)

    def _problem(self, name: str, rule: Promotion) -> str:
        if rule.from_.name == name:
            return "promotion.from names this Environment itself: nothing is promoted from it"
        if rule.from_.name not in self.store.environments:
            return f"there is no Environment {rule.from_.name!r}, which promotion.from names: create it, or correct the name"
        try:
            check(rule.working_hours)
        except Blocked as problem:
            return f"{problem.message}; nothing is said to be overdue until then"
        return ""


def _parsed(time: str) -> datetime | None:
    return datetime.fromisoformat(time) if time else None
