"""Which pin an attempt is of, and whether the Release was Ready on it: by the pin's id, never by two clocks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.ledger import CurrentImage, CurrentPart, LedgerCurrent
from ecs_release.api.release_status import LastReady, Pin, PinnedImage, ReadyImage, Rollout
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.recovery.from_ledger import recorded_pin
from tests.builders.ecs import NEW, NOW, OTHER
from tests.builders.scenarios import attempt_due

AHEAD = NOW + timedelta(minutes=10)


def pin(name: str | None = "p2", digest: str = NEW, **more: Any) -> Pin:
    images = [PinnedImage(container="app", digest=digest)]
    return Pin(**{"id": name, "source_hash": "s", "resolved_time": NOW, "images": images} | more)


def records(named: str | None, digest: str, later_s: float, source: str) -> tuple[Rollout, LastReady]:
    """An attempt and a proof, alike."""
    at = NOW + timedelta(seconds=later_s)
    rollout = Rollout(attempt_id="a", pin_id=named, source_hash=source, start_time=at, images=[{"container": "app", "to_digest": digest}])
    ready = LastReady(pin_id=named, source_hash=source, time=at, images=[ReadyImage(container="app", digest=digest)])
    return rollout, ready


@pytest.mark.parametrize(
    ("what", "of", "record", "same"),
    [
        ("named", pin(), ("p2", NEW, 1, "s"), True),
        ("the pin was resolved by a clock that was ahead", pin(resolved_time=AHEAD), ("p2", NEW, 1, "s"), True),
        ("another pin of the same source and digests", pin(), ("p1", NEW, 1, "s"), False),
        ("the attempt began by a clock that was ahead", pin(), ("p1", NEW, 600, "s"), False),
        ("a record of an older version, and a pin of this one", pin(), (None, NEW, 1, "s"), False),
        ("both of an older version", pin(None), (None, NEW, 1, "s"), True),
        ("and resolved again", pin(None), (None, NEW, -1, "s"), False),
        ("and of other digests", pin(None), (None, OTHER, 1, "s"), False),
        ("and of another source", pin(None), (None, NEW, 1, "t"), False),
        ("a pin of an older version, by the id that it has now", pin(None), (attempts.pin_id(pin(None)), NEW, -600, "s"), True),
        ("another one", pin(None, resolved_time=AHEAD), (attempts.pin_id(pin(None)), NEW, 900, "s"), False),
    ],
)
def test_a_record_names_its_pin(what: str, of: Pin, record: Any, same: bool) -> None:
    rollout, ready = records(*record)
    assert attempts.covers(rollout, of) is same, what
    assert attempts.was_ready(ready, of) is same, what


@pytest.mark.parametrize(
    "begin",
    [
        lambda given, draft, pin: attempts.begin(given, draft, pin, "Requested"),
        attempts.adopt,
        attempts.adopt_under_way,
    ],
)
def test_what_begins_is_of_the_pin_that_it_began_for_whatever_the_clocks_say(begin: Any) -> None:
    given, wanted = attempt_due(), pin(resolved_time=AHEAD)
    draft = attempts.Draft.of(given.status)
    begin(given, draft, wanted)
    assert attempts.covers(draft.rollout, wanted)
    assert [e.pin_id for e in draft.history] == ["p2"]
    attempts.note_ready(given, draft, wanted)
    assert attempts.was_ready(draft.last_ready, wanted)


def test_a_pin_comes_back_from_the_ledger_with_its_id() -> None:
    source = Source(release_hash="bbbbbbb")
    wanted = CurrentPart(pin_id="p1", source_hash=source_hash(source), time=NOW, images=[CurrentImage(container="app", digest=NEW)])
    record = LedgerCurrent.model_construct(wanted=wanted)
    found = recorded_pin(record, source)
    assert found is not None and found.id == "p1" and attempts.digests(found) == {"app": NEW}
    assert recorded_pin(record, Source(release_hash="ccccccc")) is None
