"""Tests that share a bed of their own run on one worker: on several each would start its own API server, AWS and operator."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no defect of a strategy, and a run of the suite is about the change at hand: the same examples each time. What chance
# finds is for `make soak` (HYPOTHESIS_PROFILE=random).
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

_FIXTURES = {"secured": "secured", "desk": "secured", "office": "secured"}
_MODULES = {
    "tests/e2e/test_claims.py": "claims",
    "tests/e2e/test_commits.py": "commits",
    "tests/e2e/test_commits_unknown.py": "commits-unknown",
    "tests/e2e/test_github.py": "github",
    "tests/e2e/test_ledger.py": "ledger",
    "tests/e2e/test_scale_out.py": "scale-out",
    "tests/e2e/test_pressing.py": "pressing",
    "tests/e2e/test_reliability.py": "reliability",
    "tests/e2e/test_slack.py": "slack",
    # Each page goes on where the one before has ended.
    "tests/e2e/test_documentation.py": "documentation",
    "tests/attacks/test_roles.py": "attack-roles",
    "tests/apiserver/test_control_plane.py": "control-plane",
    "tests/apiserver/test_upgrade.py": "upgrade",
}
# The first that fits.
_FOLDERS = {"tests/apiserver/test_board": "board", "tests/apiserver/": "apiserver", "tests/chart/": "chart"}


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    grouped = []
    for item in items:
        path = item.nodeid.partition("::")[0]
        group = _MODULES.get(path) or next((_FIXTURES[f] for f in getattr(item, "fixturenames", ()) if f in _FIXTURES), "")
        if not group:
            group = next((g for folder, g in _FOLDERS.items() if path.startswith(folder)), "")
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
            grouped.append(item)
    yield
    if getattr(config.option, "loadgroup", False) and any("@" not in item.nodeid for item in grouped):
        raise pytest.UsageError("pytest-xdist does not know groups with this pytest: see pyproject.toml")


def pytest_collection_finish() -> None:
    """Spare the collector what stays to the end, thousands of items and modules: pytest has it go through all five times at the end alone."""
    gc.freeze()
