"""The repository's layout: rules that no other tool holds."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "operator" / "ecs_release"
MODULES = sorted(PACKAGE.rglob("*.py"))
MODULE_LINES = 300
FUNCTION_LINES = 40
# The only room that may import each client library (design: adapters at the edge).
ONLY_IMPORTERS = {"boto3": "aws", "botocore": "aws", "kubernetes": "cluster", "kopf": "handlers", "prometheus_client": "metrics"}
# The command tells a wrong KUBECONFIG by the exception that the client raises.
ALSO = {("kubernetes", "cli")}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_operator_folder_is_no_package() -> None:
    """The standard library has a module of that name: a package here would break the interpreter itself."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert "ecs_release" not in str(sys.modules["operator"].__file__)


def test_the_package_is_found_in_this_checkout() -> None:
    import ecs_release

    assert Path(str(ecs_release.__file__)).is_relative_to(PACKAGE)


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without __init__.py is left out of the wheel, and of import-linter's sight."""
    folders = {path.parent for path in MODULES}

    assert [label(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert len(text.splitlines()) <= MODULE_LINES
    assert {f.name: n for f in functions if (n := (f.end_lineno or 0) - f.lineno + 1) > FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_client_libraries_stay_in_their_room(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    strays = {name for name in imported(path) if name in ONLY_IMPORTERS and room != ONLY_IMPORTERS[name] and (name, room) not in ALSO}

    assert strays == set()


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}


def test_the_product_does_not_know_that_a_simulator_exists() -> None:
    knowing = [label(path) for path in MODULES if "tests" in imported(path) or "moto" in imported(path)]

    assert knowing == []


def test_the_lock_file_pins_what_the_project_asks_for() -> None:
    """`uv sync --frozen` would install an old set without a word."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    ours = next(package for package in lock["package"] if package["name"] == project["project"]["name"])
    locked = {(r["name"], r.get("specifier", "")) for r in ours["metadata"]["requires-dist"]}
    locked |= {(r["name"], r.get("specifier", "")) for r in ours["metadata"]["requires-dev"]["dev"]}
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]

    assert {name_and_specifier(text) for text in wanted} == {(name, normal(specifier)) for name, specifier in locked}


def imported(path: Path) -> set[str]:
    """Return the first name of each import."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).split(".")[0])
    return names


def name_and_specifier(requirement: str) -> tuple[str, str]:
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    return parsed.name, normal(str(parsed.specifier))


def normal(specifier: str) -> str:
    return ",".join(sorted(specifier.replace(" ", "").split(",")))
