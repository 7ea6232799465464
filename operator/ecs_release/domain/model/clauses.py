"""Messages that are put together from several texts, some of them of AWS or of people: those may end in a full stop."""

from __future__ import annotations


def join_clauses(*clauses: str) -> str:
    """Join what is not empty by semicolons. Only the last one keeps its full stop."""
    texts = [text for text in clauses if text]
    return "; ".join([*(text.rstrip(". ") for text in texts[:-1]), *texts[-1:]])
