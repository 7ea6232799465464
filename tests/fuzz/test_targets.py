"""A few inputs of each target; `make soak` makes many more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

_EXAMPLES = {"specs and annotations": 60}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_does_harm(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=_EXAMPLES.get(name, 300), suppress_health_check=list(HealthCheck))
    @given(st.data())
    def play(data: st.DataObject) -> None:
        target.check(data.draw(target.inputs))

    play()
