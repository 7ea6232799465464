"""Text that a terminal would interpret is made visible; statuses are bounded, whatever AWS and people say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model

from ecs_release.api.bounded_types import Arn, Count, ExitCode, LongText, Percent, StatusDigest, Text, Word
from ecs_release.api.meta import Model
from ecs_release.api.release_status import ReleaseStatus, Rollout, Running, RunningContainer, RunningDigest
from ecs_release.api.visible_text import visible

CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", CONTROLS, ids=hex)
def test_controls_are_made_visible(code: int) -> None:
    said = visible(f"a{chr(code)}b")

    assert said == (f"a{chr(code)}b" if chr(code) in "\t\n" else f"a\\x{code:02x}b" if code < 0x100 else f"a\\u{code:04x}b")


@given(st.text())
def test_what_is_visible_stays_and_is_made_visible_once(text: str) -> None:
    once = visible(text)

    assert visible(once) == once
    assert not any(ord(c) in CONTROLS and c not in "\t\n" for c in once)


@pytest.mark.parametrize("text", ["web", "Grüße", "\N{ROCKET}", "שלום", "a\nb\tc", "\N{NO-BREAK SPACE}"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(("kind", "most"), [(Text, 1024), (Word, 256), (Arn, 2048), (LongText, 4096), (StatusDigest, 71)])
def test_a_text_that_is_too_long_is_cut_and_says_so(kind: Any, most: int) -> None:
    model = create_model("Made", __base__=Model, text=(kind, ...), optional=(kind | None, None))

    for made in (
        model(text="x" * 5000),
        model.model_validate({"text": "x" * 5000}),
        model(text="x").model_copy(update={"text": "x" * 5000}),
    ):
        assert made.to_kubernetes() == {"text": "x" * (most - 1) + "…"}
    assert model(text="x" * most, optional="\x1b").to_kubernetes() == {"text": "x" * most, "optional": "\\x1b"}


@pytest.mark.parametrize(("kind", "least", "most"), [(Count, 0, 1_000_000), (Percent, 0, 100), (ExitCode, -(2**31), 2**31 - 1)])
def test_a_number_beyond_its_bounds_stands_at_the_bound(kind: Any, least: int, most: int) -> None:
    model = create_model("Made", __base__=Model, number=(kind, ...))

    assert model(number=10**12).to_kubernetes() == model(number=1).model_copy(update={"number": 10**12}).to_kubernetes() == {"number": most}
    assert model(number=-(10**12)).to_kubernetes() == {"number": least}


def test_a_digest_of_another_algorithm_freezes_no_status() -> None:
    digest = "sha512:" + "a" * 128
    running = Running(
        running_count=10**9, containers=[RunningContainer(name="app\x1b]0;owned\x07", digests=[RunningDigest(digest=digest, tasks=10**9)])]
    )
    status = ReleaseStatus(running=running, rollout=Rollout(attempt_id="a", message="\u202eevil"))

    said = status.to_kubernetes()

    (container,) = said["running"]["containers"]
    assert container == {"name": "app\\x1b]0;owned\\x07", "digests": [{"digest": digest[:70] + "…", "tasks": 1_000_000}]}
    assert said["running"]["runningCount"] == 1_000_000
    assert said["rollout"]["message"] == "\\u202eevil"
    assert ReleaseStatus.model_validate(said).to_kubernetes() == said, "what was written is read as it is, and not written anew"
