"""What the runs of a soak have done, as they write it down themselves: `tests.reliability.page` makes the page of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FRESH = ROOT / "build" / "soak.json"


def keep(part: str, figures: Any) -> None:
    """Keep what a run has done for the page."""
    known = json.loads(FRESH.read_text()) if FRESH.exists() else {}
    FRESH.parent.mkdir(exist_ok=True)
    FRESH.write_text(json.dumps(known | {part: figures}, indent=2) + "\n")
