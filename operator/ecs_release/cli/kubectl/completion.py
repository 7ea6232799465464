"""Shell completion: what `kubectl_complete-ecs_release` prints on the tab key. It never fails, and it has a deadline.

kubectl (1.26 and newer) runs the program with the words after the plugin's name, the last one as far as it was typed. It prints candidates,
one a line, with a description after a tab, and last `:4`: no files (Cobra's ShellCompDirectiveNoFileComp), or `:0`: files, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from ecs_release.api.visible_text import visible
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.command_registry import COMMANDS, Entry, find

if TYPE_CHECKING:
    from ecs_release.domain.model.api_paths import ApiPath

NO_FILES, FILES = ":4", ":0"
_DEADLINE_S, _REQUEST_S = 4.0, 2.0
_MOST = 500
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# The name of an argument in the help determines which objects complete it.
_OBJECTS = frozenset({"NAME", "A|NAME"})
_ENVIRONMENTS = frozenset({"A|NAME", "B", "FROM", "TO", "ENVIRONMENT"})


def main() -> None:
    """Print candidates for the words on the command line."""
    run(sys.argv[1:])


def run(words: Sequence[str]) -> None:
    """Print candidates, or nothing but the directive."""
    # The shell shows everything that is printed, warnings included.
    stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115, PTH123
    directive, found = NO_FILES, list[str]()
    # The command itself reports what is wrong when it is run; argparse raises SystemExit.
    with suppress(Exception, SystemExit):
        before, word = list(words[:-1]), words[-1] if words else ""
        if before and before[-1] in ("-f", "--filename", "--output-file", "--kubeconfig", "--repo") and not word.startswith("-"):
            directive = FILES
        else:
            found = list(candidates(before, word))
    sys.stderr.close()
    sys.stderr = stderr
    print(*map(visible, found), directive, sep="\n", flush=True)


@contextmanager
def _deadline() -> Iterator[None]:
    """End the process after a deadline: the cluster, or a credential plugin, may not answer."""
    timer = threading.Timer(_DEADLINE_S, _give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up() -> None:
    os.write(1, f"{NO_FILES}\n".encode())
    os._exit(0)


def candidates(before: Sequence[str], word: str) -> Iterator[str]:
    """Yield the candidates for `word`, which follows the words `before`."""
    from ecs_release.cli.kubectl.main import command_parser, root_parser

    entry = _command(before)
    parser = command_parser(entry) if entry else root_parser()
    if word.startswith("-"):
        name, equals, value = word.partition("=")
        action = parser._option_string_actions.get(name)  # noqa: SLF001 - argparse has no public list of its options
        if equals and action is not None:
            yield from (f"{name}={one}" for one in _values(action, before, value))
        else:
            yield from _options(parser, word)
        return
    last = parser._option_string_actions.get(before[-1]) if before else None  # noqa: SLF001
    if last is not None and last.nargs != 0:
        yield from _values(last, before, word)
    elif entry is None:
        yield from (f"{e.name}\t{e.help}" for e in COMMANDS if e.name.startswith(word))
    else:
        yield from _arguments(parser, entry, before, word)


def _command(before: Sequence[str]) -> Entry | None:
    """Return the command among the words; the value of a flag is not taken for one."""
    position = _positions(before)
    return find(position[0]) if position else None


def _positions(before: Sequence[str]) -> list[str]:
    """Return the words that are neither flags nor values of flags."""
    from ecs_release.cli.kubectl.main import command_parser, root_parser

    options = root_parser()._option_string_actions  # noqa: SLF001
    found: list[str] = []
    expects_value = False
    for word in before:
        if expects_value:
            expects_value = False
        elif word.startswith("-"):
            action = options.get(word)
            expects_value = action is not None and action.nargs != 0
        else:
            found.append(word)
            entry = find(word) if len(found) == 1 else None
            options = command_parser(entry)._option_string_actions if entry else options  # noqa: SLF001
    return found


def _options(parser: argparse.ArgumentParser, word: str) -> Iterator[str]:
    """Yield flags, those of kubectl too, which have no help in a command's own parser."""
    for name, action in parser._option_string_actions.items():  # noqa: SLF001
        if name.startswith("--") and name.startswith(word):
            text = action.help if action.help and action.help != argparse.SUPPRESS else ""
            yield f"{name}\t{text}" if text else name


def _values(action: argparse.Action, before: Sequence[str], word: str) -> Iterator[str]:
    """Yield the possible values of a flag."""
    options = set(action.option_strings)
    if action.choices is not None:
        yield from (str(c) for c in action.choices if str(c).startswith(word))
    elif options & {"-n", "--namespace"}:
        yield from _with_prefix(_namespaces(before), word)
    elif "--context" in options:
        yield from _with_prefix(_contexts(before), word)
    elif "--project" in options:
        yield from _with_prefix(_object_names(before, "Project"), word)
    elif "--environment" in options:
        yield from _with_prefix(_object_names(before, "Environment"), word)


def _arguments(parser: argparse.ArgumentParser, entry: Entry, before: Sequence[str], word: str) -> Iterator[str]:
    """Yield names of objects for the next positional argument."""
    places = [a for a in parser._actions if not a.option_strings]  # noqa: SLF001
    number = len(_positions(before)) - 1
    if number >= len(places):
        return
    metavar = str(places[number].metavar)
    if metavar in _ENVIRONMENTS:
        yield from _with_prefix(_object_names(before, "Environment"), word)
    if metavar == "HOOK":
        yield from _with_prefix(_open_hooks(before), word)
    if metavar in _OBJECTS:
        for kind in ("ReleaseSet", "Release"):
            names = _object_names(before, kind) if _may_name(kind, word) else []
            yield from _with_prefix([f"{kind.lower()}/{name}" for name in names], word)
            yield from _with_prefix(names if word and "/" not in word else [], word)


def _open_hooks(before: Sequence[str]) -> list[str]:
    """Return the ids of the hooks at which what was named before them waits, with their stages."""
    command = import_module("ecs_release.cli.kubectl.commands.continue_")
    from ecs_release.cli.kubectl.client.session import Session

    with _deadline(), Session(_flags_of(before)) as session:
        return [f"{w.hook.id}\t{w.hook.stage or ''}" for w in command.waiting_hooks(session, _positions(before)[-1])]


def _may_name(kind: str, word: str) -> bool:
    """Return whether a word may become the name of an object of a kind."""
    return "/" not in word or word.startswith(f"{kind.lower()}/")


def _with_prefix(names: Sequence[str], word: str) -> list[str]:
    return [name for name in names if name.startswith(word)]


def _namespaces(before: Sequence[str]) -> list[str]:
    """Return the names of all namespaces."""
    from ecs_release.domain.model.api_paths import core_path

    return _names(before, lambda _: core_path("namespaces"))


def _object_names(before: Sequence[str], kind: str) -> list[str]:
    """Return the names of our objects of a kind, in the namespace that the flags select."""
    from ecs_release.cli.kubectl.client.api_server import path_of

    return _names(before, lambda scope: path_of(kind, scope))


def _names(before: Sequence[str], path: Callable[[str], ApiPath]) -> list[str]:
    """List names only (PartialObjectMetadata). `path` returns the API path for a namespace; an empty one means all."""
    # Imported before the deadline starts: on a busy machine the import takes longer than the request.
    import_module("ecs_release.cli.kubectl.client.connection")
    from ecs_release.cli.kubectl.client.session import Session

    with _deadline(), Session(_flags_of(before)) as session:
        found = session.api.request("GET", path(session.scope), query=[("limit", str(_MOST))], accept=_NAMES_ONLY)
    return sorted({item["metadata"]["name"] for item in found["items"] or ()})


def _contexts(before: Sequence[str]) -> list[str]:
    from kubernetes.config import list_kube_config_contexts

    contexts, _ = list_kube_config_contexts(_flags_of(before).kubeconfig)
    return sorted(c["name"] for c in contexts)


def _flags_of(before: Sequence[str]) -> argparse.Namespace:
    """Parse kubectl's flags among the words; an incomplete one at the end is ignored."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    flags.add_common(parser, hidden=True)
    words = list(before)
    while True:
        try:
            found, _ = parser.parse_known_args(flags.expand_boolean_values(words))
        except argparse.ArgumentError:
            words = words[:-1]
            continue
        found.request_timeout = _REQUEST_S
        return found


if __name__ == "__main__":
    main()
