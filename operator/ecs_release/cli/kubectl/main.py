"""Entry point: parses the arguments, runs the command, and turns errors into one line and an exit code."""

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
from ecs_release.cli.kubectl.terminal.output import write_error

PROGRAM = "kubectl ecs-release"
INTERRUPTED = 130
_COMPLETE = "__complete"

_DESCRIPTION = "What is deployed where on AWS ECS, by whom, why, since when, and is it true right now?"


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors have exit code 1, as all others: 2 means to scripts that `status` was not in time."""

    def error(self, message: str) -> NoReturn:
        """Raise the error, with a hint at --help."""
        raise CommandError(f"{message}; see '{self.prog} --help'")


def main() -> None:
    """Run, and end the process with the exit code."""
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`): Python must not report that at exit.
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
        arguments, entry = parse(words)
        verbose = arguments.verbosity >= 8
        with Session(arguments) as session:
            return entry.load().run(session, arguments)
    except CommandError as error:
        return _fail(str(error), error.code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except Exception as error:
        if verbose:
            raise
        return _fail(f"{type(error).__name__}: {' '.join(str(error).split())}; this is a defect of the plugin: -v 8 shows where", 1)


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, Entry]:
    """Parse the arguments. kubectl's flags may be on either side of the command's name. Raises CommandError."""
    parser = root_parser()
    before = parser.parse_args(flags.expand_boolean_values(words))
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


def root_parser() -> argparse.ArgumentParser:
    """Return the parser of everything up to the command's name."""
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
    """Return the parser of one command."""
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


def _fail(message: str, code: int) -> int:
    write_error(message)
    return code


if __name__ == "__main__":
    main()
