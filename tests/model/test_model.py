"""Any trace: whatever AWS, people, faults and our own crashes do, what is said is true, and an attempt deploys once."""

from __future__ import annotations

import ast
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.actions import CHOICES, FAULTS, Action
from tests.model.faults import FRESH, LATE, WILD
from tests.model.known import KNOWN
from tests.model.run import Run, Trace, play
from tests.model.traces import BREAKS, WHOLE, Shown
from tests.model.world import Switches

FOLDER = Path(__file__).parent
PURE = ("world.py", "ecs.py", "registry.py", "objects.py", "scene.py", "faults.py", "actions.py")
THEN_S = (0, 1, 10, 60, 400)

SWITCHES = st.builds(
    Switches,
    breaker=st.booleans(), rollback=st.booleans(), alarms=st.booleans(), reuses_ids=st.booleans(), platforms=st.booleans(),
    shows_platform=st.booleans(), starts_by_service=st.booleans(), has_deployments_api=st.booleans(), scaling_is_progress=st.booleans(),
    rollback_s=st.sampled_from((5.0, 0.0, 50.0)), desired=st.sampled_from((2, 1, 0)), base_latest=st.booleans(), corrects=st.booleans(),
    has_ledger=st.booleans(), container_count=st.sampled_from((1, 2)), deadline_s=st.sampled_from((600, 120)),
    strategy=st.sampled_from(("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")), pauses=st.booleans(), has_set=st.booleans(), uses_tag=st.booleans(), promotes=st.booleans(), on_failure=st.sampled_from(("Halt", "RollBack", "Continue")),
)  # fmt: skip


class AnyTrace(RuleBasedStateMachine):
    """One Release, and all that may happen to it: a rule for each action, made below."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.trace: list[Action] = []

    @initialize(switches=SWITCHES, seed=st.integers(0, 1000), lag=st.sampled_from((FRESH, LATE, WILD)))
    def begin(self, switches: Switches, seed: int, lag: str) -> None:
        self.switches, self.seed = switches, seed
        self.run = Run(switches, seed, frozenset(KNOWN))
        self.does("lag", lag)

    def does(self, *action: Any) -> None:
        assert self.run is not None
        self.trace.append(action)
        self.run.apply(action)
        if self.run.violations:
            note(f"python -m tests.model replay '{Trace(self.switches, self.seed, tuple(self.trace)).to_json()}'")
        assert self.run.violations == []

    def teardown(self) -> None:
        if self.run is None:
            return
        try:
            if not self.run.violations:
                self.does("rest")
        finally:
            self.run.close()


def _rule_of(name: str, choices: tuple[tuple[Any, ...], ...]) -> Callable[..., None]:
    def happens(self: AnyTrace, arguments: tuple[Any, ...], then_s: int) -> None:
        self.does(name, *arguments)
        if then_s:
            self.does("run", then_s)

    happens.__name__ = name
    drawn = st.sampled_from(FAULTS) if name == "fault" else st.tuples(*(st.sampled_from(options) for options in choices))
    made: Callable[..., None] = rule(arguments=drawn, then_s=st.sampled_from(THEN_S))(happens)
    return made


for _name, (_, _choices) in CHOICES.items():
    # `run` is the machine's attribute: it follows each action.
    if _name != "run":
        setattr(AnyTrace, _name, _rule_of(_name, _choices))

AnyTrace.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.mark.slow
class TestAnyTrace(AnyTrace.TestCase):  # type: ignore[misc,name-defined]
    """The laws hold."""


def broken(shown: Shown, seed: int) -> set[str]:
    return {v.rule for v in play(Trace(shown.switches, seed, shown.actions), stop=False).violations}


def test_what_is_known_to_be_wrong_is_found() -> None:
    found = {name for name, shown in BREAKS.items() if any(shown.rule in broken(shown, seed) for seed in shown.all_seeds)}

    assert found == BREAKS.keys(), "mended? move it to WHOLE, and take its rule out of known.py"


@pytest.mark.parametrize("name", WHOLE)
def test_what_was_mended_stays_whole(name: str) -> None:
    shown = WHOLE[name]

    assert [broken(shown, seed) for seed in shown.all_seeds] == [set()] * shown.seeds


def test_each_rule_that_is_switched_off_is_shown_by_a_trace() -> None:
    assert [p for p in KNOWN if not any(fnmatchcase(shown.rule, p) for shown in BREAKS.values())] == []


def imports(name: str) -> set[str]:
    tree = ast.parse((FOLDER / name).read_text())
    found = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    return found | {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}


@pytest.mark.parametrize("name", PURE)
def test_the_world_knows_nothing_of_the_operator(name: str) -> None:
    assert [m for m in imports(name) if m.startswith("ecs_release")] == []


def test_the_oracle_knows_only_the_api() -> None:
    assert [m for m in imports("oracle.py") if m.startswith("ecs_release") and not m.startswith("ecs_release.api")] == []
    assert {m for m in imports("oracle.py") if m.startswith("tests.")} <= {"tests.model.ecs", "tests.model.scene", "tests.model.world"}


def test_a_trace_survives_being_written_down() -> None:
    trace = Trace(Switches(desired=1), 7, (("release", "b"), ("run", 60)))

    assert Trace.from_json(trace.to_json()) == trace
