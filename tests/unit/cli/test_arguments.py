"""What people type: kubectl's flags on either side of the command, mistakes that end as kubectl's do, names, durations."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecs_release.api.names import RELEASE, RELEASE_SET
from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.object_references import ObjectName, parse
from ecs_release.cli.kubectl.command_registry import COMMANDS
from ecs_release.cli.kubectl.terminal import durations
from ecs_release.cli.kubectl.terminal.errors import CommandError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "words",
    [
        ["-n", "shop", "--context", "c", "--as=ben", "--as-group", "g", "--as-group", "h", "version"],
        ["version", "-n", "shop", "--context", "c", "--as=ben", "--as-group", "g", "--as-group", "h"],
        ["--namespace=shop", "--as-group", "g", "version", "--context=c", "--as", "ben", "--as-group", "h"],
    ],
)
def test_flags_of_kubectl_may_stand_on_either_side(words: list[str]) -> None:
    arguments, entry = main.read(words)
    assert entry.name == "version"
    assert (arguments.namespace, arguments.context, arguments.as_user, arguments.as_group) == ("shop", "c", "ben", ["g", "h"])


@pytest.mark.parametrize(
    ("words", "switched"),
    [([], False), (["-A"], True), (["--all-namespaces=true"], True), (["--all-namespaces=false"], False)],
)
def test_switches_may_be_written_with_a_value(words: list[str], switched: bool) -> None:
    assert main.read([*words, "version"])[0].all_namespaces is switched
    assert main.read(["version", *words])[0].all_namespaces is switched


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


def test_every_command_has_its_module_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for entry in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main.run([entry.name, "--help"])
        assert entry.help.split(";")[0] in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit, match="0"):
        main.run([])
    shown = capsys.readouterr().out
    assert [e.name for e in COMMANDS if f"\n  {e.name} " not in shown] == []


def test_a_defect_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> int:
        raise KeyError("nothing\nthere")

    monkeypatch.setattr("ecs_release.cli.kubectl.commands.version.run", broken)
    assert main.run(["version"]) == 1
    assert capsys.readouterr().err.startswith("error: KeyError: 'nothing\\nthere'; this is a defect of the plugin")
    with pytest.raises(KeyError):
        main.run(["version", "-v=8"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("500ms", 0.5), ("1.5h", 5400), ("0", 0)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert durations.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "5 m", "m5", "5mm", "-5s", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no duration"):
        durations.seconds(text)


@pytest.mark.parametrize(
    ("total", "expected"),
    [(-5, "0s"), (0, "0s"), (59, "59s"), (119, "119s"), (120, "2m"), (312, "5m12s"), (600, "10m"), (3600, "60m"), (10_800, "3h"),
     (11_100, "3h5m"), (28_800, "8h"), (86_400, "24h"), (180_000, "2d2h"), (864_000, "10d"), (63_072_000, "2y"), (70_000_000, "2y80d")],
)  # fmt: skip
def test_ages_read_as_kubectls(total: float, expected: str) -> None:
    assert durations.age(total) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24", "2026-11-24T00:00:00+00:00"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00+00:00"),
        ("2026-11-24T10:00:00+01:00", "2026-11-24T10:00:00+01:00"),
        ("2h", "2026-11-24T10:00:00+00:00"),
        ("7d", "2026-11-17T12:00:00+00:00"),
    ],
)
def test_points_in_time_are_read(text: str, expected: str) -> None:
    assert durations.instant(text, NOW).isoformat() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", ObjectName("", "web")),
        ("release/web", ObjectName(RELEASE, "web")),
        ("releases.ecs-release.dev/web", ObjectName(RELEASE, "web")),
        ("ecsrel/web", ObjectName(RELEASE, "web")),
        ("ReleaseSet/web", ObjectName(RELEASE_SET, "web")),
        ("rs/web", ObjectName(RELEASE_SET, "web")),
    ],
)
def test_names_are_read(text: str, expected: ObjectName) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["deployment/web", "release/", "environment/web", "/web"])
def test_names_of_other_kinds_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="write releaseset/NAME or release/NAME, or NAME alone"):
        parse(text)


def test_every_switch_of_ours_may_be_written_with_a_value() -> None:
    """A switch that is not listed would end as `ignored explicit argument 'true'`."""
    switches = set()
    for parser in (main.overview(), *(main.command_parser(entry) for entry in COMMANDS)):
        switches |= {o for a in parser._actions if a.nargs == 0 and a.dest != "help" for o in a.option_strings}
    assert switches - flags.SWITCHES == set()


def test_help_and_names_start_fast() -> None:
    """What is heavy is imported by whoever needs it: people wait for help, and shells for completion."""
    code = "import sys; from ecs_release.cli.kubectl import main, completion; completion.run(['']); main.read(['version']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "status" in shown
    heavy = {"kubernetes", "boto3", "botocore", "pydantic", "rich", "yaml", "kopf", "urllib3"}
    assert heavy & {name.partition(".")[0] for name in shown.splitlines()[-1].split()} == set()


def test_the_commands_are_documented() -> None:
    docs = "".join(path.read_text() for path in (Path(__file__).parents[3] / "docs").rglob("*.md"))
    assert [entry.name for entry in COMMANDS if f"ecs-release {entry.name}" not in docs] == []
