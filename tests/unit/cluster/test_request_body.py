"""An apply patch is the same to a reader of JSON and to one of YAML, whatever is in it, and can always be written in UTF-8."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.cluster.request_body import apply_body
from ecs_release.domain.model.unicode import well_formed

ANY_TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT.map(well_formed), inner, max_size=3),
    max_leaves=8,
)


def mended(value: Any) -> Any:
    """Mend every text in a value."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {mended(k): mended(v) for k, v in value.items()}
    return [mended(v) for v in value] if isinstance(value, list) else value


@given(st.dictionaries(ANY_TEXT.map(well_formed), JSON, max_size=3))
def test_whatever_it_is_both_read_the_same(body: dict[str, Any]) -> None:
    sent = apply_body(body)

    assert json.loads(sent) == mended(body)
    assert yaml.safe_load(sent.decode()) == mended(body)
    assert b"\n" not in sent


@given(ANY_TEXT)
def test_what_is_well_formed_stays_as_it_is(text: str) -> None:
    found = well_formed(text)

    assert len(found) == len(text)
    assert found.encode().decode() == found
    assert found == text or "\N{REPLACEMENT CHARACTER}" in found
