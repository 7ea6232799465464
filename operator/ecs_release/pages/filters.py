"""What a page is narrowed to, as its address says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from ecs_release.domain.artifacts.claimed_hash import CLAIMED
from ecs_release.pages.matrix import Board, Entry, MatrixCell, ServiceRow

_LONGEST = 253
"""Characters of a value: the longest name that an object of Kubernetes may have."""


class FilterError(ValueError):
    """A filter that no page is narrowed by; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is shown; what is empty narrows nothing. `troubled`: only rows with something that is not as it should be."""

    project: str = ""
    service_set: str = ""
    environment: str = ""
    text: str = ""
    troubled: bool = False

    def admits(self, project: str, service_set: str, environment: str) -> bool:
        """Return whether a Release is shown, as far as its names decide."""
        wanted = ((self.project, project), (self.service_set, service_set), (self.environment, environment))
        return all(not name or name == its for name, its in wanted)

    def narrow(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that are shown, as far as their names decide."""
        return [e for e in entries if self.admits(e.project, e.service_set, e.environment)]

    def narrow_rows(self, board: Board) -> Board:
        """Return a board with the rows that are shown: by their text, and by how they stand."""
        rows = (row for row in board.rows if not self.troubled or board.troubles(row))
        return replace(board, rows=tuple(row for row in rows if self._shows(row)))

    def _shows(self, row: ServiceRow) -> bool:
        return not self.text or self.text.lower() in row.service.lower() or any(self._names(cell) for cell in row.cells.values())

    def _names(self, cell: MatrixCell) -> bool:
        """Return whether a cell's hash is meant: of two of one commit, each may be shorter than the other."""
        text = self.text.lower()
        hashes = [name.removeprefix(CLAIMED).lower() for name in (cell.running, cell.wanted) if name]
        return any(name.startswith(text) or text.startswith(name) for name in hashes)

    @property
    def query(self) -> str:
        """The filters as the address of a page says them; empty without any."""
        given = {name: getattr(self, field) for name, field in _PARAMETERS.items() if getattr(self, field)}
        return urlencode(given | ({"only": "troubled"} if self.troubled else {}))


_PARAMETERS = {"project": "project", "set": "service_set", "environment": "environment", "q": "text"}


def parse(query: Mapping[str, str]) -> Filters:
    """Read the filters of an address. Parameters of other meanings are left alone. Raises FilterError."""
    given = {field: query.get(name, "").strip() for name, field in _PARAMETERS.items()}
    for name, field in _PARAMETERS.items():
        if len(given[field]) > _LONGEST:
            raise FilterError(f"{name} is longer than {_LONGEST} characters")
    only = query.get("only", "")
    if only not in ("", "troubled"):
        raise FilterError("only is troubled, or left out")
    return Filters(**given, troubled=bool(only))
