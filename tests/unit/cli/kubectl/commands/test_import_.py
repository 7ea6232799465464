"""`import weco` as it is called: names that one import cannot know to be free, and names that do not depend on what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ecs_release.cli.kubectl import main

IMAGES = [{"id": "im", "services": ["a"]}]
MANIFEST = {name: {"environments": ["stage"], "image_repositories": IMAGES} for name in ("shop", "Shop")}


def printed(capsys: pytest.CaptureFixture[str], file: Path, *flags: str) -> tuple[list[str], str]:
    file.write_text(json.dumps(MANIFEST))
    assert main.run(["import", "weco", str(file), "--account-id", "111122223333", *flags]) == 0
    out, err = capsys.readouterr()
    return [d["metadata"]["name"] for d in yaml.safe_load_all(out)], err


def test_names_that_the_whole_cluster_shares_are_pointed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = "{project}-{environment}-{account}"
    names, err = printed(capsys, tmp_path / "m", "--project", "shop", "--environment", template)
    assert names == ["shop", "shop-stage-111122223333"]
    assert "(shop-stage-111122223333): see with kubectl get environments" in err and template in err
    _, err = printed(capsys, tmp_path / "m", "--kind", "Project")
    assert "get environments" not in err


def test_a_project_has_the_same_names_alone_and_beside_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    together, _ = printed(capsys, tmp_path / "m")
    first, _ = printed(capsys, tmp_path / "m", "--project", "shop")
    second, err = printed(capsys, tmp_path / "m", "--project", "Shop")
    assert sorted(together) == sorted(first + second) and len(set(together)) == 4
    assert "project shop:" not in err
