"""The operator as a process that dies at a crash point and is started again, as a Deployment's pod is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

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
        self.folder = Path(self._folder.name)
        """For whatever it needs; gone at its end."""
        self.died = 0
        self._lock = threading.Lock()
        self.ends: list[str] = []
        """How it ended otherwise than at its crash point."""

    def __enter__(self) -> MortalOperator:
        """Prepare it: `running` starts it."""
        return self

    def calls(self) -> Counter[str]:
        """Return how often each call was made so far."""
        return Counter(self._journal.read_text().split()) if self._journal.exists() else Counter()

    @contextmanager
    def running(self, point: CrashPoint | None = None, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[MortalOperator]:
        """Run it, and start it again whenever it has ended. Variables of the `environment` that are empty are absent."""
        self._change(environment)
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

    def restart(self, environment: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None) -> None:
        """Kill it and start it again in another environment, with something done in between."""
        with self._lock:
            self.kill()
            self._change(environment)
            meanwhile()
            self.start()

    def _change(self, environment: Mapping[str, str]) -> None:
        self._environment |= environment
        for name in [name for name, value in environment.items() if not value]:
            del self._environment[name]

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(0.05):
            with self._lock:
                code = self.process.exit_code
                if code is None:
                    continue
                if code == DIED:
                    self.died += 1
                else:
                    self.ends.append(f"the operator ended with {code}: {self.tail(2000)}")
                self.start()
