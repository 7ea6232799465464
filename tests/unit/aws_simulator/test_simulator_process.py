"""The simulator as a process: started, ended by a signal, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.aws_simulator.client import Simulator

_ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_by_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.aws_simulator", "--port", "0", "--time-scale", "100", "--seed", "7"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            endpoint = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{endpoint}/simulator/time", data=b"{}", timeout=10) as answer:
                assert b'"scale": 100.0' in answer.read()
            process.send_signal(number)
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_nothing_is_left_when_a_test_fails_inside() -> None:
    begun: list[Simulator] = []

    def interrupted() -> None:
        with Simulator() as simulator:
            begun.append(simulator)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    endpoint, process_id = begun[0].endpoint, begun[0].process.pid
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{endpoint}/simulator/ready", timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
