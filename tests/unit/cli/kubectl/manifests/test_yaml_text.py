"""YAML that every reader reads the same."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl.manifests.yaml_text import dump, dump_documents, load_documents


@pytest.mark.parametrize(
    "text", ["12e4567", "1234567", "0x1f", "1_000", "2022-10-03", "12:30:45", "y", "on", "~", "-", "=", "null", ".5", "+1"]
)
def test_strings_are_read_as_strings(text: str) -> None:
    """Kubernetes reads 12e4567, a release hash, as a number unless it is quoted; PyYAML does not."""
    assert dump({"releaseHash": text}) == f'releaseHash: "{text}"\n'


def test_keys_that_come_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="'a' comes twice"):
        load_documents("a: 1\na: 2\n")


def test_documents_are_parted() -> None:
    assert dump_documents([{"a": 1}, {"b": 2}]) == "a: 1\n---\nb: 2\n"
