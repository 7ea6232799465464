"""The operator as tests run it: what a restart waits for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.operator_process import Operator
from tests.waiting import until


async def test_a_restarted_operator_is_not_ready_by_the_words_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho watching again in 5 s\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    log = tmp_path / "log"
    log.write_text("watching 4 kinds\n")
    with Operator(tmp_path / "kubeconfig", {}, log=log) as operator:
        await until(lambda: "again" in log.read_text())
        with pytest.raises(RuntimeError, match="was not ready"):
            operator.wait_until_ready(0.5)
        with log.open("a") as file:
            file.write("watching 4 kinds\n")
        operator.wait_until_ready()
