"""The entry point: arguments are parsed, and every error is one line and an exit code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ecs_release.cli.kubectl import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verson"], "unknown command 'verson': did you mean 'version'?"),
        (["zzz"], "unknown command 'zzz': see 'kubectl ecs-release --help'"),
        (["version", "--frob"], "unrecognized arguments: --frob; see 'kubectl ecs-release version --help'"),
        (["-n"], "expected one argument"),
        (["--request-timeout=x", "version"], "'x' is no duration"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, which argparse would give, means to scripts that `status` was not in time."""
    assert main.run(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_defect_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> int:
        raise KeyError("nothing\nthere")

    monkeypatch.setattr("ecs_release.cli.kubectl.commands.version.run", broken)
    assert main.run(["version"]) == 1
    assert capsys.readouterr().err.startswith("error: KeyError: 'nothing\\nthere'; this is a defect of the plugin")
    with pytest.raises(KeyError):
        main.run(["version", "-v=8"])


def test_help_and_names_start_fast() -> None:
    """What is heavy is imported by whoever needs it: people wait for help, and shells for completion."""
    code = "import sys; from ecs_release.cli.kubectl import main, completion; completion.run(['']); main.parse(['version']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout
    assert "status" in shown
    heavy = {"kubernetes", "boto3", "botocore", "pydantic", "rich", "yaml", "kopf", "urllib3"}
    assert heavy & {name.partition(".")[0] for name in shown.splitlines()[-1].split()} == set()
