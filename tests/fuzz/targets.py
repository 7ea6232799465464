"""What is fuzzed: each target is a strategy, and a check of what it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis.strategies import SearchStrategy

from tests.fuzz import aws_answers, aws_events, ledger_items, plugin_files, specs


@dataclass(frozen=True)
class Target:
    """One target. `runs_loop`: the check runs an event loop, whose turns have a bound."""

    inputs: SearchStrategy[Any]
    check: Callable[[Any], None]
    runs_loop: bool = False


TARGETS = {
    "specs and annotations": Target(specs.INPUTS, specs.check, runs_loop=True),
    "events": Target(aws_events.BODIES, aws_events.check),
    "answers of AWS": Target(aws_answers.INPUTS, aws_answers.check, runs_loop=True),
    "items of the ledger": Target(ledger_items.INPUTS, ledger_items.check, runs_loop=True),
    "kubeconfigs": Target(plugin_files.KUBECONFIGS, plugin_files.check_kubeconfig),
    "manifests": Target(plugin_files.MANIFESTS, plugin_files.check_manifest),
}
