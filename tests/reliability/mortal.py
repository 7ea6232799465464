"""The operator as a process that dies at a crash point and is started again, as a Deployment's pod is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.operator_process import Operator
from tests.reliability.calls import CRASH, DIED, JOURNAL, CrashPoint

ROOT = Path(__file__).parents[2]


class MortalOperator(Operator):
    """The operator with its ports watched."""

    MODULE = "tests.reliability.process"

    def __init__(self, kubeconfig: Path, aws: Mapping[str, str], settings: Mapping[str, str]) -> None:
        super().__init__(kubeconfig, aws, settings)
        self._journal = Path(self._folder.name) / "calls"
        self._environment |= {JOURNAL: str(self._journal), "PYTHONPATH": str(ROOT)}
        self.died = 0
        self.ends: list[str] = []
        """How it ended otherwise than at its crash point."""

    def __enter__(self) -> MortalOperator:
        """Prepare it: `running` starts it."""
        return self

    def calls(self) -> Counter[str]:
        """Return how often each call was made so far."""
        return Counter(self._journal.read_text().split()) if self._journal.exists() else Counter()

    @contextmanager
    def running(self, point: CrashPoint | None = None) -> Iterator[MortalOperator]:
        """Run it, and start it again whenever it has ended."""
        self.start({CRASH: str(point)} if point else {})
        over = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(over,), daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            over.set()
            keeper.join()
            self.kill()

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(0.05):
            code = self.process.exit_code
            if code is None:
                continue
            if code == DIED:
                self.died += 1
            else:
                self.ends.append(f"the operator ended with {code}: {self.tail(2000)}")
            self.start()
