"""Fields of AWS's answers, with the types that they are documented to have.

botocore checks what is sent, and nothing of what comes back. A field of another type is found here, where it is read, and not by a decision
that rests on it later. Absent and null are the same: botocore leaves a null out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any


class UnreadableError(ValueError):
    """An answer is not as documented: where, and how."""


class Fields:
    """One structure of an answer. All methods raise UnreadableError."""

    __slots__ = ("_path", "_raw")

    def __init__(self, raw: Any, path: str = "") -> None:
        """`path` is where it is in the answer, for messages."""
        if not isinstance(raw, Mapping):
            raise _odd(path or "the answer", "an object", raw)
        self._raw = raw
        self._path = path

    def text(self, name: str, default: str | None = "") -> str:
        """Return a text. Without a default it must be there."""
        value = self._raw.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or (default is None and not value):
            raise _odd(self._where(name), "a text", value)
        return value

    def one_of(self, name: str, known: Collection[str], default: str | None = None) -> str:
        """Return a text that must be one of those that this version knows."""
        value = self.text(name, default)
        if value not in known and value != default:
            raise UnreadableError(f"{self._where(name)} is {value[:100]!r}, and this version knows {', '.join(sorted(known))}")
        return value

    def count(self, name: str, default: int = 0) -> int:
        """Return a number that is not negative."""
        value = self._raw.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _odd(self._where(name), "a count", value)
        return value

    def integer(self, name: str) -> int | None:
        """Return a whole number; None if it is absent."""
        value = self._raw.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise _odd(self._where(name), "a whole number", value)
        return value

    def number(self, name: str, default: float | None = None) -> float | None:
        """Return a number."""
        value = self._raw.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _odd(self._where(name), "a number", value)
        return float(value)

    def flag(self, name: str) -> bool:
        """Return whether something is so; not if it is absent."""
        value = self._raw.get(name)
        if value is not None and not isinstance(value, bool):
            raise _odd(self._where(name), "true or false", value)
        return bool(value)

    def time(self, name: str) -> datetime | None:
        """Return a time; None if it is absent."""
        value = self._raw.get(name)
        if value is not None and not isinstance(value, datetime):
            raise _odd(self._where(name), "a time", value)
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    def part(self, name: str) -> Fields:
        """Return a structure; an empty one if it is absent."""
        value = self._raw.get(name)
        return Fields({} if value is None else value, self._where(name))

    def needed_part(self, name: str) -> Fields:
        """Return a structure that must be there."""
        return Fields(self._raw.get(name), self._where(name))

    def parts(self, name: str) -> list[Fields]:
        """Return a list of structures; an empty one if it is absent."""
        return [Fields(value, f"{self._where(name)}[{number}]") for number, value in enumerate(self._items(name))]

    def needed_parts(self, name: str) -> list[Fields]:
        """Return a list of structures that must be there, and may be empty."""
        return [Fields(value, f"{self._where(name)}[{number}]") for number, value in enumerate(self._items(name, needed=True))]

    def texts(self, name: str, *, needed: bool = False) -> list[str]:
        """Return a list of texts; an empty one if it is absent, unless it is needed."""
        found = self._items(name, needed=needed)
        for number, value in enumerate(found):
            if not isinstance(value, str):
                raise _odd(f"{self._where(name)}[{number}]", "a text", value)
        return found

    @property
    def raw(self) -> Mapping[str, Any]:
        """The structure as it is."""
        return self._raw

    def _items(self, name: str, *, needed: bool = False) -> list[Any]:
        value = self._raw.get(name)
        if value is None and not needed:
            return []
        if not isinstance(value, list | tuple):
            raise _odd(self._where(name), "a list", value)
        return list(value)

    def _where(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _odd(where: str, wanted: str, value: Any) -> UnreadableError:
    said = "nothing" if value is None else f"{type(value).__name__} {str(value)[:100]!r}"
    return UnreadableError(f"{where} is {said}, not {wanted}")


def parse_identity(raw: Any) -> tuple[str, str]:
    """Read GetCallerIdentity: account and ARN."""
    answer = Fields(raw)
    return answer.text("Account", None), answer.text("Arn", None)
