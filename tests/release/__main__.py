"""`python -m tests.release check [--tag v1.2.3]` tells what does not agree; `... notes` prints the changelog of this version; `... keep`
makes it the last release, with which the next one is compared.
"""

from __future__ import annotations

import argparse
import sys

from tests.release.project import keep, notes, problems, version


def main() -> int:
    """Run the command. Exit code 1 where something does not agree."""
    parser = argparse.ArgumentParser(prog="tests.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="what does not agree")
    check.add_argument("--tag", default="", help="the tag that is released, such as v1.2.3; empty: only what always has to agree")
    commands.add_parser("notes", help="what the changelog says of this version")
    commands.add_parser("keep", help="make this version the last release")
    options = parser.parse_args()
    if options.command == "keep":
        keep()
    elif options.command == "notes":
        print(notes(), end="")
    else:
        found = problems(tag=options.tag)
        for problem in found:
            print(f"release: {problem}", file=sys.stderr)
        if found:
            return 1
        print(f"release: {options.tag or version()} agrees", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
