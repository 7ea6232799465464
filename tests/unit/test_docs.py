"""The documentation says what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ecs_release.api.conditions import Reason
from ecs_release.api.names import REQUEST_ANNOTATIONS, TAG_ATTEMPT, TAG_INSTALLATION, TAG_RELEASE, TAG_SOURCE
from ecs_release.config import Settings
from ecs_release.domain.ecs import events
from tests.benchmarks.page import FIGURES, PAGE, page
from tests.documentation import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text()


def test_every_reason_is_documented() -> None:
    said = set(re.findall(r"\b[A-Z][A-Za-z]+\b", text("reference/conditions.md")))
    assert {str(reason) for reason in Reason} - said == set()


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(ECS_RELEASE_\w+)` \| (.*?) \| (.*?) \|$", text("reference/operator.md"), re.MULTILINE)

    settings = Settings.model_fields.items()
    assert rows == [(f"ECS_RELEASE_{n.upper()}", "none" if f.default is None else str(f.default), f.description) for n, f in settings]


def test_annotations_and_tags_are_documented() -> None:
    reference = text("reference/operator.md")
    assert [name for name in (*REQUEST_ANNOTATIONS, TAG_INSTALLATION, TAG_RELEASE, TAG_SOURCE, TAG_ATTEMPT) if name not in reference] == []


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")], ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    # A pattern of the API's page looks like a link.
    plain = re.sub(r"`[^`\n]*`\s*[|;]", "", path.read_text())
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", plain) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_operator_knows_of_no_simulator() -> None:
    """A second implementation of AWS's API is pointed at by AWS_ENDPOINT_URL alone."""
    files = (ROOT / "operator" / "ecs_release").rglob("*.py")
    assert [f.name for f in files if re.search(r"simulat|moto\b|127\.0\.0\.1:\d|endpoint_url", f.read_text())] == []


def test_the_event_queues_rules_ask_for_what_is_read() -> None:
    """Terraform's and CloudFormation's rules name the same events: those that `hear` understands."""

    class Template(yaml.SafeLoader):
        """Knows CloudFormation's short forms."""

    Template.add_multi_constructor("!", lambda loader, _, node: loader.construct_scalar(node))
    folder = ROOT / "examples" / "event-queue"
    resources = yaml.load((folder / "template.yaml").read_text(), Template)["Resources"]
    patterns = [resources[name]["Properties"]["EventPattern"] for name in ("StateChanges", "Calls")]
    terraform = (folder / "main.tf").read_text()

    assert {kind for p in patterns for kind in p["detail-type"]} == {
        events.DEPLOYMENT,
        events.ACTION,
        events.TASK,
        events.HOOK,
        events.IMAGE,
        events.CALL,
    }
    assert tuple(patterns[1]["detail"]["eventName"]) == events.CALLS
    for pattern in patterns:
        for values in (pattern["source"], pattern["detail-type"], pattern.get("detail", {}).get("eventName", [])):
            assert not values or json.dumps(values) in terraform


def test_the_page_of_figures_is_made_from_the_figures() -> None:
    assert PAGE.read_text() == page(PAGE.read_text(), json.loads(FIGURES.read_text()))


def test_the_reference_of_the_api_and_of_iam_is_made_of_the_models_and_policies() -> None:
    assert {path.name for path, text in reference.pages().items() if path.read_text() != text} == set()


def test_every_policy_is_on_its_page() -> None:
    page = text("reference/iam.md")
    assert [p.name for p in (ROOT / "examples" / "iam").glob("*.json") if f"<!-- policy: {p.name} -->" not in page] == []


def test_each_law_is_listed_once() -> None:
    found = re.findall(r"^- \*\*Law (\d+): ", text("explanation/laws.md"), re.MULTILINE)
    assert sorted(map(int, found)) == list(range(1, 21))
