"""kubectl's flags on either side of the command, and switches with a value."""

from __future__ import annotations

import pytest

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.command_registry import COMMANDS


@pytest.mark.parametrize(
    "words",
    [
        ["-n", "shop", "--context", "c", "--as=ben", "--as-group", "g", "--as-group", "h", "version"],
        ["version", "-n", "shop", "--context", "c", "--as=ben", "--as-group", "g", "--as-group", "h"],
        ["--namespace=shop", "--as-group", "g", "version", "--context=c", "--as", "ben", "--as-group", "h"],
    ],
)
def test_flags_of_kubectl_may_stand_on_either_side(words: list[str]) -> None:
    arguments, entry = main.parse(words)
    assert entry.name == "version"
    assert (arguments.namespace, arguments.context, arguments.as_user, arguments.as_group) == ("shop", "c", "ben", ["g", "h"])


@pytest.mark.parametrize(
    ("words", "switched"),
    [([], False), (["-A"], True), (["--all-namespaces=true"], True), (["--all-namespaces=false"], False)],
)
def test_switches_may_be_written_with_a_value(words: list[str], switched: bool) -> None:
    assert main.parse([*words, "version"])[0].all_namespaces is switched
    assert main.parse(["version", *words])[0].all_namespaces is switched


def test_every_switch_of_ours_may_be_written_with_a_value() -> None:
    """A switch that is not listed would end as `ignored explicit argument 'true'`."""
    switches = set()
    for parser in (main.root_parser(), *(main.command_parser(entry) for entry in COMMANDS)):
        switches |= {o for a in parser._actions if a.nargs == 0 and a.dest != "help" for o in a.option_strings}
    assert switches - flags.SWITCHES == set()
