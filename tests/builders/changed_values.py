"""Documents in which a value is another one: where values are, and copies with one replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Path: TypeAlias = tuple[Any, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where each value is below a value, which is the first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from paths(below, (*path, key))


def replaced(value: Any, path: Path, odd: Any) -> Any:
    """Return a copy with another value at a path. What is beside the path is shared."""
    if not path:
        return odd
    first, *rest = path
    made = dict(value) if isinstance(value, dict) else list(value)
    made[first] = replaced(made[first], tuple(rest), odd)
    return made


def changed(value: Any, odd: Sequence[Any]) -> SearchStrategy[Any]:
    """Draw copies with one value replaced, by one of `odd` or by any text."""
    other = st.one_of(st.sampled_from(odd), st.text(max_size=20))
    return st.builds(lambda path, o: replaced(value, path, o), st.sampled_from(list(paths(value))), other)
