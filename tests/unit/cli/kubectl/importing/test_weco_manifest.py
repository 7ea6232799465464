"""`.wellcome_project` manifests in every form that occurs; strings stay strings."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl.importing.weco_manifest import Notes, Unreadable, read
from tests.unit.cli.kubectl.importing.conversion import converted, of_kind, services


@pytest.mark.parametrize(
    "text",
    [
        "shelf: {environments: [{id: stage}], image_repositories: [{id: web, services: [{id: web}]}]}",
        "- {id: shelf, environments: [{id: stage}], image_repositories: [{id: web, services: [web]}]}",
        '[{"id": "shelf", "environments": [{"id": "stage"}], "image_repositories": [{"id": "web", "services": ["web"]}]}]',
        '{"id": "shelf", "environments": [{"id": "stage"}], "image_repositories": [{"id": "web", "services": [{"id": "web"}]}]}',
        '{\n\t"shelf": {"environments": ["stage"], "image_repositories": [{"id": "web", "services": "web"}]}}',
        "shelf: {environments: {stage: {name: null}}, image_repositories: {web: {services: [web]}}}",
    ],
    ids=["by id", "list", "JSON list", "JSON object", "JSON by id", "maps"],
)
def test_forms_that_mean_the_same(text: str) -> None:
    found, _ = converted(text, account_id="111122223333")
    assert [(d["kind"], d["metadata"]["name"]) for d in found] == [("Project", "shelf"), ("Environment", "shelf-stage")]
    assert list(services(found)) == ["web"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no project"),
        ("just words", "no project"),
        ("a: {b: [", "neither YAML nor JSON"),
        ("a: 1", "is no object"),
        ("- {name: x}", "has no id"),
        ("[{id: a}, {id: a}]", "there twice"),
        ("a: {name: x, name: y}", "comes twice"),
        ("a: {}\na: {}", "comes twice"),
        ("!!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read(text, Notes())


def test_numbers_of_json_are_as_they_are_written() -> None:
    """An environment named 1.0 is not named 1, and an account is no number."""
    text = '{"shelf": {"account_id": 111122223333, "environments": [{"id": 1.0}, {"id": 7}], "image_repositories": [{"id": "ab", "services": ["ab"]}]}}'
    environments = of_kind(converted(text)[0], "Environment")
    named = [(e["spec"]["displayName"], e["spec"]["aws"]["accountID"]) for e in environments]
    assert named == [("1.0", "111122223333"), ("7", "111122223333")]
