"""Somebody edits a child to what its set wants before it may begin that: it is put back, and counts as not told."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.conditions import held, progressing
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Replace
from tests.builders.ecs import OLD
from tests.builders.set_facts import set_of_two

ROLLING = {"situation": progressing(Reason.ROLLING_OUT, "under way")}
AWAITS = held(False, Reason.AWAITING_RELEASE_SET, "its wave has not begun")
EDITED = {"pinned": OLD, "situation": held(False, Reason.AWAITING_RELEASE_SET, "put back")}


def told(api: dict[str, Any], wave: str, *, suspend: bool = False) -> tuple[list[str], str | None, bool]:
    """Decide; return what `api` is told to run, its state in the set, and whether it counts as started."""
    decision = decide_set(set_of_two(ROLLING, api, states=("Open", wave), suspend=suspend))
    written = [w.body["spec"]["source"]["images"][0]["digest"] for w in decision.writes if isinstance(w, Replace) and w.service == "api"]
    line = next(s for s in decision.status.services or () if s.name == "api")
    return written, line.state, line.start_time is not None


@pytest.mark.parametrize(
    ("what", "api", "wave", "expected"),
    [
        ("edited before its wave", EDITED, "Pending", ([OLD], "Pending", False)),
        ("told in its wave", {"pinned": OLD, "situation": progressing(Reason.ROLLING_OUT, "")}, "Open", ([], "Progressing", True)),
        ("its status was lost", {"pinned": "", "settled": False, "situation": AWAITS}, "Pending", ([], "Pending", False)),
        ("its status was lost, and it has resolved that", {"settled": False, "situation": AWAITS}, "Pending", ([], "Pending", False)),
        ("it runs that already", {}, "Pending", ([], "Ready", True)),
        ("not told yet", {"digest": OLD, "pinned": OLD}, "Pending", ([], "Pending", False)),
    ],
)
def test_only_its_wave_starts_a_service(what: str, api: dict[str, Any], wave: str, expected: tuple[list[str], str, bool]) -> None:
    assert told(api, wave) == expected, what


WAITS = held(False, Reason.SUSPENDED, "ReleaseSet 'all' is suspended")


@pytest.mark.parametrize("wave", ["Open", "Pending"])
@pytest.mark.parametrize(
    ("what", "api", "expected"),
    [
        ("edited by hand", {"pinned": OLD, "situation": WAITS}, ([OLD], "Pending", False)),
        ("told, and no attempt yet", {"settled": False, "situation": WAITS}, ([], "Pending", False)),
        ("it runs that already", {}, ([], "Ready", True)),
        ("not told yet", {"digest": OLD, "pinned": OLD}, ([], "Pending", False)),
    ],
)
def test_a_suspended_set_starts_no_service(what: str, api: dict[str, Any], wave: str, expected: tuple[list[str], str, bool]) -> None:
    assert told(api, wave, suspend=True) == expected, what
