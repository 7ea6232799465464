"""Rules of the oracle that today's operator is known to break. Each is switched off until that is mended, and then deleted here."""

from __future__ import annotations

KNOWN: dict[str, str] = {}
"""Why each rule, or pattern of rules, is switched off."""
