"""What a release of the project has to agree on, and what of a CRD may not change."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from tests.release.crds import narrowed
from tests.release.project import CHART, NOT_MEASURED, OPERATOR, PREVIOUS, RELIABILITY, ROOT, keep, notes, problems, version

RELEASED = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-05-04\n### Added\n- A thing.\n\n## [1.1.9] - 2026-05-01\n### Fixed\n- Another.\n"
)


def test_this_checkout_agrees() -> None:
    assert problems() == []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is ready to be released as v1.2.0."""
    for folder in ("crds", "operator", str(PREVIOUS / "crds"), str(CHART.parent)):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / CHART).write_text('version: 1.2.0\nappVersion: "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    (tmp_path / "operator" / "ecs_release" / "__pycache__").mkdir(parents=True)
    for name in ("app.py", "__pycache__/app.pyc"):
        (tmp_path / "operator" / "ecs_release" / name).write_text("")
    (tmp_path / RELIABILITY).parent.mkdir(parents=True)
    (tmp_path / RELIABILITY).write_text("# How the promises are attacked\n")
    (tmp_path / "operator" / "base-image").write_text(f"python:3.13-slim-trixie@sha256:{'a' * 64}\n")
    (tmp_path / PREVIOUS / "accepted.yaml").write_text("# Said.\n")
    (tmp_path / PREVIOUS / "README.md").write_text("# Title\nText.\n\nOld.\n")
    (tmp_path / "tests" / "samples.yaml").write_text("kind: Release\n")
    for name in ("crds", PREVIOUS / "crds"):
        (tmp_path / name / "things.yaml").write_text(yaml.safe_dump(CRD))
    return tmp_path


def put(name: str | Path, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def drop(name: str | Path) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def test_a_project_that_agrees(project: Path) -> None:
    assert problems(project, "v1.2.0") == []
    assert notes(project) == "### Added\n- A thing.\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("pyproject.toml", "1.2.0", "1.2.0rc1"), "not MAJOR.MINOR.PATCH"),
        (put(CHART, "version: 1.2.0", "version: 1.1.0"), "version is 1.1.0, pyproject.toml says 1.2.0"),
        (put(CHART, '"1.2.0"', '"1.3.0"'), "appVersion is 1.3.0"),
        (put("CHANGELOG.md", "## [Unreleased]\n", ""), r"not ## \[Unreleased\]"),
        (put("CHANGELOG.md", " - 2026-05-04", ""), "has no date"),
        (put("CHANGELOG.md", "1.1.9", "1.10.0"), "do not go down"),
        (put("CHANGELOG.md", "[1.2.0]", "[1.4.0]"), "newer than"),
        (put("CHANGELOG.md", "### Fixed", "### Mended"), "### Mended is none of"),
        (put("crds/things.yaml", "maxLength: 9", "maxLength: 8"), "maxLength is 8, was 9"),
        (drop("crds/things.yaml"), "every object of its kind"),
        (lambda root: (root / PREVIOUS / "accepted.yaml").write_text("- {finding: nonsense, reason: x}\n"), "nothing is found"),
    ],
)
def test_what_does_not_agree_is_said(project: Path, change: Callable[[Path], None], said: str) -> None:
    change(project)
    assert any(re.search(said, problem) for problem in problems(project))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("pyproject.toml", "1.2.0", "1.3.0"), "the tag is v1.2.0, pyproject.toml says 1.3.0"),
        (put("CHANGELOG.md", "## [1.2.0] - 2026-05-04\n### Added\n- A thing.\n\n", ""), r"no ## \[1.2.0\]"),
        (put("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n### Fixed\n- Not said.\n"), "belongs to 1.2.0"),
        (put("operator/base-image", f"@sha256:{'a' * 64}", ""), "no digest"),
        (put(RELIABILITY, "attacked\n", f"attacked\n{NOT_MEASURED}\n"), "some attacks were never run"),
    ],
)
def test_what_only_a_release_asks_for(project: Path, change: Callable[[Path], None], said: str) -> None:
    change(project)
    without = problems(project)
    assert any(re.search(said, problem) for problem in problems(project, "v1.2.0"))
    assert not any(re.search(said, problem) for problem in without)


def test_no_chart_yet_is_no_fault(project: Path) -> None:
    (project / CHART).unlink()
    assert problems(project, "v1.2.0") == []


def test_what_was_accepted_is_said_no_more(project: Path) -> None:
    put("crds/things.yaml", "maxLength: 9", "maxLength: 8")(project)
    (project / PREVIOUS / "accepted.yaml").write_text('# Said.\n- {finding: ".spec.name: maxLength", reason: nobody had nine}\n')
    assert problems(project) == []

    keep(project)

    assert problems(project) == []
    assert ZipFile(project / PREVIOUS / OPERATOR).namelist() == ["ecs_release/app.py"]
    assert (project / PREVIOUS / "accepted.yaml").read_text() == "# Said.\n"
    assert (project / PREVIOUS / "samples.yaml").read_text() == "kind: Release\n"
    assert (project / PREVIOUS / "README.md").read_text() == "# Title\nText.\n\nThese are version 1.2.0's.\n"


def test_no_notes_is_an_error(project: Path) -> None:
    put("pyproject.toml", "1.2.0", "1.3.0")(project)
    with pytest.raises(ValueError, match=r"says nothing of 1.3.0"):
        notes(project)


def test_one_place_says_the_version() -> None:
    """The package reads its own metadata: no other file of the operator's says it."""
    files = (ROOT / "operator" / "ecs_release").rglob("*.py")
    assert [f.name for f in files if re.search(rf'["\']{re.escape(version())}["\']', f.read_text())] == []


CRD: dict[str, Any] = {
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList", "shortNames": ["th"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.name"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string", "maxLength": 9, "minLength": 2, "pattern": "^a"},
                                    "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
                                    "count": {"type": "integer", "maximum": 5, "minimum": 1, "nullable": True},
                                    "parts": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}},
                                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                },
                                "x-kubernetes-validations": [{"rule": "self.count > 0", "message": "text"}],
                            },
                        },
                    }
                },
            }
        ],
    }
}


def spec(crd: dict[str, Any]) -> Any:
    return crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def fields(crd: dict[str, Any]) -> Any:
    return spec(crd)["properties"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: fields(c).pop("count"), ["Thing: .spec.count: the field is gone, and what objects say there is dropped"]),
        (lambda c: fields(c)["parts"]["items"]["properties"].pop("x"), ["Thing: .spec.parts[].x: the field is gone, and what objects say there is dropped"]),
        (lambda c: fields(c)["count"].update(type="string"), ["Thing: .spec.count: type is 'string', was 'integer'"]),
        (lambda c: fields(c)["count"].update(minimum=2), ["Thing: .spec.count: minimum is 2, was 1"]),
        (lambda c: fields(c)["mode"].update(minLength=1), ["Thing: .spec.mode: minLength is 1, was none"]),
        (lambda c: fields(c)["mode"].update(maxLength=1), ["Thing: .spec.mode: maxLength is 1, was none"]),
        (lambda c: fields(c)["labels"]["additionalProperties"].update(maxLength=4), ["Thing: .spec.labels{}: maxLength is 4, was 5"]),
        (lambda c: fields(c)["labels"].pop("additionalProperties"), ["Thing: .spec.labels: additionalProperties is gone"]),
        (lambda c: fields(c)["any"].pop("x-kubernetes-preserve-unknown-fields"), ["Thing: .spec.any: fields that are not named are dropped"]),
        (lambda c: fields(c)["name"].update(pattern="^b"), ["Thing: .spec.name: pattern is '^b', was '^a'"]),
        (lambda c: fields(c)["mode"].update(pattern="^A"), ["Thing: .spec.mode: pattern is '^A', was 'none'"]),
        (lambda c: fields(c)["mode"].update(default="B"), ["Thing: .spec.mode: default is 'B', was 'A'"]),
        (lambda c: fields(c)["mode"].pop("default"), ["Thing: .spec.mode: default is 'none', was 'A'"]),
        (lambda c: fields(c)["mode"]["enum"].remove("B"), ["Thing: .spec.mode: values are refused: B"]),
        (lambda c: fields(c)["name"].update(enum=["ab"]), ["Thing: .spec.name: values are refused: all but ab"]),
        (lambda c: fields(c)["count"].pop("nullable"), ["Thing: .spec.count: null is refused"]),
        (lambda c: spec(c)["required"].append("count"), ["Thing: .spec: count is required"]),
        (lambda c: spec(c)["x-kubernetes-validations"].append({"rule": "false"}), ["Thing: .spec: rule false"]),
        (lambda c: c["spec"].update(scope="Cluster"), ["Thing: scope was Namespaced"]),
        (lambda c: c["spec"]["names"].update(plural="stuff", shortNames=[]), ["Thing: names.plural was things", "Thing: short name th is gone"]),
        (lambda c: c["spec"]["versions"][0].update(served=False), ["Thing: version v1 is not served any more"]),
        (lambda c: c["spec"]["versions"][0].update(subresources={}), ["Thing: the status subresource is gone"]),
        (lambda c: c["spec"]["versions"][0].pop("selectableFields"), ["Thing: field selector .spec.name is gone"]),
    ],
)  # fmt: skip
def test_what_becomes_narrower_is_found(change: Callable[[dict[str, Any]], object], said: list[str]) -> None:
    new = copy.deepcopy(CRD)
    change(new)
    assert narrowed(CRD, new) == said


@pytest.mark.parametrize(
    "change",
    [
        lambda c: None,
        lambda c: fields(c).update(more={"type": "string", "maxLength": 3, "x-kubernetes-validations": [{"rule": "false"}]}),
        lambda c: (fields(c).update(more={"type": "string", "default": "x"}), spec(c)["required"].append("more")),
        lambda c: spec(c)["required"].append("mode"),
        lambda c: spec(c)["required"].remove("name"),
        lambda c: fields(c)["name"].update(maxLength=10, minLength=1),
        lambda c: [fields(c)["name"].pop(key) for key in ("maxLength", "minLength", "pattern")],
        lambda c: fields(c)["mode"]["enum"].append("C"),
        lambda c: fields(c)["mode"].pop("enum"),
        lambda c: fields(c)["count"].update(default=1, maximum=6, minimum=0),
        lambda c: spec(c).pop("x-kubernetes-validations"),
        lambda c: c["spec"]["versions"].append({**copy.deepcopy(c["spec"]["versions"][0]), "name": "v2"}),
    ],
)
def test_what_becomes_wider_is_not(change: Callable[[dict[str, Any]], object]) -> None:
    new = copy.deepcopy(CRD)
    change(new)
    assert narrowed(CRD, new) == []


def test_the_copy_of_the_last_release_is_whole() -> None:
    assert {p.name for p in (ROOT / PREVIOUS / "crds").iterdir()} <= {p.name for p in (ROOT / "crds").iterdir()}
    assert {s["kind"] for s in yaml.safe_load_all((ROOT / PREVIOUS / "samples.yaml").read_text())} == {
        yaml.safe_load(p.read_text())["spec"]["names"]["kind"] for p in (ROOT / PREVIOUS / "crds").iterdir()
    }
