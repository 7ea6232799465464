"""Which shard an account and region belong to, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.environments.sharding import SINGLE_SHARD, shards_of

ONE_ACCOUNT, OTHER = "111122223333", "444455556666"


@pytest.mark.parametrize(
    ("account", "region", "shard"),
    [
        (ONE_ACCOUNT, "eu-west-1", "prod"),
        (ONE_ACCOUNT, "us-east-1", "prod"),
        (OTHER, "eu-west-1", "europe"),
        (OTHER, "us-east-1", "default"),
        ("777788889999", "eu-west-1", "default"),
    ],
)
def test_the_shard_of_an_account_and_region(account: str, region: str, shard: str) -> None:
    shards = shards_of({"prod": [ONE_ACCOUNT], "europe": [f"{OTHER}/eu-west-1"]})
    assert shards.of(account, region) == shard
    assert shards.names == ("prod", "europe", "default")
    assert SINGLE_SHARD.of(account, region) == "default"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"a": [ONE_ACCOUNT], "b": [ONE_ACCOUNT]}, "shards 'a' and 'b' overlap: the one has account 111122223333 in all regions"),
        ({"a": [ONE_ACCOUNT], "b": [f"{ONE_ACCOUNT}/eu-west-1"]}, "'a' and 'b' overlap"),
        ({"a": [f"{ONE_ACCOUNT}/eu-west-1"], "b": [ONE_ACCOUNT]}, "'a' and 'b' overlap"),
        ({"a": [f"{ONE_ACCOUNT}/eu-west-1"], "b": [f"{ONE_ACCOUNT}/eu-west-1"]}, "the other account 111122223333 in region eu-west-1"),
        ({"a": [OTHER], "default": [OTHER]}, "'a' and 'default' overlap"),
        ({"a": ["11112222333"]}, "neither an account of 12 digits nor account/region"),
        ({"a": [f"{ONE_ACCOUNT}/"]}, "neither an account of 12 digits nor account/region"),
        ({"a": [f"{ONE_ACCOUNT}/EU"]}, "neither an account of 12 digits nor account/region"),
        ({"a/b": [ONE_ACCOUNT]}, "shard 'a/b': a name has at most 63"),
        ({"a" * 64: [ONE_ACCOUNT]}, "a name has at most 63"),
        ({"": [ONE_ACCOUNT]}, "a name has at most 63"),
    ],
)
def test_what_is_refused(table: dict[str, list[str]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        shards_of(table)


def test_tables_that_say_the_same_have_the_same_digest() -> None:
    one, other = {"a": [ONE_ACCOUNT, OTHER], "b": []}, {"b": [], "a": [OTHER, ONE_ACCOUNT]}
    assert shards_of(one).digest == shards_of(other).digest
    different = [
        SINGLE_SHARD,
        shards_of({"a": [ONE_ACCOUNT]}),
        shards_of({"a": []}),
        shards_of({"b": [ONE_ACCOUNT, OTHER], "a": []}),
        shards_of(one),
    ]
    assert len({shards.digest for shards in different}) == len(different)


def test_what_is_none() -> None:
    table = {"a": [ONE_ACCOUNT, f"{ONE_ACCOUNT}/eu-west-1", ONE_ACCOUNT], "b": [f"{OTHER}/eu-west-1"], "c": [f"{OTHER}/us-east-1"], "d": []}
    assert shards_of(table).of(OTHER, "us-east-1") == "c"


_parts = st.lists(
    st.tuples(st.sampled_from([ONE_ACCOUNT, OTHER]), st.sampled_from(["", "/eu-west-1", "/us-east-1"])).map("".join), max_size=3
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), _parts))
def test_no_two_shards_ever_share_an_account_and_region(table: dict[str, list[str]]) -> None:
    """A table is refused exactly where some account and region would have two owners."""
    places = [(account, region) for account in (ONE_ACCOUNT, OTHER) for region in ("eu-west-1", "us-east-1")]
    owners = {(a, r): {name for name, parts in table.items() if a in parts or f"{a}/{r}" in parts} for a, r in places}
    try:
        shards = shards_of(table)
    except ValueError:
        assert any(len(names) > 1 for names in owners.values())
        return
    for place, names in owners.items():
        assert len(names) <= 1
        assert shards.of(*place) == next(iter(names), "default")
