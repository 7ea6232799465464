"""Sources: what is looked up for one, and what it is called."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecs_release.api.meta import TAG
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.claimed_hash import claimed, confirmed_hash, given_hash
from ecs_release.domain.artifacts.source import Lookup, display_hash, hash_of_image, hash_of_tags, lookups, source_hash
from ecs_release.domain.environments.targets import ListedContainer
from ecs_release.domain.model.errors import Blocked
from tests.builders.ecs import NEW, OLD


def source(**spec: Any) -> Source:
    return Source.model_validate(spec)


APP, SIDE = ListedContainer("app", "shop/web"), ListedContainer("side", "shop/side")


def test_equal_sources_have_equal_hashes() -> None:
    one = [{"container": "app", "digest": NEW}, {"container": "side", "digest": OLD}]
    assert source_hash(source(images=one)) == source_hash(source(images=one[::-1]))
    assert source_hash(source(images=one)) == source_hash(source(images=[{**one[0], "releaseHash": "x"}, one[1]]))
    hashes = {source_hash(s) for s in (source(images=one), source(tag="a"), source(releaseHash="a"), source(tag="b"))}
    assert len(hashes) == 4


def test_tags_are_tried_in_order_and_for_each_container() -> None:
    found = lookups(source(releaseHash="1a2b3c4"), (APP, SIDE), ("ref.{releaseHash}", "{releaseHash}"))
    assert [(x.container, x.repository, x.tags) for x in found] == [
        ("app", "shop/web", ("ref.1a2b3c4", "1a2b3c4")),
        ("side", "shop/side", ("ref.1a2b3c4", "1a2b3c4")),
    ]


@pytest.mark.parametrize(("images", "why"), [(["app"], "no image for container side"), (["app", "side", "x"], "names container x")])
def test_images_must_name_each_container_exactly(images: list[str], why: str) -> None:
    with pytest.raises(Blocked, match=why):
        lookups(source(images=[{"container": c, "digest": NEW} for c in images]), (APP, SIDE), ())


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("latest", "ref.1a2b3c4"), "1a2b3c4"), (("latest", "1a2b3c4"), "1a2b3c4"), (("latest", "env.prod"), ""), ((), ""),
        (("ref.v2", "1a2b3c4"), "v2"),
    ],
)  # fmt: skip
def test_a_release_hash_is_read_off_tags(tags: tuple[str, ...], found: str) -> None:
    assert hash_of_tags(tags, ("ref.{releaseHash}", "{releaseHash}")) == found


@pytest.mark.parametrize(
    ("given", "tags", "found"),
    [
        ("v1", ("ref.v1",), "v1"), ("v1", ("v1",), "v1"), ("v1", ("ref.v1", "ref.v2"), "v1"), ("v1", ("ref.v2",), "v2"),
        ("v1", ("1a2b3c4",), "1a2b3c4"), ("v1", (), "claimed:v1"), ("v1", ("latest",), "claimed:v1"), ("v1", ("ref.v10",), "v10"),
        ("", ("ref.v2",), "v2"), ("", (), ""),
    ],
)  # fmt: skip
def test_tags_go_before_what_a_manifest_claims(given: str, tags: tuple[str, ...], found: str) -> None:
    formats = ("ref.{releaseHash}", "{releaseHash}")
    assert hash_of_image(Lookup("app", "shop/web", digest=NEW, release_hash=given), tags, formats) == found


def test_an_image_that_was_found_by_a_hash_has_it() -> None:
    assert (
        hash_of_image(Lookup("app", "shop/web", tags=("ref.v1",), release_hash="v1"), ("ref.v2", "ref.v1"), ("ref.{releaseHash}",)) == "v1"
    )
    assert hash_of_image(Lookup("app", "shop/web", tags=("latest",)), ("ref.v2", "latest"), ("ref.{releaseHash}",)) == "v2"


def test_a_claim_is_marked_once_and_given_without_its_mark() -> None:
    assert claimed(claimed("v1")) == "claimed:v1" and claimed("") == ""
    assert (given_hash("claimed:v1"), given_hash("v1"), given_hash(None)) == ("v1", "v1", None)
    assert (confirmed_hash("claimed:v1"), confirmed_hash("v1"), confirmed_hash(None)) == (None, "v1", None)
    assert not re.fullmatch(TAG, claimed("v1")), "no tag, and no release hash of a spec, looks like one"


def test_what_people_call_it() -> None:
    assert display_hash(source(releaseHash="a")) == "a"
    by_digest = source(images=[{"container": "app", "digest": NEW, "releaseHash": "h"}])
    assert display_hash(by_digest) == "claimed:h"
    for known, shown in (("other", "other"), ("h", "h"), ("claimed:h", "claimed:h"), (None, "")):
        pin = Pin(source_hash=source_hash(by_digest), images=[PinnedImage(container="app", digest=NEW, release_hash=known)])
        assert display_hash(by_digest, pin) == shown
    assert display_hash(by_digest, Pin(source_hash="another", images=[])) == "claimed:h"
    assert display_hash(source(images=[{"container": "app", "digest": NEW}])) == ""
