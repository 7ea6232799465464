"""The beds of the end-to-end tests, and the chart's: with the rights that it gives people."""

from __future__ import annotations

from tests.chart.conftest import installed
from tests.e2e.conftest import bed, place, shop

__all__ = ["bed", "installed", "place", "shop"]
