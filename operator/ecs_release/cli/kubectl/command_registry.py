"""The table of commands: help, completion and the import of a command's module use it."""

from __future__ import annotations

import argparse
import keyword
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session


class Command(Protocol):
    """The functions of a module in `commands/`."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own flags and arguments."""
        ...

    def run(self, session: Session, arguments: argparse.Namespace) -> int:
        """Run the command and return the exit code."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A command's name, and a line of help."""

    name: str
    help: str

    def load(self) -> Command:
        """Import the command's module, only when the command is used."""
        module = self.name.replace("-", "_")
        # A module cannot be named as a keyword of Python.
        module += "_" if keyword.iskeyword(module) else ""
        return cast("Command", import_module(f"ecs_release.cli.kubectl.commands.{module}"))


COMMANDS: tuple[Entry, ...] = (
    Entry("status", "How a ReleaseSet or Release stands, as a tree; --watch waits for it"),
    Entry("board", "What runs where: services by environments"),
    Entry("where", "In which environments a commit is live; --watch waits until it is live everywhere"),
    Entry("plan", "What an apply of a file would do, or a resource as it stands, and what blocks it"),
    Entry("history", "What was deployed before, by whom and why"),
    Entry("diff", "What differs between two Environments, or between what is wanted and what runs"),
    Entry("promote", "Write the manifest that takes what runs in one Environment to another"),
    Entry("rollback", "Write the manifest that goes back to what ran before"),
    Entry("retry", "Try a failure again that is held"),
    Entry("refresh", "Resolve a tag, or a promotion, again"),
    Entry("abort", "End what is under way, and have ECS roll it back"),
    Entry("continue", "List the lifecycle hooks at which ECS waits, and answer one: go on, or --rollback"),
    Entry("suspend", "Start nothing new, and show what would be done"),
    Entry("resume", "Go on after a suspension"),
    Entry("publish", "Give images in ECR their release hash, and move `latest` to them"),
    Entry("import", "Print Project, Environments and Releases of what is there already"),
    Entry("completion", "Print the program by which kubectl completes this plugin's words"),
    Entry("version", "The plugin's version"),
)


def find(name: str) -> Entry | None:
    """Return the command with a name."""
    return next((entry for entry in COMMANDS if entry.name == name), None)
