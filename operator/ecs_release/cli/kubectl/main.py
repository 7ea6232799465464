"""Entry point: reads the arguments, runs the command, and turns what went wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.command_registry import COMMANDS, Entry, find
from ecs_release.cli.kubectl.terminal.errors import CommandError

PROGRAM = "kubectl ecs-release"
INTERRUPTED = 130
_COMPLETE = "__complete"

_DESCRIPTION = "What is deployed where on AWS ECS, by whom, why, since when, and is it true right now?"


class Parser(argparse.ArgumentParser):
    """As argparse's, but a mistake in the arguments ends as every other error does: 2 is for scripts that wait (`status`)."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where help is."""
        raise CommandError(f"{message}; see '{self.prog} --help'")


def main() -> None:
    """Run, and end the process with the exit code."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`): Python must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run a command and return the exit code. Nothing but SystemExit (of --help) is ever raised."""
    if list(words[:1]) == [_COMPLETE]:
        from ecs_release.cli.kubectl import completion

        completion.run(words[1:])
        return 0
    verbose = False
    try:
        arguments, entry = read(words)
        verbose = arguments.verbosity >= 8
        with Session(arguments) as session:
            return entry.load().run(session, arguments)
    except CommandError as error:
        return _say(str(error), error.code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:
        if verbose:
            raise
        return _say(f"{type(error).__name__}: {' '.join(str(error).split())}; this is a defect of the plugin: -v 8 shows where", 1)


def read(words: Sequence[str]) -> tuple[argparse.Namespace, Entry]:
    """Read the arguments. kubectl's flags may stand on either side of the command's name. Raises CommandError."""
    parser = overview()
    before = parser.parse_args(flags.without_truth(words))
    name, rest = before.command, before.rest
    if name == "help":
        name, rest = (rest[0] if rest else None), ["--help"]
    if name is None:
        parser.parse_args(["--help"])
    entry = find(name)
    if entry is None:
        close = get_close_matches(name, [e.name for e in COMMANDS], 1)
        hint = f"did you mean {close[0]!r}?" if close else f"see '{PROGRAM} --help'"
        raise CommandError(f"unknown command {name!r}: {hint}")
    del before.rest
    return command_parser(entry).parse_args(rest, before), entry


def overview() -> argparse.ArgumentParser:
    """Make the parser of everything up to the command's name."""
    width = max(len(entry.name) for entry in COMMANDS)
    lines = "\n".join(f"  {entry.name:<{width}}  {entry.help}" for entry in COMMANDS)
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} COMMAND [flags]",
        description=f"{_DESCRIPTION}\n\ncommands:\n{lines}",
        epilog=f"'{PROGRAM} COMMAND --help' tells the flags of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    flags.add_common(parser, hidden=False)
    return parser


def command_parser(entry: Entry) -> argparse.ArgumentParser:
    """Make the parser of one command."""
    parser = Parser(
        prog=f"{PROGRAM} {entry.name}",
        description=entry.help,
        epilog=f"The flags of kubectl (-n, --context, --as, ...) hold here, too: see '{PROGRAM} --help'.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    entry.load().configure(parser)
    flags.add_common(parser, hidden=True)
    return parser


def _say(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
