"""Manifests that are edited in place: only the given fields change, and comments stay."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.cli.kubectl.manifests.yaml_edit import edit, replacement_patch
from ecs_release.cli.kubectl.manifests.yaml_text import load_documents
from tests.unit.cli.kubectl.manifests.two_documents import TWO


def test_an_edit_keeps_every_other_line() -> None:
    result = edit(TWO, 1, {"source": None, "overrides": [{"service": "web"}], "change": {"description": "promote"}})
    assert result.comments_kept
    assert result.text == TWO.replace("  source:\n    releaseHash: 1a2b3c4\n", "").replace(
        "    description: |\n      two\n      lines\n    requestedBy: ana\n", "    description: promote\n"
    ) + ("  overrides:\n    - service: web\n")


def test_an_edit_in_flow_style_is_right_too() -> None:
    result = edit(
        "# lost\nkind: ReleaseSet\nspec: {source: {tag: a}, suspend: true}\n", 0, {"source": None, "overrides": [{"service": "w"}]}
    )
    assert not result.comments_kept
    assert load_documents(result.text) == [{"kind": "ReleaseSet", "spec": {"suspend": True, "overrides": [{"service": "w"}]}}]


@pytest.mark.parametrize(
    "text", [TWO.rstrip("\n"), TWO + "\n# the end\n", TWO.replace("\n", "\r\n")], ids=["no newline", "comment", "CRLF"]
)
def test_ends_of_files(text: str) -> None:
    documents = load_documents(text)
    documents[1]["spec"] |= {"change": {"description": "x"}, "overrides": [{"service": "web"}]}
    assert load_documents(edit(text, 1, {"change": {"description": "x"}, "overrides": [{"service": "web"}]}).text) == documents


SCALARS = st.one_of(
    st.text(max_size=12), st.integers(), st.booleans(), st.sampled_from(["12e4567", "1e3", "0x1f", "y", "2022-10-03", "a: b", "# c"])
)
VALUES = st.recursive(
    SCALARS,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text("abc", min_size=1, max_size=3), v, max_size=3)),
    max_leaves=8,
)
FIELDS = st.dictionaries(st.sampled_from(["source", "overrides", "change", "strategy", "suspend"]), VALUES, max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    before=FIELDS,
    after=st.dictionaries(st.sampled_from(["source", "overrides", "change"]), st.one_of(st.none(), VALUES), max_size=3),
    flow=st.booleans(),
)
def test_any_edit_gives_what_was_meant(before: dict[str, Any], after: dict[str, Any], flow: bool) -> None:
    documents = [{"kind": "Other"}, {"kind": "ReleaseSet", "spec": before}]
    text = yaml.safe_dump_all(documents, default_flow_style=flow, sort_keys=False, explicit_start=True)
    expected = {k: v for k, v in (before | after).items() if v is not None}
    assert load_documents(edit(text, 1, after).text) == [documents[0], {"kind": "ReleaseSet", "spec": expected}]


@settings(max_examples=100, deadline=None)
@given(before=FIELDS, fields=st.dictionaries(st.sampled_from(["source", "overrides", "change"]), st.one_of(st.none(), VALUES), max_size=3))
def test_a_merge_patch_gives_just_what_was_meant(before: dict[str, Any], fields: dict[str, Any]) -> None:
    """A former change's ticket must not stay, nor a tag beside digests."""

    def merged(target: Any, patch: Any) -> Any:
        """RFC 7386, section 2."""
        if not isinstance(patch, dict):
            return patch
        target = dict(target) if isinstance(target, dict) else {}
        for key, value in patch.items():
            if value is None:
                target.pop(key, None)
            else:
                target[key] = merged(target.get(key), value)
        return target

    assert merged(before, replacement_patch(before, fields)) == {k: v for k, v in (before | fields).items() if v is not None}
