"""Faults on demand, and the log of all calls."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass, field, fields
from itertools import takewhile
from typing import Any

KINDS = ("error", "lost", "lost-error", "drop", "delay", "answer")
MUTATING = ("Register", "Update", "Create", "Delete", "Put", "Stop", "Deregister", "Tag", "Untag", "BatchDelete", "Continue", "Set",
            "TransactWrite", "BatchWrite")  # fmt: skip
_KEPT = ("cluster", "service", "services", "taskDefinition", "forceNewDeployment", "desiredCount", "repositoryName", "imageIds", "family",
         "tasks", "serviceName", "tags", "RoleArn", "ExternalId", "RoleSessionName", "serviceDeploymentArn", "stopType", "hookId", "action", "registryId",
         "serviceDeploymentArns", "serviceRevisionArns", "resourceArn", "imageTag", "imageDigest", "TableName", "IndexName",
         "ExclusiveStartKey")  # fmt: skip


@dataclass
class Call:
    """One call that was made."""

    number: int
    time: float
    account: str
    region: str
    service: str
    action: str
    caller: str
    parameters: dict[str, Any]
    error: str = ""
    user_agent: str = ""

    @property
    def mutating(self) -> bool:
        """Whether it changes something."""
        return self.action.startswith(MUTATING)


@dataclass
class Fault:
    """What happens to calls of an action.

    `kind`: `error` (with `code`, `message`, `status`, and `more` fields in its body), `lost` (carried out, and the connection is dropped), `lost-error` (carried out,
    and answered with `code`, `message` and `status` all the same), `drop` (dropped before), `delay` (`seconds`), `answer` (not carried out,
    and answered with `body` as if it were). `action` "*" is any.
    `times` limits how often (None: no limit), `fraction` is the share of fitting calls, `every` lets it happen to each nth of them;
    `match` must be a part of the parameters' text.
    """

    action: str
    kind: str = "error"
    code: str = "ServerException"
    message: str = "Service Unavailable. Please try again later."
    status: int = 500
    seconds: float = 0.0
    times: int | None = 1
    match: str = ""
    account: str = ""
    fraction: float = 1.0
    every: int = 1
    body: str = "null"
    more: dict[str, Any] = field(default_factory=dict)
    number: int = field(default_factory=itertools.count().__next__)
    fitting: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a kind that there is not."""
        if self.kind not in KINDS:
            raise ValueError(f"no fault of kind {self.kind}; there are {', '.join(KINDS)}")


@dataclass
class Denial:
    """Who may not do what: an empty string means everybody, everything."""

    action: str = ""
    role: str = ""
    account: str = ""
    match: str = ""


class Faults:
    """All faults, denials, roles and calls."""

    def __init__(self, seed: int = 1) -> None:
        """Nothing fails at first. `credentials_s` cuts credentials short of what they say; `credentials_duration_s` is what they say."""
        self.faults: list[Fault] = []
        self.denials: list[Denial] = []
        self.external_ids: dict[str, str] = {}
        self.roles: list[str] | None = None
        self.credentials_s: float | None = None
        self.credentials_duration_s: float | None = None
        self._chance = random.Random(seed)
        self.latency_s = 0.0
        self.calls: deque[Call] = deque(maxlen=200_000)
        self._numbers = itertools.count(1)

    def record(self, **facts: Any) -> Call:
        """Log a call."""
        facts["parameters"] = {k: v for k, v in facts["parameters"].items() if k in _KEPT}
        call = Call(number=next(self._numbers), **facts)
        self.calls.append(call)
        return call

    def knows(self, role: str) -> bool:
        """Return whether a role may be assumed at all; every one may unless `roles` lists those that there are."""
        return self.roles is None or role in self.roles

    def fault_for(self, account: str, action: str, parameters: dict[str, Any]) -> Fault | None:
        """Return what shall happen to a call, and count it."""
        for fault in self.faults:
            fits = fault.action in ("*", action) and (not fault.account or fault.account == account)
            if not fits or fault.match not in str(parameters) or fault.times == 0:
                continue
            fault.fitting += 1
            if fault.fitting % fault.every == 0 and self._chance.random() < fault.fraction:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def denied(self, account: str, action: str, role: str, parameters: dict[str, Any]) -> bool:
        """Return whether a call is denied."""
        return any(
            d.action in ("", action)
            and (not d.role or d.role in role)
            and d.account in ("", account)
            and (not d.match or d.match in str(parameters))
            for d in self.denials
        )

    def listed(self, **filters: Any) -> list[dict[str, Any]]:
        """List calls whose fields equal the filters; `mutating` and `since` (a number) filter, too."""
        since = int(filters.pop("since", 0) or 0)
        mutating = filters.pop("mutating", None)
        odd = set(filters) - {f.name for f in fields(Call)}
        if odd:
            raise ValueError(f"calls have no {', '.join(sorted(odd))}")
        # From the newest on: a test asks for its own calls, again and again, and the log has those of all tests.
        later = list(takewhile(lambda c: c.number > since, reversed(self.calls)))
        found = (
            c
            for c in reversed(later)
            if all(getattr(c, k) == v for k, v in filters.items()) and (mutating is None or c.mutating == mutating)
        )
        return [{f.name: getattr(c, f.name) for f in fields(Call)} for c in found]
