"""References to objects: kinds, short names, and bare names."""

from __future__ import annotations

import pytest

from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.cli.kubectl.client.object_references import ObjectName, parse
from ecs_release.cli.kubectl.terminal.errors import CommandError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", ObjectName("", "web")),
        ("release/web", ObjectName(RELEASE, "web")),
        ("releases.ecs-release.dev/web", ObjectName(RELEASE, "web")),
        ("ecsrel/web", ObjectName(RELEASE, "web")),
        ("ReleaseSet/web", ObjectName(RELEASE_SET, "web")),
        ("rs/web", ObjectName(RELEASE_SET, "web")),
    ],
)
def test_names_are_read(text: str, expected: ObjectName) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["deployment/web", "release/", "environment/web", "/web"])
def test_names_of_other_kinds_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="write releaseset/NAME or release/NAME, or NAME alone"):
        parse(text)
