"""Patterns and functions of texts take time in proportion to the text: tenants and AWS choose the texts.

Times of one function are compared with each other, never with a bound in seconds. For a text four times as long a linear function takes
four times as long, and a quadratic one sixteen times; an exponential one shows at some thirty characters.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

import ecs_release
from ecs_release.api import meta
from ecs_release.api.crd import KINDS, definition
from ecs_release.commits_service import bindings
from ecs_release.domain.environments import targets
from ecs_release.domain.views import allowed
from tests.builders.hostile_texts import HostileText, hostile_texts

_SHORTEST, _STEPWISE, _LONGEST = 8, 100, 16_384
_MEASURABLE_S = 0.02
_QUADRATIC = 9.0
"""Between the four of linear and the sixteen of quadratic."""

OUTSIDE = {
    "ecs_release.cli.kubectl.client.connection._file": "reads a file",
    "ecs_release.cluster.credentials._any_file": "reads a file",
    "ecs_release.aws.command_reader.check_credentials": "calls AWS",
    "ecs_release.cli.kubectl.importing.weco_manifest._parse": "PyYAML's time, for a file of the person who runs the plugin",
    "ecs_release.cli.kubectl.manifests.yaml_text.compose": "PyYAML's time, for a file of the person who runs the plugin",
    "ecs_release.cli.kubectl.manifests.yaml_text.load_documents": "PyYAML's time, for a file of the person who runs the plugin",
}
"""Functions of one text that reach outside the process, or that only people call on themselves."""


@cache
def _modules() -> list[ModuleType]:
    return [importlib.import_module(m.name) for m in pkgutil.walk_packages(ecs_release.__path__, "ecs_release.")]


def _source(module: ModuleType) -> str:
    return Path(module.__file__ or "").read_text()


def _compiled(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield the patterns of a module and the names of the variables that hold them."""

    def within(value: object) -> Iterator[re.Pattern[Any]]:
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, tuple | list):
            for one in value:
                yield from within(one)
        elif isinstance(value, dict):
            yield from within(list(value.values()))

    for name, value in vars(module).items():
        yield from ((name, pattern) for pattern in within(value))


def _given(module: ModuleType) -> Iterator[tuple[str, str | bytes]]:
    """Yield (function of re, pattern) where a module gives a pattern to `re` itself."""
    source = _source(module)
    if not re.search(r"\bre\s*\.", source):
        return  # Few do, and to walk through the trees of all of them takes long.
    for node in ast.walk(ast.parse(source)):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        if is_call and node.func.value.id == "re" and node.func.attr not in {"compile", "escape"}:  # type: ignore[union-attr,attr-defined]
            argument = node.args[0]  # type: ignore[attr-defined]
            found = argument.value if isinstance(argument, ast.Constant) else getattr(module, getattr(argument, "id", ""), None)
            if isinstance(found, str | bytes):  # A parameter is given what is a constant elsewhere.
                yield node.func.attr, found  # type: ignore[attr-defined]


def _schema_patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from _schema_patterns(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _schema_patterns(value)


@cache
def _patterns() -> dict[tuple[str | bytes, bool], int]:
    """Return every pattern, whether it is searched for (else it is matched from the beginning), and its flags."""
    found: dict[tuple[str | bytes, bool], int] = {}
    for module in _modules():
        source = _source(module)
        for name, pattern in _compiled(module):
            used = set(re.findall(rf"\b{name}\.(\w+)\(", source))
            found[pattern.pattern, not used or not used <= {"fullmatch", "match"}] = pattern.flags & ~re.UNICODE
        for function, text in _given(module):
            found[text, function not in {"fullmatch", "match"}] = 0
    anchored = [value for value in vars(meta).values() if isinstance(value, str) and value.startswith("^")]
    for text in (*anchored, *(p for kind in KINDS for p in _schema_patterns(definition(kind)))):
        found[text, False] = 0
    return found


def _functions() -> Iterator[Any]:
    for module in _modules():
        for name, function in vars(module).items():
            if not inspect.isfunction(inspect.unwrap(function)) or function.__module__ != module.__name__:
                continue
            hints: dict[str, Any] = {}
            with contextlib.suppress(NameError, TypeError):
                hints = get_type_hints(inspect.unwrap(function))
            needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind <= p.VAR_POSITIONAL]
            full = f"{module.__name__}.{name}"
            if len(needed) == 1 and hints.get(needed[0].name) in {str, bytes} and full not in OUTSIDE:
                yield pytest.param(module, inspect.unwrap(function), hints[needed[0].name] is bytes, id=full)


def _seconds(call: Callable[[Any], object], text: str | bytes, *, times: int = 1) -> float:
    """Return the least CPU time of some calls. Errors are answers, too."""
    least = float("inf")
    for _ in range(times):
        begin = time.thread_time()
        with contextlib.suppress(Exception):
            call(text)
        least = min(least, time.thread_time() - begin)
    return least


def assert_linear(call: Callable[[Any], object], make: Callable[[int], str | bytes]) -> None:
    """Give longer and longer texts until a call takes long enough to be measured; then compare it with a quarter of the text."""
    length = _SHORTEST
    while length <= _LONGEST:
        if _seconds(call, make(length)) >= _MEASURABLE_S:
            # The parts that a text is made of may be long, so lengths are those of the texts.
            long, short = make(length), make(length // 4)
            taken, before = _seconds(call, long, times=5), _seconds(call, short, times=5)
            growth = (taken / before) / (len(long) / max(1, len(short)) / 4)
            assert taken < _MEASURABLE_S / 2 or growth < _QUADRATIC, f"{growth:.0f} times for four times the text, of {long[:40]!r}..."
            return
        length = length * 5 // 4 + 1 if length < _STEPWISE else length * 2


def _made(text: HostileText, as_bytes: bool) -> Callable[[int], str | bytes]:
    return (lambda length: text.of(length).encode(errors="replace")) if as_bytes else text.of


def _text(pattern: str | bytes) -> str:
    return pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern


@pytest.mark.parametrize(("pattern", "is_searched"), _patterns(), ids=repr)
def test_patterns_are_linear(pattern: str | bytes, is_searched: bool) -> None:
    compiled: Any = re.compile(pattern, _patterns()[pattern, is_searched])
    empty: Any = b"" if isinstance(pattern, bytes) else ""
    call = (lambda text: compiled.sub(empty, text)) if is_searched else compiled.fullmatch
    for text in hostile_texts([_text(pattern)]):
        assert_linear(call, _made(text, isinstance(pattern, bytes)))


@pytest.mark.parametrize(("module", "function", "as_bytes"), _functions())
def test_functions_of_a_text_are_linear(module: ModuleType, function: Callable[[Any], object], as_bytes: bool) -> None:
    patterns = [_text(p.pattern) for _, p in _compiled(module)]
    for text in hostile_texts(patterns):
        assert_linear(function, _made(text, as_bytes))


@pytest.mark.parametrize("pattern", ["shop/*", "*-*-*-*-*/*", "*a*a*a*a*b"])
@pytest.mark.parametrize("match", [lambda p, t: targets._matches(t, [p]), bindings.matches, lambda p, t: allowed._fits(t, p)])
def test_patterns_of_those_who_configure_are_linear(match: Callable[[str, str], bool], pattern: str) -> None:
    for make in (lambda n: "a" * n, lambda n: "a-" * (n // 2), lambda n: "a" * (n // 2) + "/" + "-" * (n // 2)):
        assert_linear(lambda text: match(pattern, text), make)


@pytest.mark.parametrize(
    ("call", "make"),
    [
        (re.compile(r"^[a-z0-9]+([._/-][a-z0-9]+|__[a-z0-9]+|-+[a-z0-9]+)*$").search, lambda n: "a" + "-a" * (n // 2) + "!"),
        (re.compile(r"\beyJ[\w-]{8,}\.").search, lambda n: "eyJ-" * (n // 4)),
    ],
    ids=["exponential", "quadratic"],
)
def test_what_is_not_linear_is_found(call: Callable[[str], object], make: Callable[[int], str]) -> None:
    with pytest.raises(AssertionError, match="times for four times the text"):
        assert_linear(call, make)
