"""What a release of the project has to agree on: version, changelog, chart, tag, base image, CRDs."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import yaml

from tests.release.crds import narrowed

ROOT = Path(__file__).parents[2]
CHART = Path("charts/ecs-release-operator/Chart.yaml")
PREVIOUS = Path("tests/release/previous")
OPERATOR = "operator.zip"
"""The code of the last release, in PREVIOUS: it takes part in upgrades (`tests/reliability/upgrades.py`)."""
RELIABILITY, NOT_MEASURED = Path("docs/explanation/reliability.md"), "### Not measured yet"
_PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_SORTS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def version(root: Path = ROOT) -> str:
    """Return the version, which pyproject.toml alone says."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def problems(root: Path = ROOT, tag: str | None = None) -> list[str]:
    """List what does not agree: what always has to, and with a `tag` (`v1.2.3`) also what has to when that is released."""
    wrong = list(_version(root))
    return wrong or [*_chart(root), *_changelog(root), *_crds(root), *(_tag(root, tag) if tag else ())]


def _version(root: Path) -> Iterator[str]:
    if not re.fullmatch(r"\d+\.\d+\.\d+", version(root)):
        yield f"pyproject.toml: version {version(root)} is not MAJOR.MINOR.PATCH"


def _chart(root: Path) -> Iterator[str]:
    """Compare the chart's two versions, where there is a chart."""
    if (root / CHART).exists():
        chart = yaml.safe_load((root / CHART).read_text())
        for key in ("version", "appVersion"):
            if str(chart[key]) != version(root):
                yield f"{CHART}: {key} is {chart[key]}, pyproject.toml says {version(root)}"


def _changelog(root: Path) -> Iterator[str]:
    text = (root / "CHANGELOG.md").read_text()
    headings = list(_HEADING.finditer(text))
    if not headings or headings[0]["version"] != "Unreleased":
        yield "CHANGELOG.md: the first heading is not ## [Unreleased]"
    for heading in headings[1:]:
        if not heading["date"]:
            yield f"CHANGELOG.md: {heading['version']} has no date: ## [{heading['version']}] - 2026-01-31"
    numbers = [tuple(int(n) for n in h["version"].split(".")) for h in headings[1:]]
    if numbers != sorted(numbers, reverse=True):
        yield "CHANGELOG.md: versions do not go down"
    if headings[1:] and _number(headings[1]["version"]) > _number(version(root)):
        yield f"CHANGELOG.md: {headings[1]['version']} is newer than pyproject.toml's {version(root)}"
    for sort in re.findall(r"^### (.*)$", text, re.MULTILINE):
        if sort not in _SORTS:
            yield f"CHANGELOG.md: ### {sort} is none of {', '.join(sorted(_SORTS))}"


def _crds(root: Path) -> Iterator[str]:
    """Compare with the last release: what became narrower is refused, unless somebody has said why that hurts nobody."""
    accepted = yaml.safe_load((root / PREVIOUS / "accepted.yaml").read_text()) or []
    used = set()
    for path in sorted((root / PREVIOUS / "crds").glob("*.yaml")):
        now = root / "crds" / path.name
        if not now.exists():
            yield f"crds/{path.name} is gone, and with it every object of its kind"
            continue
        for finding in narrowed(_read(path), _read(now)):
            fitting = [entry["finding"] for entry in accepted if entry["finding"] in finding]
            used.update(fitting)
            if not fitting:
                yield f"crds/{path.name}: {finding}"
    yield from (f"{PREVIOUS}/accepted.yaml: nothing is found of {e['finding']!r}" for e in accepted if e["finding"] not in used)


def _tag(root: Path, tag: str) -> Iterator[str]:
    if tag != f"v{version(root)}":
        yield f"the tag is {tag}, pyproject.toml says {version(root)}"
    text = (root / "CHANGELOG.md").read_text()
    headings = list(_HEADING.finditer(text))
    if len(headings) < 2 or headings[1]["version"] != version(root):
        yield f"CHANGELOG.md: there is no ## [{version(root)}] right after Unreleased"
    elif text[headings[0].end() : headings[1].start()].strip():
        yield f"CHANGELOG.md: what stands under Unreleased belongs to {version(root)}"
    if NOT_MEASURED in (root / RELIABILITY).read_text():
        yield f"{RELIABILITY}: some attacks were never run: make soak, then make reliability-page"
    if not _PINNED.fullmatch((root / "operator" / "base-image").read_text().strip()):
        yield "operator/base-image names no digest: run make base-image where a container registry is reached, look at it, and commit it"


def notes(root: Path = ROOT) -> str:
    """Return what the changelog says of this version. Raises ValueError where it says nothing."""
    text = (root / "CHANGELOG.md").read_text()
    headings = list(_HEADING.finditer(text))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        if heading["version"] == version(root):
            return text[heading.end() : following.start() if following else len(text)].strip() + "\n"
    raise ValueError(f"CHANGELOG.md says nothing of {version(root)}")


def keep(root: Path = ROOT) -> None:
    """Make this version the last release: what the next one is compared with."""
    folder = root / PREVIOUS
    shutil.rmtree(folder / "crds", ignore_errors=True)
    shutil.copytree(root / "crds", folder / "crds")
    archive(root / "operator" / "ecs_release", folder / OPERATOR)
    shutil.copy(root / "tests" / "samples.yaml", folder / "samples.yaml")
    entries = (folder / "accepted.yaml").read_text().splitlines()
    (folder / "accepted.yaml").write_text("\n".join(line for line in entries if line.startswith("#")) + "\n")
    readme = (folder / "README.md").read_text().split("\n\n")[0]
    (folder / "README.md").write_text(f"{readme}\n\nThese are version {version(root)}'s.\n")


def archive(package: Path, to: Path) -> None:
    """Write a package into a ZIP file, the same bytes for the same files."""
    with ZipFile(to, "w") as made:
        for path in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            entry = ZipInfo(str(path.relative_to(package.parent)))
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            made.writestr(entry, path.read_bytes(), compresslevel=9)


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))
