"""The flags that every command has: those with which kubectl selects cluster, user and namespace, and those that several share.

kubectl passes a plugin its arguments unchanged, so the plugin parses all of these itself; they may be before or after the
name of the command.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ecs_release.cli.kubectl.terminal.durations import parse_duration
from ecs_release.cli.kubectl.terminal.sorting import parse_path

SWITCHES = frozenset(
    {
        "--all",
        "--all-namespaces",
        "--allow-unready",
        "--apply",
        "--assume-roles",
        "--environment-tags",
        "--force",
        "--ecs-events",
        "--insecure-skip-tls-verify",
        "--no-headers",
        "--no-moving-tag",
        "--no-wait",
        "--rollback",
        "--task-definitions",
        "--wait",
        "--watch",
        "--yes",
        "-A",
        "-w",
        "-y",
    }
)
FORMATS = ("wide", "json", "yaml", "name")

_TEXTS = (
    ("--context", "The name of the kubeconfig context to use"),
    ("--cluster", "The name of the kubeconfig cluster to use"),
    ("--user", "The name of the kubeconfig user to use"),
    ("--kubeconfig", "Path to the kubeconfig file"),
    ("--as", "Username to impersonate: a user, or system:serviceaccount:<namespace>:<name>"),
    ("--as-uid", "UID to impersonate"),
    ("--token", "Bearer token for the API server"),
    ("--certificate-authority", "Path to the certificate of the API server's authority"),
    ("--client-certificate", "Path to a client certificate"),
    ("--client-key", "Path to its key"),
    ("--tls-server-name", "Server name of the API server's certificate, where it is another than the one connected to"),
)


def add_common(parser: argparse.ArgumentParser, *, hidden: bool) -> None:
    """Add kubectl's flags. They are `hidden` from the help of each command: `kubectl ecs-release options` lists them."""

    def shown(text: str) -> str:
        return argparse.SUPPRESS if hidden else text

    group = parser.add_argument_group("flags of kubectl, before or after the command")
    group.add_argument("-n", "--namespace", metavar="NAME", help=shown("The namespace; without it the context's"))
    group.add_argument("-A", "--all-namespaces", action="store_true", default=False, help=shown("All namespaces"))
    for name, text in _TEXTS:
        group.add_argument(name, dest=_destination(name), metavar="VALUE", help=shown(text))
    group.add_argument("-s", "--server", metavar="URL", help=shown("Address and port of the API server"))
    group.add_argument("--as-group", action="append", metavar="GROUP", help=shown("Group to impersonate; may be given several times"))
    group.add_argument("--insecure-skip-tls-verify", action="store_true", help=shown("Do not check the API server's certificate"))
    group.add_argument(
        "--request-timeout", type=parse_duration, metavar="DURATION", help=shown("How long one request may take: 30s, 1m; 0: for ever")
    )
    group.add_argument("-v", "--v", dest="verbosity", type=int, default=0, metavar="LEVEL", help=shown("6 and more: requests on stderr"))


def expand_boolean_values(words: Sequence[str]) -> list[str]:
    """Write `--watch=true` as `--watch`, and leave out `--watch=false`: kubectl takes both, argparse neither."""
    found = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in SWITCHES or value not in ("true", "false"):
            found.append(word)
        elif value == "true":
            found.append(name)
        elif (opposite := f"--no-{name[2:]}") in SWITCHES:
            # A switch that is on by default is turned off by its opposite.
            found.append(opposite)
    return found


def add_output(parser: argparse.ArgumentParser, *more: str, formats: tuple[str, ...] = FORMATS) -> None:
    """Add -o and --no-headers; `more` are formats of the command's own."""
    names = (*formats, *more)
    parser.add_argument("-o", "--output", choices=names, metavar="|".join(names), help="Output format; without it a table for people")
    parser.add_argument("--no-headers", action="store_true", help="Leave a table's head out")


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add --project."""
    parser.add_argument("--project", metavar="NAME", help="Only this Project")


def add_selector(parser: argparse.ArgumentParser) -> None:
    """Add -l: the API server evaluates it."""
    parser.add_argument("-l", "--selector", default="", metavar="LABELS", help="Only objects with these labels: a=b, a!=b, a in (b,c), a")


def add_sort(parser: argparse.ArgumentParser, example: str) -> None:
    """Add --sort-by."""
    parser.add_argument("--sort-by", type=parse_path, metavar="PATH", help=f"Sort by a field, as in -o json: {example}")


def add_repo(parser: argparse.ArgumentParser) -> None:
    """Add --repo."""
    parser.add_argument(
        "--repo",
        default="",
        metavar="DIR",
        help="Your clone, whose commits are listed; without it the current folder, if that is one",
    )


def add_role(parser: argparse.ArgumentParser) -> None:
    """Add --assume-roles."""
    parser.add_argument(
        "--assume-roles", action="store_true", help="Read AWS through each Environment's role; without it as your own credentials may"
    )


def _destination(name: str) -> str:
    """Return the name of the attribute: `as` is a keyword of Python."""
    return "as_user" if name == "--as" else name.strip("-").replace("-", "_")
