"""What of a ReleaseSet's spec deploys."""

from __future__ import annotations

from ecs_release.domain.sets.facts import set_source_hash
from tests.builders.set_facts import set_spec


def test_what_deploys_is_in_the_hash_and_nothing_else() -> None:
    one = set_source_hash(set_spec())
    same = [
        set_spec(suspend=True),
        set_spec(change={"description": "better"}),
        set_spec(strategy={"maxParallel": 3, "onFailure": "Continue"}),
    ]
    assert {set_source_hash(s) for s in same} == {one}
    others = [set_spec(source={"releaseHash": "b"}), set_spec(source={"tag": "a"}), set_spec(services=["x"]),
              set_spec(overrides=[{"service": "x", "source": {"tag": "t"}}])]  # fmt: skip
    assert len({one, *(set_source_hash(s) for s in others)}) == 5
    assert set_source_hash(set_spec(services=["x", "y"])) == set_source_hash(set_spec(services=["y", "x"]))
