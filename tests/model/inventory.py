"""What the model attacks with, and which rules it asks, by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.model.faults import KUBE, KUBE_FAULTS, WRITE_FAULTS, WRITES

FAULTS = tuple(f"{call} {fault}" for calls, faults in ((WRITES, WRITE_FAULTS), (KUBE, KUBE_FAULTS)) for call in calls for fault in faults)
"""Calls, each with a fault that it may meet; reads meet theirs too often to be looked at."""
_JUDGES = ("oracle.py", "run.py")


def rules() -> tuple[str, ...]:
    """List the rules of the oracle, as it says them; what it says of the circumstances is `*`."""
    folder = Path(__file__).parent
    return tuple(sorted({rule for name in _JUDGES for rule in _said(ast.parse((folder / name).read_text()))}))


def _said(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
            yield _text(node.args[0])


def _text(said: ast.expr) -> str:
    if isinstance(said, ast.JoinedStr):
        return "".join(_text(part) for part in said.values)
    if isinstance(said, ast.BinOp):
        return _text(said.left)
    return str(said.value) if isinstance(said, ast.Constant) else "*"
