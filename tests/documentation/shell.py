"""A user's shell in a clone of the repository: what one block exports the next one knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.documentation.blocks import Block, Step
from tests.environment import plain

ROOT = Path(__file__).resolve().parents[2]
_LINKED = ("examples", "charts", "crds", "tests", "operator", ".venv")
_BLOCK_S = 90
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{2,}(?![\w-])")


class Shell:
    """Runs blocks in a folder that looks like a clone, so that files which they write are nobody else's."""

    def __init__(self, folder: Path, env: str) -> None:
        """`env` is what `make playground` has left in build/playground/env."""
        self._folder = folder
        self._state = folder / "build" / "exported"
        # Nothing else is given: what is needed the pages export. The plugin starts many times: compiled once it takes half of the time.
        self._own = {"GIT_CEILING_DIRECTORIES": str(folder.parent), "PYTHONPYCACHEPREFIX": str(folder / "build" / "bytecode")}
        (folder / "build" / "playground").mkdir(parents=True)
        (folder / "build" / "playground" / "env").write_text(env)
        for name in _LINKED:
            (folder / name).symlink_to(ROOT / name)

    def run(self, block: Block) -> None:
        """Run a block. Raises AssertionError where it ends otherwise than it says, or prints other words than it shows."""
        steps = block.steps
        for step in steps:
            # What comes before the last has to work in any case.
            code, printed = self.script(step.script)
            wanted = block.exit_code if step is steps[-1] else 0
            assert code == wanted, f"{block.place}: ended with {code}, not {wanted}:\n{step.script}\n{printed}"
            missing = unseen(step, printed)
            assert not missing, f"{block.place}: {missing} is shown, and not in what was printed:\n{step.script}\n{printed}"

    def script(self, text: str) -> tuple[int, str]:
        """Run a script; return its exit code, and what it has printed."""
        known = f". '{self._state}'\n" if self._state.exists() else ""
        whole = f"set -euo pipefail\n{known}trap 'export -p > \"{self._state}\"' EXIT\n{text}\n"
        done = subprocess.run(
            ["bash", "-c", whole], cwd=self._folder, env=plain("PYTHONDONT") | self._own,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_BLOCK_S,
        )  # fmt: skip
        return done.returncode, done.stdout

    def environment(self) -> dict[str, str]:
        """Return what the shell has exported by now."""
        _, printed = self.script("env -0")
        return dict(pair.split("=", 1) for pair in printed.split("\0") if "=" in pair)


def unseen(step: Step, printed: str) -> list[str]:
    """List the words that a page shows and the command did not print: numbers, ages and ids differ from run to run, words do not."""
    return sorted(set(_WORD.findall(step.shown)) - set(_WORD.findall(printed)))
