"""Which of several Releases holds a service."""

from __future__ import annotations

import pytest

from ecs_release.domain.ecs.task_definitions import Ownership
from ecs_release.domain.environments.claims import Claim, holder, undetermined
from tests.builders.ecs import NOW

CLAIMS = (Claim(NOW, "shop/young"), Claim(NOW.replace(year=2020), "shop/old"))


@pytest.mark.parametrize(
    ("running", "whose"),
    [
        (None, "shop/old"),
        (Ownership("default", "shop/young", "", ""), "shop/young"),
        (Ownership("default", "shop/gone", "", ""), "shop/old"),
        (Ownership("blue", "shop/young", "", ""), "shop/young of installation 'blue'"),
    ],
)
def test_who_holds_a_service(running: Ownership | None, whose: str) -> None:
    assert holder(CLAIMS, running, "default") == whose
    assert holder((), None, "default") == ""


@pytest.mark.parametrize(
    ("installation", "gone", "whose"),
    [
        ("blue", ("blue",), "shop/old"),
        ("blue", ("green",), "shop/young of installation 'blue'"),
        ("default", ("blue", "default"), "shop/young"),
    ],
)
def test_an_installation_that_is_gone_holds_nothing(installation: str, gone: tuple[str, ...], whose: str) -> None:
    assert holder(CLAIMS, Ownership(installation, "shop/young", "", ""), "default", (), gone) == whose


@pytest.mark.parametrize(
    ("running", "namespaces", "whose"),
    [
        ("pay/gone", (), "shop/old"),
        ("pay/gone", ("shop", "pay"), "shop/old"),
        ("pay/web", ("shop",), "pay/web, in a namespace that this operator does not watch, or may not look into"),
        ("shop/gone", ("shop",), "shop/old"),
        ("", ("shop",), "shop/old"),
    ],
)
def test_what_is_not_watched_is_not_taken_for_gone(running: str, namespaces: tuple[str, ...], whose: str) -> None:
    assert holder(CLAIMS, Ownership("default", running, "", ""), "default", namespaces) == whose


OLD, MINE, YOUNG = (Claim(NOW.replace(year=year), name) for year, name in ((2020, "a/old"), (2021, "shop/mine"), (2022, "c/young")))


def unknown(claim: Claim) -> Claim:
    return Claim(claim.created, claim.release, is_known=False)


@pytest.mark.parametrize(
    ("claims", "owner", "waits_for"),
    [
        ((OLD, MINE, YOUNG), "", []),
        ((unknown(OLD), MINE), "", ["a/old"]),
        ((MINE, unknown(YOUNG)), "", []),
        ((MINE, unknown(YOUNG), unknown(OLD)), "c/young", ["a/old", "c/young"]),
        ((unknown(OLD), MINE), "shop/mine", []),
        ((unknown(OLD), MINE), "b/gone", ["a/old"]),
        ((unknown(OLD), unknown(MINE), unknown(YOUNG)), "", ["a/old"]),
        # The Release claims nothing itself.
        ((unknown(YOUNG),), "", ["c/young"]),
    ],
)
def test_a_release_waits_for_those_that_would_hold_the_service_before_it(
    claims: tuple[Claim, ...], owner: str, waits_for: list[str]
) -> None:
    running = Ownership("default", owner, "", "") if owner else None
    assert undetermined(claims, "shop/mine", running, "default") == waits_for


def test_the_owner_of_another_installation_s_revision_is_none_of_ours() -> None:
    assert undetermined((MINE, unknown(YOUNG)), "shop/mine", Ownership("blue", "c/young", "", ""), "default") == []


def test_a_claim_that_is_not_known_holds_nothing() -> None:
    assert holder((unknown(OLD), MINE), None, "default") == "shop/mine"
    assert holder((unknown(OLD),), None, "default") == ""
    assert holder((OLD, unknown(YOUNG)), Ownership("default", "c/young", "", ""), "default") == "a/old"
