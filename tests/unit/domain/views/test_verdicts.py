"""What an outcome tells on GitHub, in Slack and in the measures: the same."""

from __future__ import annotations

import pytest

from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.domain.decision.attempts import GOOD
from ecs_release.domain.notifications.outcome_measures import OUTCOMES
from ecs_release.domain.views.verdicts import ARRIVED, REPLACING, Verdict, verdict_of


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_views_say_of_an_attempt_what_the_measures_count(outcome: str) -> None:
    found = verdict_of(RELEASE, "Requested", outcome)
    assert OUTCOMES[outcome].deployed == (found is Verdict.LIVE)
    assert OUTCOMES[outcome].failed == (found in (Verdict.FAILED, Verdict.ABORTED))
    assert (outcome in GOOD) == (found in REPLACING)


@pytest.mark.parametrize(
    ("kind", "cause", "outcome", "verdict"),
    [
        (RELEASE, "Requested", "", None),
        (RELEASE, "Requested", None, None),
        (RELEASE_SET, "Requested", "Succeeded", Verdict.LIVE),
        (RELEASE_SET, "Requested", "SucceededLate", Verdict.LIVE),
        (RELEASE_SET, "Requested", "Failed", Verdict.FAILED),
        (RELEASE_SET, "Rollback", "Failed", Verdict.FAILED),
        (RELEASE_SET, "Rollback", "RolledBack", Verdict.TAKEN_BACK),
        (RELEASE, "Rollback", "RolledBack", Verdict.FAILED),
        (RELEASE_SET, "Requested", "Superseded", Verdict.OVERTAKEN),
        (RELEASE_SET, "Requested", "Aborted", Verdict.ABORTED),
        (RELEASE, "Requested", "NothingRunning", Verdict.NOTHING_RUNS),
        (RELEASE, "Requested", "TargetChanged", Verdict.UNSEEN),
        (RELEASE, "Requested", "Abandoned", Verdict.UNSEEN),
        (RELEASE, "Requested", "OfAnotherVersion", Verdict.UNSEEN),
    ],
)
def test_verdicts(kind: str, cause: str, outcome: str | None, verdict: Verdict | None) -> None:
    assert verdict_of(kind, cause, outcome) is verdict


def test_what_runs_nothing_has_not_arrived() -> None:
    assert Verdict.NOTHING_RUNS not in ARRIVED
