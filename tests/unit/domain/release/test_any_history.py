"""Any history: whatever people, ECS and our own crashes do, the laws hold after every pass."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.builders.release_history import AnyHistory

pytestmark = pytest.mark.slow

AnyHistory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase
