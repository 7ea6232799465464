"""Release hashes that are written short, expanded by the tags of ECR."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecs_release.cli.kubectl.artifacts import hash_prefix
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound
from ecs_release.cli.kubectl.terminal.output import Output
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import resolve_target
from tests.builders.objects import environment, project

FULL, OTHER = "3f2a91c" + "0" * 33, "3f2a91d" + "0" * 33
BOTH = ("ref.{releaseHash}", "{releaseHash}")


@pytest.mark.parametrize(
    ("tags", "formats", "found"),
    [
        ([f"ref.{FULL}", "latest", "env.prod"], BOTH, {FULL}),
        ([FULL], BOTH, {FULL}),
        ([FULL], BOTH[:1], set()),
        ([f"ref.{FULL}", FULL, f"ref.{OTHER}"], BOTH, {FULL, OTHER}),
        ([f"{FULL}-arm"], ["{releaseHash}-arm"], {FULL}),
        (["ref.", "3f2", "build-3f2a91"], BOTH, set()),
        ([f"ref.{FULL}", f"ref.{FULL}-amd64", f"ref.{FULL}-arm64"], BOTH, {FULL}),
        (["ref.3f2a", f"ref.{FULL}"], BOTH, {"3f2a"}),
        (["ref.3f2a-week-one"], BOTH, {"3f2a-week-one"}),
    ],
)
def test_tags_that_begin_so(tags: list[str], formats: list[str], found: set[str]) -> None:
    assert hash_prefix.matching_hashes("3f2a", tags, formats) == found


class FakeReads:
    def __init__(self, answer: frozenset[str] | str, image: RegistryImage | str | None = None) -> None:
        self._answer, self._image = answer, image

    def tags(self, *_: object) -> frozenset[str] | str:
        return self._answer

    def image(self, *_: object) -> RegistryImage | str | None:
        return self._image


def session(said: io.StringIO) -> Any:
    return SimpleNamespace(out=Output({}, io.StringIO(), said))


@pytest.mark.parametrize(
    ("answer", "found", "said"),
    [
        (frozenset({f"ref.{FULL}", "latest"}), FULL, ""),
        (frozenset({"latest"}), "", ""),
        ("there are no AWS credentials to use", "", "there are no AWS credentials to use"),
    ],
)
def test_what_ecr_does_not_tell_is_said(answer: frozenset[str] | str, found: str, said: str) -> None:
    err = io.StringIO()
    target = resolve_target(environment(), project(), "web")
    assert hash_prefix.expand(session(err), "3f2a", [target], cast("Any", FakeReads(answer))) == found
    assert said in err.getvalue() and bool(said) == bool(err.getvalue())


def test_an_ambiguous_hash_lists_its_candidates() -> None:
    target = resolve_target(environment(), project(), "web")
    with pytest.raises(CommandError, match=f"3f2a is ambiguous: it may be {FULL}, {OTHER}"):
        hash_prefix.expand(session(io.StringIO()), "3f2a", [target], cast("Any", FakeReads(frozenset({f"ref.{FULL}", OTHER}))))
    with pytest.raises(CommandError, match=r" and 2 more$"):
        hash_prefix.only_match("a", [f"a{n}" for n in range(12)])


def test_images_at_a_hash() -> None:
    target = resolve_target(environment(), project(), "web")
    image = RegistryImage(digest="sha256:" + "a" * 64)
    err = io.StringIO()
    found = hash_prefix.images_at(session(err), FULL, {"web": target}, cast("Any", FakeReads(frozenset(), image)))
    assert [(i.digest, i.release_hash) for i in found["web"].images or ()] == [(image.digest, FULL)]
    with pytest.raises(NotFound, match=f"has no image of release hash {FULL}"):
        hash_prefix.images_at(session(err), FULL, {"web": target}, cast("Any", FakeReads(frozenset(), None)))
    assert hash_prefix.images_at(session(err), FULL, {"web": target}, cast("Any", FakeReads(frozenset(), "denied"))) == {}
    assert "denied" in err.getvalue()
