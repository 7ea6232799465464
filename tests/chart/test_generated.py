"""What the chart has from elsewhere is what is there; its versions are the project's."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import promql_parser
import pytest
import yaml

from ecs_release.config import Settings
from tests.builders.metrics import served
from tests.chart.generate import CHART, OURS, ROOT, settings, stale, values

DASHBOARD = json.loads((CHART / "resources" / "dashboards" / "releases.json").read_text())
QUERIES = [(p["title"], t["expr"]) for p in DASHBOARD["panels"] for t in p["targets"]]


def test_generated_parts_are_what_they_are_made_of() -> None:
    assert stale() == [], "run make generate"


def test_versions_are_the_projects() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_every_setting_is_a_value_or_made_of_one() -> None:
    env = (CHART / "templates" / "_env.tpl").read_text()
    by_chart = {name for name in Settings.model_fields if OURS.match(name)}
    # Addresses are the pod's own, and so is the namespace of the Lease; loopback is for tests.
    others = {"probe_host", "metrics_host", "lease_namespace", "connections_allow_loopback"}
    assert {n for n in by_chart if f"ECS_RELEASE_{n.upper()}\n" not in env} == others
    assert {re.sub("[A-Z]", lambda m: f"_{m[0].lower()}", name) for name in settings()} == set(Settings.model_fields) - by_chart


def test_the_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())

    def known(part: dict[str, Any], prefix: str = "") -> set[str]:
        found = set()
        for name, its in part["properties"].items():
            inner = known(its, f"{prefix}{name}.") if "properties" in its else set()
            found |= {f"{prefix}{name}"} | inner
        return found

    def closed(part: dict[str, Any]) -> bool:
        inner = [its for its in part.get("properties", {}).values() if "properties" in its]
        return part["additionalProperties"] is False and all(map(closed, inner))

    documented = {name for name, _, _ in values()}
    groups = {name.rpartition(".")[0] for name in documented} | {"metrics", ""}
    # What is described as a whole: Kubernetes' own objects, and settings, which have a table of their own.
    whole = ("settings.", "resources.", "commits.resources.", "board.resources.", "board.proxy.resources.")
    assert {name for name in known(schema) if not name.startswith(whole)} - groups - {"global"} == documented - {"global"}
    assert closed(schema)


def test_the_dashboard_has_room_for_every_panel() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(set(places)) == len(places) and len({p["id"] for p in DASHBOARD["panels"]}) == len(places)


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[t for t, _ in QUERIES])
def test_the_dashboard_reads_series_that_exist(title: str, query: str) -> None:
    series = {}
    for metric, (kind, labels) in served().items():
        series |= {metric + end: labels for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
    seen: list[Any] = []

    def note(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            seen.append(node)

    promql_parser.walk(promql_parser.parse(query.replace("$__rate_interval", "5m")), note)
    assert seen
    for selector in seen:
        assert selector.name in series
        assert {m.name for m in selector.matchers.matchers} <= series[selector.name]
    known = set().union(*(series[s.name] for s in seen)) | {"le", "instance"}
    grouped = {label for labels in re.findall(r"(?:by|on) \(([\w, ]+)\)", query) for label in labels.split(", ")}
    assert grouped <= known
