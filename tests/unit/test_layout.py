"""The repository's layout: rules that no other tool holds."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "operator" / "ecs_release"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Rooms that have folders by concept; of the plugin's commands each is a module.
BY_CONCEPT = ("domain", "engine", "aws", "cli/kubectl")
FOLDER_MODULES = 14
MODULE_LINES = 400
FUNCTION_LINES = 60
# The only room that may import each client library (design: adapters at the edge).
ONLY_IMPORTERS = {"boto3": "aws", "botocore": "aws", "kubernetes": "cluster", "kopf": "handlers", "prometheus_client": "metrics"}
# Commands tell a wrong KUBECONFIG by the exception that the client raises.
ALSO = {("kubernetes", "cli"), ("kubernetes", "board")}


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


def test_folders_by_concept_stay_small() -> None:
    folders = {path.parent for path in MODULES if path.parent.name != "commands"}
    sizes = {label(f): len([*f.glob("*.py")]) - 1 for f in folders if any(f.is_relative_to(PACKAGE / room) for room in BY_CONCEPT)}

    assert {name: size for name, size in sizes.items() if size > FOLDER_MODULES} == {}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=label)
def test_a_folder_says_what_is_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_predicates_are_described_alike() -> None:
    assert [label(path) for path in MODULES if re.search(r"(Tell|Say)s? whether", path.read_text())] == []


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


def test_nothing_is_imported_from_a_test_module() -> None:
    """What several tests need is in tests/builders, or in a module beside them: a test may change without breaking another."""
    strays = {label(path): found for path in TESTS if (found := [name for name in imported_names(path) if re.search(r"\btest_", name)])}

    assert strays == {}


def test_the_lock_file_pins_what_the_project_asks_for() -> None:
    """`uv sync --frozen` would install an old set without a word."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    ours = next(package for package in lock["package"] if package["name"] == project["project"]["name"])
    locked = {(r["name"], r.get("specifier", "")) for r in ours["metadata"]["requires-dist"]}
    locked |= {(r["name"], r.get("specifier", "")) for r in ours["metadata"]["requires-dev"]["dev"]}
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]

    assert {name_and_specifier(text) for text in wanted} == {(name, normal(specifier)) for name, specifier in locked}


@cache
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(path: Path) -> set[str]:
    """Return the first name of each import."""
    names = set()
    for node in imports(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif not node.level:
            names.add(str(node.module).split(".")[0])
    return names


def imported_names(path: Path) -> list[str]:
    """Return all that is imported, with its module."""
    return [f"{getattr(node, 'module', '')}.{alias.name}" for node in imports(path) for alias in node.names]


def name_and_specifier(requirement: str) -> tuple[str, str]:
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    return parsed.name, normal(str(parsed.specifier))


def normal(specifier: str) -> str:
    return ",".join(sorted(specifier.replace(" ", "").split(",")))


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_paths_of_the_kubernetes_api_are_made_in_one_place(path: Path) -> None:
    """A path that is put together elsewhere may hold a name that is another path: the clients take an ApiPath and no text."""
    if label(path).endswith("domain/model/api_paths.py"):
        return
    tree = ast.parse(path.read_text())
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]

    assert [t for t in texts if re.match(r"/(api|apis)(/|$)|/namespaces", t)] == []


SENDERS = {
    "call_api": "cluster/api_server.py",
    "param_serialize": "cluster/api_server.py",
    "pool_manager": "cli/kubectl/client/api_server.py",
}
"""What sends requests to the API server, and the one module that uses it."""


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_requests_to_the_api_server_are_sent_in_one_place(path: Path) -> None:
    used = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}

    assert [name for name in used & SENDERS.keys() if not label(path).endswith(SENDERS[name])] == []


@pytest.mark.parametrize("path", [p for p in MODULES if "engine" in p.relative_to(PACKAGE).parts], ids=label)
def test_objects_are_parsed_in_one_place(path: Path) -> None:
    """What cannot be read is a Problem of that object; a ValidationError elsewhere would be a defect of the pass."""
    used = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}

    assert not used & {"model_validate", "model_validate_json"}


PLUGIN = [p for p in MODULES if "kubectl" in p.relative_to(PACKAGE).parts]
WRITERS = {"terminal/output.py": "the writer", "kubectl/main.py": "flushes", "kubectl/completion.py": "talks to a shell, in visible text"}


@pytest.mark.parametrize("path", PLUGIN, ids=label)
def test_the_plugin_prints_through_its_writer_only(path: Path) -> None:
    """Text of tenants and of AWS is made harmless there: what is printed elsewhere may control the terminal."""
    if any(label(path).endswith(name) for name in WRITERS):
        return
    tree = ast.parse(path.read_text())
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    files = [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in ("stdout", "stderr") and not _is_of_a_process(n)]

    assert "print" not in calls
    assert files == []


def _is_of_a_process(node: ast.Attribute) -> bool:
    """Return whether this is what another program has printed."""
    return isinstance(node.value, ast.Name) and node.value.id in ("done", "process")
