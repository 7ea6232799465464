"""`python -m tests.proof [FOLDER]`: a table of rights and how often they were used; 1 where a right is missing, or is not needed.

FOLDER holds what the beds of a whole run of the suite have written (build/used, by `make test`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.proof import actions, rights
from tests.proof.usage import read


def main(arguments: list[str]) -> int:
    """Print the table, and on stderr what is wrong."""
    folder = Path(arguments[0] if arguments else "build/used")
    used = read(folder)
    if not used.operator:
        print(f"proof: no bed has written to {folder}: run make test", file=sys.stderr)
        return 1
    given = rights.given(rights.rendered())
    wrong = list(actions.faults(used.operator, used.plugin, board=used.board_calls))
    lines = actions.table(used.operator, used.plugin, used.board_calls)
    if used.audited:
        lines = rights.table(given, used.requests) + lines
        in_some = rights.given_in_some(rights.rendered(rights.RENDERED_IN_SOME))
        of_board = rights.given(rights.rendered(rights.RENDERED_BOARD), rights.BOARD)
        lines += [f"{line} (board)" for line in rights.table(of_board, used.board)]
        wrong += [f"of the board, {fault}" for fault in rights.faults(of_board, used.board, {}, "it")]
        wrong = [*rights.faults(given, used.requests), *rights.faults_in_some(in_some, used.in_some), *wrong]
    else:
        print("proof: the rights in the cluster are NOT proven: only control planes of our own keep an audit log", file=sys.stderr)
    print("\n".join(lines))
    for fault in wrong:
        print(f"proof: {fault}", file=sys.stderr)
    print(f"proof: {len(lines)} rights, {len(wrong)} wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
