"""AWS answers nothing for longer than the grace period, while the operator is started again and again."""

from __future__ import annotations

from typing import Any

from tests.model.oracle import condition
from tests.model.run import Run
from tests.model.world import Switches, time_of


def test_the_grace_period_goes_on_over_restarts() -> None:
    with Run(Switches()) as run:
        run.apply(("run", 400))
        began = run.scene.timeline.now
        run.apply(("outage", "ecs", 1200))
        for _ in range(4):
            run.apply(("run", 100))
            run.apply(("crash", 0))

        assert _swept(run) <= time_of(began).isoformat().replace("+00:00", "Z"), "nothing was read since"
        assert _ready(run)[:2] == ("Unknown", "ObservationFailed")
        assert _ready(run)[2].startswith("not observed for ")
        assert _observed(run) in {("Unknown", "NotObserved"), ("False", "ObservationFailed")}

        run.apply(("run", 1200))

        assert _ready(run)[:2] == ("True", "Succeeded")
        assert _observed(run) == ("True", "Valid")
        assert _swept(run) > time_of(began).isoformat().replace("+00:00", "Z")
        assert run.violations == []


def _swept(run: Run) -> str:
    return str(_status(run, run.scene.environment)["lastSweepTime"])


def _ready(run: Run) -> tuple[str, str, str]:
    found = condition(_status(run, run.scene.key()), "Ready")
    return found["status"], found["reason"], found["message"]


def _observed(run: Run) -> tuple[str, str]:
    found = condition(_status(run, run.scene.environment), "Observed")
    return found["status"], found["reason"]


def _status(run: Run, key: Any) -> dict[str, Any]:
    return dict((run.scene.objects.get(key) or {})["status"])
