"""Short traces that each show one mistake: found by walking, then reduced, or written down from a report."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.model.actions import Action
from tests.model.faults import CRASH_AFTER, CRASH_BEFORE, DENIED, LOST_BEFORE, REFUSED, THROTTLED, WILD
from tests.model.registry import CANNOT_PULL, CRASHES, HANGS
from tests.model.world import Switches


@dataclass(frozen=True)
class Shown:
    """A trace, and the rule that it breaks: with one of so many seeds, where that depends on which answers are old."""

    rule: str
    actions: tuple[Action, ...]
    switches: Switches = field(default_factory=Switches)
    seeds: int = 1
    first_seed: int = 0

    @property
    def all_seeds(self) -> range:
        """The seeds to play it with."""
        return range(self.first_seed, self.first_seed + self.seeds)


_B, _C, _DONE, _REST = ("release", "b"), ("release", "c"), ("run", 300), ("rest",)
_GOES_BACK = (("run", 1000), ("behave", "b", CRASHES), _B, ("run", 41), ("freeze", True), ("run", 10))


def _asked(fault: str, action: str) -> tuple[Action, ...]:
    """Have somebody answer the hook of a release, by a call that meets a fault."""
    return (_B, ("run", 120), ("fault", "continue_service_deployment", fault), ("approve", action, False))


BREAKS: dict[str, Shown] = {}
"""What today's operator still gets wrong. A trace that breaks nothing any more moves to WHOLE, and its rule leaves `known.KNOWN`."""

WHOLE: dict[str, Shown] = {
    "a suspension ends, and the machine's clock is corrected by AWS's, which says whole seconds": Shown(
        "",
        (_B, ("suspend_for", 20), ("crash", 600), _REST),
        Switches(has_set=True),
        first_seed=246463,
    ),
    "ECS rolls back what has taken our place, and what it returns to has the same images": Shown(
        "",
        (("spot_takes_a_task",), ("run", 400), ("behave", "a", CANNOT_PULL), ("console_copies",), _REST),
        Switches(desired=1, strategy="LINEAR", pauses=True),
        first_seed=246770,
    ),
    "ECS rolls back by an old id from what had replaced ours": Shown(
        "",
        (("behave", "d", CRASHES), ("scale", 3), ("run", 3), ("console_deploys", "d", False), ("run", 60)),
        Switches(reuses_ids=True, desired=0),
    ),
    "a lost answer, and somebody forces the same revision": Shown(
        "",
        (("fault", "update_service", CRASH_AFTER), _B, ("run", 1), ("console_forces",), ("release", "a"), ("run", 150)),
    ),
    "an old look shows what was there before what was listed, and its images are the wanted ones": Shown(
        "",
        (
            ("lag", WILD),
            ("run", 11),
            ("restore_without_status",),
            ("console_deploys", "c", False),
            ("run", 30),
            _REST,
        ),
        Switches(has_deployments_api=False, desired=0, has_ledger=True),
        first_seed=510,
    ),
    "ours is done and forced again by somebody while ECS cannot be read, and a newer source waits": Shown(
        "",
        (
            ("release", "d"),
            ("run", 10),
            ("release", "b"),
            ("outage", "ecs", 400),
            ("run", 151),
            ("console_copies",),
            ("run", 60),
            _REST,
        ),
    ),
    "an abort goes back to what ran, whatever base is the newest": Shown(
        "",
        (
            ("console_copies",),
            ("terraform_registers", "b", True),
            ("release", "d"),
            ("fault", "stop_service_deployment", DENIED),
            ("run", 30),
            ("abort",),
            ("run", 400),
        ),
        Switches(base_latest=True),
    ),
    "aborted before it was visible": Shown(
        "",
        (
            ("run", 10),
            ("release", "d"),
            ("run", 152),
            ("console_forces",),
            ("release", "c"),
            ("lag", WILD),
            ("run", 900),
            ("release", "a"),
            ("run", 30),
            ("abort",),
            ("run", 30),
            _REST,
        ),
        Switches(platforms=True, has_deployments_api=False, base_latest=True),
        first_seed=104,
    ),
    "a status is lost whose attempt has moved a tag": Shown(
        "", (_B, ("run", 3), ("restore_without_status",), ("run", 30), _REST), Switches(has_ledger=True, uses_tag=True)
    ),
    "a status is lost whose attempt was made at another target": Shown(
        "",
        (("release", "c"), ("run", 3), ("point_elsewhere", True), ("run", 400), ("restore_without_status",), ("run", 30)),
        Switches(has_ledger=True),
    ),
    "a container that is not listed any more has drifted, too": Shown(
        "",
        (("run", 3), ("list_containers", 1), ("console_deploys", "b", False), _REST, ("console_copies",), _REST),
        Switches(corrects=True, container_count=2),
    ),
    "a retry at another target, where nothing is to be done": Shown(
        "",
        (("run", 10), ("console_deploys", "d", False), _REST, ("point_elsewhere", True), ("retry",), ("run", 3)),
        Switches(desired=0),
    ),
    "somebody's deployment whose images are not known replaces ours, and a newer source is suspended": Shown(
        "",
        (("behave", "c", HANGS), _C, ("run", 30), ("console_deploys", "c", False), _B, ("suspend", True), ("run", 900)),
    ),
    "a retry waits at a target that is another one": Shown(
        "",
        (
            ("run", 400),
            ("point_elsewhere", True),
            ("console_deploys", "c", False),
            ("mode", "Observe"),
            ("run", 900),
            ("retry",),
            ("run", 150),
        ),
        Switches(desired=0),
    ),
    "an index is rolled back to itself": Shown(
        "",
        (_B, _DONE, ("terraform_registers", "b", True), ("run", 2000), _REST),
        Switches(platforms=True, base_latest=True, corrects=True),
    ),
    "a base that is rolled back is deployed for ever": Shown(
        "",
        (_B, _DONE, ("terraform_registers", "b", True), ("run", 2000), _REST),
        Switches(platforms=True, base_latest=True, corrects=True),
    ),
    "what runs beside a failed deployment": Shown(
        "",
        (("run", 60), ("behave", "d", CRASHES), ("console_deploys", "d", False), _REST),
        Switches(rollback=False),
    ),
    "unhealthy until it is restarted": Shown(
        "",
        (
            ("run", 60),
            ("behave", "a", CANNOT_PULL),
            ("spot_takes_a_task",),
            ("spot_takes_a_task",),
            ("run", 900),
            ("crash", 0),
            ("run", 60),
        ),
    ),
    "it only observes, and nothing runs": Shown("", (_C, ("mode", "Observe"), ("spot_takes_a_task",), ("run", 30)), Switches(desired=1)),
    "released at none, then scaled": Shown("", (_B, _DONE, ("behave", "b", CANNOT_PULL), ("scale", 2), ("run", 400)), Switches(desired=0)),
    "somebody else's deployment has no task yet": Shown(
        "", (("run", 60), ("behave", "c", HANGS), ("console_deploys", "c", True), ("run", 400), _REST)
    ),
    "somebody else's deployment names a tag": Shown(
        "", (("run", 60), ("behave", "c", HANGS), ("console_deploys", "c", False), ("run", 400), _REST)
    ),
    "a retry is withdrawn that has resolved a container and waits for a window": Shown(
        "",
        (
            ("list_containers", 1),
            ("run", 60),
            _B,
            _DONE,
            ("list_containers", 2),
            ("close_window", True),
            ("run", 60),
            ("retry",),
            ("run", 150),
            ("withdraw_retry",),
            ("run", 10),
            ("close_window", False),
            _DONE,
            _REST,
        ),
        Switches(container_count=2),
    ),
    "a container is added": Shown(
        "",
        (("list_containers", 1), ("run", 60), _B, _DONE, ("list_containers", 2), ("run", 200), _REST, ("retry",), _DONE, _REST),
        Switches(container_count=2),
    ),
    "a container is removed": Shown(
        "", (("run", 60), _B, _DONE, ("list_containers", 1), ("run", 200), _REST, _C, _DONE, _REST), Switches(container_count=2)
    ),
    "it is rolled back further than expected": Shown(
        "",
        (("behave", "c", CRASHES), _B, ("run", 10), _C, ("run", 400)),
        Switches(has_deployments_api=False),
    ),
    "a clock that is ahead": Shown("", (("crash", 600), ("run", 60), ("console_deploys", "c", True), ("run", 8), _B, _DONE)),
    "a pin from the future": Shown(
        "",
        (
            ("crash", 600),
            ("run", 60),
            ("suspend", True),
            ("run", 5),
            _B,
            ("run", 5),
            ("crash", 0),
            ("run", 30),
            ("suspend", False),
            _DONE,
        ),
    ),
    "our tags are copied": Shown("", (_B, _DONE, ("console_copies",), ("run", 100), _C, _DONE), Switches(base_latest=True)),
    "a pin from the ledger, and ECR refuses once": Shown(
        "",
        (_B, _DONE, ("fault", "image", REFUSED), ("restore_without_status",), ("run", 30), _REST),
        Switches(platforms=True, shows_platform=True, has_ledger=True, corrects=True),
    ),
    "no task is wanted, and what one would run cannot be read": Shown(
        "",
        (
            ("crash", 90),
            ("fault", "image", CRASH_BEFORE),
            _B,
            ("run", 30),
            ("fault", "describe_task_definition", THROTTLED),
            ("run", 30),
            _REST,
        ),
        Switches(desired=0),
        seeds=3,
    ),
    "a clock that is behind": Shown(
        "",
        (("release", "d"), ("run", 1), ("crash", -600), ("run", 400), ("release", "a"), ("run", 10)),
    ),
    "ECS goes back by an old id, and something else is wanted": Shown("", (*_GOES_BACK, _C, ("run", 100)), Switches(reuses_ids=True)),
    "ECS goes back by an old id, and a retry is asked for": Shown("", (*_GOES_BACK, ("retry",), ("run", 100)), Switches(reuses_ids=True)),
    "ECS goes back by an old id, and the operator dies when something else is wanted": Shown(
        "", (*_GOES_BACK, ("release", "d"), ("run", 3), ("crash", 0), ("run", 100)), Switches(reuses_ids=True, has_deployments_api=False)
    ),
    "answers that fail now and then put the deadline off": Shown(
        "",
        (("behave", "b", CRASHES), _B, *((("run", 60), ("outage", "ecs", 20), ("run", 20)) * 10), ("run", 60)),
        Switches(breaker=False, rollback=False, deadline_s=120),
    ),
    "restarts put the deadline off": Shown(
        "",
        (("behave", "b", CRASHES), _B, *((("run", 100), ("crash", 0)) * 4), ("run", 60)),
        Switches(breaker=False, rollback=False, deadline_s=120),
    ),
    "something else is wanted while somebody's deployment of the same images is followed": Shown(
        "", (_B, ("run", 10), ("console_copies",), ("run", 30), ("release", "a"), ("run", 30)), Switches(strategy="BLUE_GREEN")
    ),
    "an attempt comes no further, and what is wanted next is suspended": Shown(
        "", (("scale", 1), ("run", 400), _B, ("run", 6), ("spot_takes_a_task",), ("suspend", True), ("release", "a"), _REST), seeds=3
    ),
    "a set is taken back to what ECS goes back to by its old id": Shown(
        "",
        (("behave", "d", CANNOT_PULL), _C, ("run", 900), ("release", "d"), ("run", 400)),
        Switches(reuses_ids=True, has_set=True, on_failure="RollBack"),
    ),
    "the window closes on an intent": Shown(
        "",
        (
            _B,
            ("fault", "update_service", DENIED),
            ("fault", "update_service", DENIED),
            ("run", 2),
            ("suspend_environment", True),
            ("run", 20),
            ("close_window", True),
            ("run", 20),
            ("suspend_environment", False),
            ("run", 400),
        ),
    ),
    "the second wave can never be deployed": Shown("", (("run", 60), _B, _DONE), Switches(has_set=True, controller="CODE_DEPLOY")),
    "an old look takes a set back": Shown(
        "",
        (("lag", WILD), ("release", "d"), ("run", 400)),
        Switches(has_deployments_api=False, desired=0, has_set=True, on_failure="RollBack"),
        seeds=24,
    ),
    "a set has waited for a window by a clock that was ahead": Shown(
        "", (("close_window", True), _C, ("run", 150), ("release", "a"), ("crash", -600), ("run", 400)), Switches(has_set=True)
    ),
    "a Release of a set is edited": Shown("", (("run", 150), ("edit_child", True), ("run", 60)), Switches(has_set=True)),
    "a Release of a set is edited to what its wave will bring": Shown(
        "",
        (("run", 150), ("behave", "d", HANGS), ("release", "d"), ("run", 10), ("edit_child", True), ("run", 60)),
        Switches(has_set=True),
    ),
    "a suspension ends by itself": Shown("", (("suspend_for", 150), _B, ("run", 400), _REST)),
    "a suspension ends while nobody acts, and the next clock is behind": Shown(
        "", (("suspend_for", 150), _B, ("run", 60), ("crash", -600), ("run", 400), _REST)
    ),
    "a clock that is ahead, and a suspension that has an end": Shown(
        "", (("suspend_for", 400), _B, ("run", 60), ("crash", 600), ("run", 200), ("crash", 600), ("run", 900), _REST)
    ),
    "a set's suspension ends by itself": Shown(
        "", (("run", 900), ("suspend_for", 400), _B, ("run", 60), ("crash", 600), ("run", 1200), _REST), Switches(has_set=True)
    ),
    "the brake comes off by itself on an announced call": Shown(
        "",
        (
            ("fault", "update_service", REFUSED),
            _B,
            ("run", 3),
            ("suspend_environment_for", 150),
            ("run", 60),
            ("crash", 0),
            ("run", 400),
            _REST,
        ),
    ),
    "a base is registered while a set is suspended": Shown(
        "",
        (("run", 900), ("suspend", True), ("terraform_registers", "d", False), _REST, ("suspend", False), _REST),
        Switches(base_latest=True, corrects=True, has_set=True),
    ),
    "a set is suspended while what it has told waits for a window": Shown(
        "",
        (
            ("run", 150),
            ("release", "d"),
            ("run", 10),
            ("close_window", True),
            ("run", 400),
            ("suspend", True),
            ("run", 60),
            ("close_window", False),
            ("run", 400),
            ("suspend", False),
            _DONE,
            _REST,
        ),
        Switches(has_set=True),
    ),
    "a set is taken back from what never ends": Shown(
        "", (_B, ("behave", "b", CRASHES), _REST), Switches(breaker=False, has_set=True, on_failure="RollBack")
    ),
    "somebody's deployment replaces ours, and ECS rolls that back": Shown(
        "",
        (_B, ("run", 30), ("behave", "a", CRASHES), ("console_deploys", "a", False), ("run", 10), ("console_copies",), ("run", 60)),
    ),
    "a newer source waits, and the attempt never ends": Shown(
        "", (("behave", "c", HANGS), _C, ("run", 30), ("release", "b"), ("suspend", True), ("run", 900), ("run", 900))
    ),
    "the race of builds: the older one ends last": Shown(
        "", (("run", 60), ("release", "d"), ("run", 5), _B, ("run", 400), ("release", "a"), ("retry",), _REST), Switches(asks_graph=True)
    ),
    "what runs is asked for again while a newer commit rolls out": Shown(
        "", (("run", 60), ("release", "d"), ("run", 5), ("release", "a"), ("run", 400), _REST), Switches(asks_graph=True)
    ),
    "an older commit would run over what somebody has deployed": Shown(
        "",
        (("run", 60), ("console_deploys", "c", True), ("run", 400), _B, ("run", 400), ("release", "d"), _REST),
        Switches(asks_graph=True),
    ),
    "a newer source has to wait": Shown("", (_B, ("run", 20), ("close_window", True), _C, ("run", 400), _REST)),
    "a list of tasks that is older than the counts": Shown(
        "",
        (("lag", WILD), ("run", 904), ("release", "d"), ("retry",), _DONE, _DONE),
        Switches(has_deployments_api=False),
        seeds=25,
    ),
    "ours is done, and somebody deploys, while ECS cannot be read": Shown(
        "", (("release", "d"), ("run", 10), ("outage", "ecs", 400), ("run", 151), ("console_deploys", "a", False), ("run", 60), _REST)
    ),
    "what ours was built on is deregistered": Shown(
        "",
        (("terraform_registers", "a", False), ("run", 460), ("deregister_unused",), ("run", 900), _C, _REST),
        Switches(breaker=False, base_latest=True, corrects=True, strategy="LINEAR", pauses=True),
    ),
    "the target goes and comes back": Shown(
        "", (_B, ("run", 10), ("point_elsewhere", True), ("run", 60), ("point_elsewhere", False), _REST)
    ),
    "ECS goes back by an old id, and that is wanted": Shown(
        "", (*_GOES_BACK, ("release", "a"), ("run", 60), ("freeze", False), _REST), Switches(reuses_ids=True)
    ),
    "two refusals that pass": Shown(
        "",
        (("fault", "register_task_definition", REFUSED), ("fault", "register_task_definition", REFUSED), _B, _DONE),
    ),
    "aborted just after somebody has deployed": Shown(
        "",
        (_C, ("run", 30), ("console_deploys", "d", False), ("abort",), ("run", 30)),
        Switches(strategy="BLUE_GREEN"),
    ),
    "somebody's deployment is adopted while a hook pauses it": Shown(
        "", (("console_copies",), ("run", 400), ("release", "d"), ("run", 30)), Switches(strategy="CANARY", pauses=True)
    ),
    "an answer to a hook is carried out as the operator dies, and the deployment is over at the next look": Shown(
        "",
        (*_asked(CRASH_AFTER, "CONTINUE"), _DONE),
        Switches(strategy="CANARY", pauses=True, bake_s=1.0),
    ),
    "an answer to a hook is lost, and somebody answers the other one that waits": Shown(
        "",
        (*_asked(CRASH_BEFORE, "CONTINUE"), ("run", 2), ("answer_hook", True), ("run", 400), _REST),
        Switches(strategy="CANARY", pauses=True, pauses_twice=True),
    ),
    "an answer to a hook is lost without a crash, and somebody answers the other one that waits": Shown(
        "",
        (*_asked(LOST_BEFORE, "CONTINUE"), ("run", 2), ("answer_hook", True), ("run", 400), _REST),
        Switches(strategy="BLUE_GREEN", pauses=True, pauses_twice=True),
    ),
    "an alarm takes back what was to be taken back, and the call was lost without a crash": Shown(
        "",
        (*_asked(LOST_BEFORE, "ROLLBACK"), ("run", 2), ("alarm_goes_off",), ("run", 400), _REST),
        Switches(strategy="BLUE_GREEN", pauses=True, alarms=True),
    ),
    "an alarm takes back what was to be taken back, and the call was lost": Shown(
        "",
        (*_asked(CRASH_BEFORE, "ROLLBACK"), ("run", 2), ("alarm_goes_off",), ("run", 400), _REST),
        Switches(strategy="CANARY", pauses=True, alarms=True),
    ),
    "an answer to a hook never arrives as the operator dies, and somebody goes back in the console": Shown(
        "",
        (*_asked(CRASH_BEFORE, "CONTINUE"), ("run", 5), ("answer_hook", False), _DONE),
        Switches(strategy="CANARY", pauses=True),
    ),
    "the status is lost while the target is another one": Shown(
        "", (_C, ("run", 3), ("point_elsewhere", True), ("restore_without_status",), ("run", 30)), Switches(has_ledger=True)
    ),
    "an alarm fails a deployment whose tasks all run": Shown(
        "", (_B, ("run", 16), ("alarm_goes_off",), _REST), Switches(alarms=True, rollback=False)
    ),
    "a child is edited, nothing may be done, and a newer base is there": Shown(
        "",
        (("rest",), ("mode", "Observe"), ("edit_child", False), ("terraform_registers", "d", False), ("run", 900), ("run", 30)),
        Switches(base_latest=True, corrects=True, has_set=True),
        first_seed=609245758,
    ),
    "a set, and a container that is not listed any more": Shown(
        "",
        (("run", 400), ("console_deploys", "b", False), ("list_containers", 1), ("run", 900)),
        Switches(corrects=True, container_count=2, has_set=True),
        first_seed=609246040,
    ),
    "nothing runs, and a container that has the tag of before is not listed any more": Shown(
        "",
        (("console_deploys", "d", False), ("release", "b"), ("run", 400), ("scale", 0), ("list_containers", 1), ("alarm_goes_off",), _REST),
        Switches(alarms=True, scaling_is_progress=True, container_count=2, uses_tag=True),
        first_seed=609245125,
    ),
    "a suspension that is heard of late": Shown(
        "",
        (("lag", "wild"), ("somebody_moves_the_tag", "d"), ("suspend_environment", True), ("lag", "fresh"), ("run", 10)),
        Switches(uses_tag=True),
        first_seed=737712777,
    ),
    "ECS goes back by an alarm, the tag is not returned, and a retry waits": Shown(
        "",
        (_C, ("run", 10), ("retry",), ("mode", "Observe"), ("alarm_goes_off",), _REST),
        Switches(alarms=True, rollback_s=50.0, uses_tag=True),
        first_seed=146061660,
    ),
    "a suspension during a deployment that no breaker ends": Shown(
        "",
        (
            _B,
            ("behave", "b", CANNOT_PULL),
            ("run", 1),
            _C,
            ("run", 10),
            ("abort",),
            ("suspend_for", 900),
            ("run", 400),
            _B,
            _REST,
        ),
        Switches(breaker=False, has_deployments_api=False, has_set=True),
        first_seed=146061026,
    ),
    "a retry is asked for while a set goes back": Shown(
        "",
        (("release", "d"), ("freeze", True), ("run", 900), ("retry",), _REST),
        Switches(has_set=True, on_failure="RollBack"),
        first_seed=122895,
    ),
    "a release that is rolled back": Shown("", (("behave", "b", CRASHES), _B, ("run", 400), _REST)),
    "a release, and two days": Shown("", (_B, _DONE, ("quiet",))),
    "a set, wave by wave": Shown("", (("run", 60), _B, _DONE, _REST), Switches(has_set=True)),
}
"""What was mended, or always was right: no rule is broken, those of `known.KNOWN` included."""
