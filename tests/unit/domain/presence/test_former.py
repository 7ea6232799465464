"""How long a commit was there, and whether an attempt that was to bring it failed: as far as status remembers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.presence.former import Stay, last_failure, last_stay
from tests.unit.domain.presence.bodies import ABSENT, COMMIT, EARLIER, EARLIEST, NEW, OLD, SINCE, attempt, graph

LISTED = frozenset({"app"})


def at(time: str) -> datetime:
    return datetime.fromisoformat(time)


def status(*history: dict[str, Any]) -> ReleaseStatus:
    return ReleaseStatus.model_validate({"history": list(history)})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        ([attempt(OLD, NEW)], None),
        ([attempt(NEW, OLD, ended=EARLIER)], Stay(None, at(EARLIER))),
        ([attempt(NEW, OLD, ended=EARLIER), attempt(OLD, NEW, ended=EARLIEST)], Stay(at(EARLIEST), at(EARLIER))),
        ([attempt(NEW, OLD, ended=SINCE), attempt(COMMIT, NEW, ended=EARLIER), attempt(OLD, COMMIT, ended=EARLIEST)], Stay(at(EARLIEST), at(SINCE))),
        ([attempt(NEW, OLD, ended=SINCE), attempt(OLD, COMMIT, ended=EARLIEST)], Stay(None, at(SINCE))),
        ([attempt(OLD, ABSENT, ended=SINCE), attempt(NEW, OLD, ended=EARLIER), attempt(OLD, NEW, ended=EARLIEST)], Stay(at(EARLIEST), at(EARLIER))),
        ([attempt(NEW, OLD, "RolloutFailed", ended=EARLIER)], None),
        ([attempt(NEW, OLD, ended=SINCE), attempt(OLD, ABSENT, "RolledBack", ended=EARLIER), attempt(OLD, NEW, ended=EARLIEST)], Stay(at(EARLIEST), at(SINCE))),
    ],
    ids=["nothing", "it is there", "taken away", "came and went", "two attempts", "a gap", "more since", "not taken away", "a failure between"],
)  # fmt: skip
def test_how_long_it_was_there(history: list[dict[str, Any]], expected: Stay | None) -> None:
    assert last_stay(status(*history), LISTED, graph) == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([attempt(OLD, NEW, "RolledBack")], "RolledBack"),
        ([attempt(OLD, OLD), attempt(OLD, NEW, "DeadlineExceeded", ended=EARLIEST)], "DeadlineExceeded"),
        ([attempt(OLD, NEW)], None),
        ([attempt(NEW, OLD, "RolledBack")], None),
        ([attempt(OLD, ABSENT, "RolloutFailed")], None),
        ([attempt(OLD, NEW, "Aborted")], None),
    ],
)
def test_whether_it_failed(history: list[dict[str, Any]], expected: str | None) -> None:
    found = last_failure(status(*history), LISTED, graph)
    assert (found.outcome if found is not None else None) == expected
    assert last_failure(status(*history), frozenset({"log"}), graph) is None
