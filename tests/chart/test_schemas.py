"""Manifests are checked without a cluster: kubeconform with the schemas of our CRDs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.generate import ROOT
from tests.chart.programs import programs
from tests.chart.schemas import write_schemas

FILES = [*sorted((ROOT / "examples" / "shop").glob("*.yaml")), ROOT / "tests" / "samples.yaml"]


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_schemas(ROOT / "crds", tmp_path_factory.mktemp("schemas"))


def conform(location: str, text: str) -> tuple[int, str]:
    done = subprocess.run(
        [programs().kubeconform, "-strict", "-schema-location", location], input=text, capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_examples_conform(path: Path, location: str) -> None:
    assert conform(location, path.read_text()) == (0, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": {"releaseHahs": "1a2b3c4"}}, "releaseHahs"),
        ({"suspend": "no"}, "suspend"),
        ({"projectRef": None}, "projectRef"),
    ],
)
def test_mistakes_are_found(change: dict[str, object], said: str, location: str) -> None:
    release = next(yaml.safe_load_all((ROOT / "examples" / "shop" / "releases.yaml").read_text()))
    release["spec"] |= change
    code, text = conform(location, yaml.safe_dump(release))
    assert code == 1 and said in text
