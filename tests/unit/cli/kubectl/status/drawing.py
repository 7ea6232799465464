"""What `status` draws, as lines of text."""

from __future__ import annotations

from rich.console import Console, Group

from ecs_release.cli.kubectl.status.header import header
from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.status.tree import tree
from tests.unit.cli.kubectl.objects import (
    NOW,
)


def drawn(snapshot: Snapshot, *, wide: bool = False) -> list[str]:
    console = Console(width=400, no_color=True, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(Group(*header(snapshot, NOW), tree(snapshot, NOW, wide=wide)))
    return [line.rstrip() for line in captured.get().splitlines()]
