"""What `diff` says of an Environment that nobody observes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.cli.kubectl.commands.diff import _is_observed
from ecs_release.cli.kubectl.terminal.errors import Denied, NotFound
from tests.builders.objects import environment_object
from tests.unit.cli.kubectl.objects import NOW, ago


class Session(SimpleNamespace):
    """A session that reads one Environment, or is refused it."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.notes: list[str] = []
        super().__init__(api=self, out=self, now=lambda: NOW, note=self.notes.append)
        self.answer = answer

    def get(self, *_: str) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def swept(**ago_: float) -> dict[str, Any]:
    return {**environment_object("staging"), "status": {"lastSweepTime": ago(**ago_)}}


@pytest.mark.parametrize(
    ("answer", "is_observed", "notes"),
    [
        (swept(seconds=30), True, []),
        (swept(minutes=10), False, ["warning: staging: not observed for 10m: it is not known what runs there now"]),
        (environment_object("staging"), False, ["warning: staging: not observed yet: it is not known what runs there now"]),
        (NotFound("gone"), False, ["warning: staging: there is no Environment staging"]),
        (Denied("environments is forbidden"), True, ["warning: how old this is cannot be told: environments is forbidden"]),
    ],
)
def test_whether_it_is_known_what_runs(answer: Any, is_observed: bool, notes: list[str]) -> None:
    session = Session(answer)
    assert _is_observed(session, "staging", has_releases=True) is is_observed  # type: ignore[arg-type]
    assert session.notes == notes


def test_an_environment_of_which_nothing_is_known() -> None:
    with pytest.raises(NotFound, match="there is no Environment 'staging'"):
        _is_observed(Session(NotFound("gone")), "staging", has_releases=False)  # type: ignore[arg-type]
    session = Session(Denied("forbidden"))
    assert _is_observed(session, "staging", has_releases=False)  # type: ignore[arg-type]
    assert "no Releases go to 'staging', and whether there is such an Environment you may not know" in session.notes[0]
