"""`kubectl_complete-ecs_release`: what kubectl runs for candidates when somebody presses the tab key. Never fails, never takes long."""

from __future__ import annotations

import sys


def main() -> None:
    """Print candidates, one a line, and a line `:4`: no files (Cobra's ShellCompDirectiveNoFileComp)."""
    from ecs_release.cli.kubectl.registry import COMMANDS

    words = sys.argv[1:]
    if len(words) <= 1:
        for entry in COMMANDS:
            if entry.name.startswith(words[-1] if words else ""):
                print(f"{entry.name}\t{entry.help}")
    print(":4")


if __name__ == "__main__":
    main()
