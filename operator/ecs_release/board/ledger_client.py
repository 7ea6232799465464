"""The board's one way to AWS: Queries of the ledger. Nothing else of AWS may be imported by the board (pyproject.toml)."""

from __future__ import annotations

import itertools
import logging

from ecs_release.board.ledger_history import LedgerQueries

log = logging.getLogger(__name__)

_WARNINGS = 3
_ATTEMPTS, _READ_S = 1, 8.0


def connect(table: str, region: str, user_agent: str) -> LedgerQueries:
    """Return the queries of a table, with the credentials that the process has."""
    # Costs time and memory, and most boards have no ledger.
    from ecs_release.aws.ledger.queries import LedgerReader, ledger_client  # noqa: PLC0415

    numbers = itertools.count()

    def left_out(message: str) -> None:
        if next(numbers) < _WARNINGS:
            log.warning("left out of the ledger's history: %s", message)

    return LedgerReader(ledger_client(region, user_agent=user_agent, attempts=_ATTEMPTS, read_s=_READ_S), table, left_out)
