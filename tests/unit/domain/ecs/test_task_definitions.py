"""Task definitions: only the images of listed containers change (law 8)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.ecs.revision_content import content_hash
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import (
    Ownership,
    as_registered,
    newest_base,
    own_tags,
    ownership,
    pinned_name,
    with_images,
    with_ownership,
)
from ecs_release.domain.model.errors import Blocked
from tests.builders.ecs import NEW, revision
from tests.builders.revisions import registered, registered_by_us

HOST = "444455556666.dkr.ecr.eu-west-1.amazonaws.com"
OWNER = Ownership("default", "shop/web", "abc", "1")


def base(content: dict[str, Any] | None = None, tags: dict[str, str] | None = None, unknown: tuple[str, ...] = ()) -> TaskDefinition:
    made = content or {
        "family": "web",
        "containerDefinitions": [{"name": "app", "image": f"{HOST}/shop/web:ref.1"}, {"name": "log", "image": "fluent:2"}],
    }
    return TaskDefinition(revision(1), "web", 1, "ACTIVE", made, tags or {}, unknown)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=5), s, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), json_values, max_size=5),
    st.dictionaries(st.text(min_size=1, max_size=8), json_values, max_size=4),
)
def test_everything_but_the_images_stays(fields: dict[str, Any], container: dict[str, Any]) -> None:
    content = {**fields, "containerDefinitions": [{**container, "name": "app", "image": "a"}, {**container, "name": "log", "image": "b"}]}
    before = copy.deepcopy(content)
    made = with_images(base(content), {"app": "c"})
    assert content == before
    before["containerDefinitions"][0]["image"] = "c"
    assert made == before


def test_the_base_revisions_registry_is_kept() -> None:
    assert pinned_name(base(), "app", "shop/web", NEW, "default.host") == f"{HOST}/shop/web@{NEW}"
    assert pinned_name(base(), "log", "shop/log", NEW, "default.host") == f"default.host/shop/log@{NEW}"


def test_a_container_that_is_not_there_is_named() -> None:
    with pytest.raises(Blocked, match=r"no container 'web' \(it has: app, log\)"):
        pinned_name(base(), "web", "shop/web", NEW, "host")


def test_what_cannot_be_read_whole_is_refused() -> None:
    with pytest.raises(Blocked, match=r"holds containerDefinitions\[0\].warp, which this version"):
        with_images(base(unknown=("containerDefinitions[0].warp",)), {})


def test_tags_are_kept_and_ours_are_new() -> None:
    tags = {"team": "a", "aws:cloudformation:stack-name": "s", "ecs-release.dev/attempt": "0", "ecs-release.dev/installation": "old"}
    made = with_ownership(base(tags=tags), OWNER, base().content)
    assert made == {"team": "a", **OWNER.tags(), "ecs-release.dev/content": content_hash(base().content)}
    assert ownership(base(tags=made)) == OWNER
    assert ownership(base(tags={"team": "a"})) is None


def test_more_than_fifty_tags_are_refused() -> None:
    assert len(with_ownership(base(tags={str(n): "" for n in range(45)}), OWNER, {})) == 50
    with pytest.raises(Blocked, match="more than the 50 that ECS allows"):
        with_ownership(base(tags={str(n): "" for n in range(46)}), OWNER, {})


@pytest.mark.parametrize(
    ("what", "running", "foreign", "chosen"),
    [
        ("a newer one is there", registered_by_us(8, base="7"), registered(9), 9),
        ("it runs what was built on the newest", registered_by_us(8, base="7"), registered(7), 7),
        ("what it was built on was deregistered since", registered_by_us(8, base="7"), registered(6), 8),
        ("somebody else's runs, and the list does not show it yet", registered(9), registered(7), 9),
        ("a copy of ours runs", registered_by_us(9, base="7", content="1-of-something-else"), registered(7), 9),
        ("what it was built on is not known", registered_by_us(8, base=""), registered(7), 8),
        ("there is none", registered_by_us(8, base="7"), None, 8),
    ],
)
def test_a_base_is_never_older_than_what_runs(what: str, running: TaskDefinition, foreign: TaskDefinition | None, chosen: int) -> None:
    assert newest_base(running, foreign, "default").revision == chosen, what


@pytest.mark.parametrize(
    ("what", "made", "owned"),
    [
        ("its attempt has registered it", {"a1": revision(8)}, True),
        ("its attempt is not known any more", {"a9": revision(2)}, True),
        ("its attempt has registered another one", {"a1": revision(7)}, False),
    ],
)
def test_tags_of_earlier_versions_count_unless_the_history_contradicts(what: str, made: dict[str, str], owned: bool) -> None:
    found = as_registered(registered_by_us(8), made)
    assert (ownership(found) is not None) is owned, what
    assert own_tags(found) == {"team": "shop"}
