"""A Release of a set that comes back without its status, as from a backup: it waits for its wave, and then nobody has to tell it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.model.objects import Key
from tests.model.oracle import condition
from tests.model.registry import HANGS
from tests.model.run import Run
from tests.model.world import Switches


def test_it_waits_for_its_wave_and_goes_on_with_it() -> None:
    with Run(Switches(has_set=True)) as run:
        for action in (("run", 150), ("release", "d"), ("run", 30)):
            run.apply(action)
        _lose_status(run, "d")
        run.apply(("run", 10))

        assert _ready(run) == ("False", "AwaitingReleaseSet")
        assert _deployed(run) == ["api"]

        run.apply(("run", 120))

        assert _ready(run) == ("True", "Succeeded")
        assert _deployed(run) == ["api", "web"]
        assert run.violations == []


def test_it_adopts_what_runs_already_before_its_wave() -> None:
    """The first wave never ends."""
    with Run(Switches(has_set=True)) as run:
        for action in (("run", 150), ("console_deploys", "d", True), ("run", 60), ("behave", "d", HANGS), ("release", "d"), ("run", 30)):
            run.apply(action)
        _lose_status(run, "d")
        run.apply(("run", 30))

        assert _ready(run) == ("True", "Succeeded")
        assert _deployed(run) == ["api"]


def test_a_set_that_has_lost_its_status_too_goes_through_its_waves_at_once() -> None:
    with Run(Switches(has_set=True)) as run:
        run.apply(("run", 150))
        _lose_status(run, "a")
        _edit(run, run.scene.asked_of, lambda body: body.pop("status"))
        run.apply(("run", 10))

        assert _ready(run) == ("True", "Succeeded")
        assert _deployed(run) == []


def _lose_status(run: Run, wanted: str) -> None:
    """Have the Release of the second wave ask for what its set wants, with no status."""
    images = [{"container": c, "digest": d} for c, d in run.scene.digests_of(wanted).items()]

    def restore(body: Any) -> None:
        body["spec"].update(source={"images": images})
        body.pop("status")

    _edit(run, run.scene.key(), restore)


def _edit(run: Run, key: Key, change: Callable[[Any], object]) -> None:
    async def work() -> None:
        run.scene.objects.edit(key, change)

    run.loop.run_until_complete(work())


def _ready(run: Run) -> tuple[str, str]:
    found = condition((run.scene.objects.get(run.scene.key()) or {}).get("status") or {}, "Ready")
    return found.get("status", ""), found.get("reason", "")


def _deployed(run: Run) -> list[str]:
    return [c.release for c in run.scene.calls if c.call == "update_service"]
