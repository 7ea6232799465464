"""The image, as far as it goes without a container engine: what the Dockerfile copies and runs is done here in folders."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "operator" / "Dockerfile"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
UV = next((ROOT / ".tools").glob("uv-*"))
BUILD_S = 240


# The one thing that comes from Debian: the commits service runs it.
GIT = "apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return (instruction, arguments), with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name.upper(), rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def stages(text: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions(text):
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def problems(text: str) -> list[str]:
    """Lint a Dockerfile by our own rules; empty where it is good."""
    *_, final = stages(text)
    said = []
    if any(name == "FROM" and rest.split()[0] != "${BASE}" for name, rest in instructions(text)):
        said.append("FROM takes what scripts/base-image prints: ${BASE}, with no default")
    if re.search(r"^ARG BASE=", text, re.MULTILINE):
        said.append("BASE has a default: its digest would be in two places")
    users = [rest for name, rest in final if name == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        said.append("the last USER is no numeric user and group other than root")
    if any(name == "ADD" for name, _ in instructions(text)):
        said.append("ADD fetches and unpacks: use COPY")
    if any(name in {"RUN", "COPY", "ADD"} for name, _ in final[[n for n, _ in final].index("USER") :] if users):
        said.append("something is written after USER: it would be the operator's to change")
    if any(name in {"ENTRYPOINT", "CMD"} and not rest.startswith("[") for name, rest in final):
        said.append("a shell is the entry point's parent: signals would not reach it")
    if any(re.search(r"curl|wget|apt-get|:latest|\bsudo\b|chmod 777", rest) for _, rest in instructions(text) if rest != GIT):
        said.append("something comes from outside the lock file")
    if any(re.search(r"(KEY|TOKEN|SECRET|PASSWORD)", rest) for name, rest in instructions(text) if name in {"ARG", "ENV"}):
        said.append("a secret would stay in a layer")
    if any("--frozen" not in rest or "--no-dev" not in rest for name, rest in instructions(text) if "uv sync" in rest):
        said.append("uv sync without --frozen or --no-dev")
    return said


TEXT = DOCKERFILE.read_text()
FINAL = stages(TEXT)[-1]


def test_the_dockerfile_keeps_the_rules() -> None:
    assert problems(TEXT) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("USER 65532:65532", "USER ecs-release", "no numeric user"),
        ("USER 65532:65532", "USER 0:0", "no numeric user"),
        ("FROM ${BASE} AS build", "FROM python:3.13 AS build", "scripts/base-image"),
        ("ARG BASE\n", "ARG BASE=python:3.13\n", "two places"),
        ("COPY README.md", "ADD README.md", "use COPY"),
        ('["ecs-release-operator"]', "ecs-release-operator", "signals"),
        ("--no-dev --no-editable", "--no-editable", "--no-dev"),
        ("ARG VERSION=0.0.0", "ARG PYPI_TOKEN", "secret"),
        ("WORKDIR /\n", "RUN curl x\n", "outside the lock file"),
        ("ca-certificates git", "ca-certificates git curl", "outside the lock file"),
        ("WORKDIR /\n", "RUN touch /x\n", "written after USER"),
    ],
)
def test_a_rule_that_is_broken_is_said(old: str, new: str, said: str) -> None:
    assert old in TEXT
    assert [p for p in problems(TEXT.replace(old, new)) if said in p]


def test_labels_are_those_of_the_oci() -> None:
    labels = shlex.split(next(rest for name, rest in FINAL if name == "LABEL"))
    named = dict(label.split("=", 1) for label in labels)
    assert {key.removeprefix("org.opencontainers.image.") for key in named} == {
        "title", "description", "licenses", "version", "revision", "created", "source", "base.name",
    }  # fmt: skip
    assert named["org.opencontainers.image.title"] == PROJECT["project"]["name"]
    assert named["org.opencontainers.image.description"] == PROJECT["project"]["description"]
    assert named["org.opencontainers.image.licenses"] == PROJECT["project"]["license"]


def test_git_is_there_for_the_commits_service() -> None:
    assert ("RUN", GIT) in FINAL


def test_nothing_is_written_at_run_time() -> None:
    variables = dict(part.split("=", 1) for name, rest in FINAL if name == "ENV" for part in rest.split())
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
    assert variables["HOME"] == "/nonexistent"


def test_uv_is_the_one_that_bootstrap_installs() -> None:
    assert "COPY scripts/uv.txt ./" in TEXT and "--requirement uv.txt" in TEXT
    assert "--requirement scripts/uv.txt" in (ROOT / "scripts" / "bootstrap").read_text()


def test_the_base_is_one_that_the_project_runs_on() -> None:
    name = (ROOT / "operator" / "base-image").read_text().strip()
    found = re.fullmatch(r"python:(3\.\d+)-slim-\w+@sha256:[0-9a-f]{64}", name)
    assert found, "operator/base-image: python:VERSION-slim-DEBIAN by digest; make base-image writes today's"
    assert f'"{found[1]}"' in (ROOT / ".github" / "workflows" / "test.yaml").read_text()


# What the build sees.


def ignored(path: str, rules: list[str]) -> bool:
    """Tell as Docker does whether .dockerignore keeps a file out: the last rule that matches it or a folder above it has its way."""
    out = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        above = [path, *(str(p) for p in PurePosixPath(path).parents if str(p) != ".")]
        if any(same(p, pattern) for p in above):
            out = not rule.startswith("!")
    return out


def same(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(same("/".join(path.split("/")[n:]), pattern[3:]) for n in range(path.count("/") + 1))
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatch.fnmatchcase(a, b) for a, b in zip(parts, wanted, strict=True))


RULES = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def context() -> list[str]:
    folders = ("operator", "tests/release", "docs", "scripts", "crds")
    files = [*ROOT.glob("*"), *(p for f in folders for p in (ROOT / f).rglob("*"))]
    return sorted(name for p in files if p.is_file() and not ignored(name := str(p.relative_to(ROOT)), RULES))


def test_the_context_is_what_is_copied() -> None:
    copied = [source for name, rest in stages(TEXT)[0] if name == "COPY" for source in rest.split()[:-1]]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    strays = [name for name in context() if not any(name == c or name.startswith(f"{c}/") for c in copied)]
    assert strays == []
    assert [c for c in copied if not any(name == c or name.startswith(f"{c}/") for name in context())] == []


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("operator/ecs_release/app.py", False),
        ("operator/ecs_release/aws/clients/ecs.py", False),
        ("operator/ecs_release/aws/clients/__pycache__/ecs.cpython-313.pyc", True),
        ("operator/ecs_release_operator.egg-info/PKG-INFO", True),
        ("operator/Dockerfile", True),
        (".git/config", True),
        (".venv/bin/python", True),
        ("tests/unit/test_image.py", True),
        ("uv.lock", False),
    ],
)
def test_what_the_build_sees(path: str, out: bool) -> None:
    assert ignored(path, RULES) is out


def copy(folder: Path, sources: list[str]) -> None:
    """Copy those of the context's files that are named, or in a folder that is."""
    for name in context():
        if any(name == source or name.startswith(f"{source}/") for source in sources):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the Dockerfile makes, by its own commands, of nothing but its own context."""
    folder = tmp_path_factory.mktemp("image")
    source, environment = folder / "build", folder / "ecs-release"
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("UV_PROJECT", "VIRTUAL_ENV"))}
    variables = {**inherited, "UV_PROJECT_ENVIRONMENT": str(environment), "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    ran = 0
    # In the Dockerfile's order: a command sees only what was copied before it.
    for name, rest in stages(TEXT)[0]:
        if name == "COPY":
            copy(source, rest.split()[:-1])
        elif name == "RUN" and rest.startswith("uv "):
            subprocess.run([UV, *shlex.split(rest)[1:], "--quiet"], cwd=source, env=variables, check=True, timeout=BUILD_S)
            ran += 1
    assert ran == 2
    return environment


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
@pytest.mark.parametrize("program", sorted(PROJECT["project"]["scripts"]))
def test_commands_run_with_nothing_else_around(installed: Path, program: str, tmp_path: Path) -> None:
    """As in the container: no home, no settings, nothing that may be written to."""
    tmp_path.chmod(0o500)
    variables = {"PATH": str(installed / "bin"), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    argument = "__complete" if "complete" in program else "--help"
    done = subprocess.run([program, argument], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=BUILD_S)
    assert (done.returncode, done.stderr) == (0, "")
    assert argument == "__complete" or "usage" in done.stdout.lower()


@pytest.mark.slow
def test_the_entry_point_is_a_command_of_the_project(installed: Path) -> None:
    entry = next(rest for name, rest in FINAL if name == "ENTRYPOINT")
    assert entry == '["ecs-release-operator"]'
    assert (installed / "bin" / "ecs-release-operator").is_file()
    assert "PATH=/opt/ecs-release/bin:" in TEXT and "COPY --from=build /opt/ecs-release /opt/ecs-release" in TEXT


@pytest.mark.slow
def test_only_what_the_lock_file_pins_for_running_is_installed(installed: Path) -> None:
    command = [UV, "export", "--frozen", "--no-dev", "--no-hashes", "--no-emit-project", "--no-header", "--quiet"]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout
    named = {line.split("==")[0].split(";")[0].strip().lower() for line in exported.splitlines() if line and line[0].isalnum()}
    found = {normal(p.name.split("-")[0]) for p in installed.rglob("*.dist-info")}
    development = {normal(re.split(r"[\[=<>~!]", text)[0]) for text in PROJECT["dependency-groups"]["dev"]}

    assert found <= named | {PROJECT["project"]["name"]}
    assert found & development == set()
    assert not (installed / "bin" / "pip").exists()


@pytest.mark.slow
def test_the_package_is_whole_and_brings_no_tests(installed: Path) -> None:
    (package,) = installed.glob("lib/python*/site-packages/ecs_release")
    ours = {str(p.relative_to(ROOT / "operator" / "ecs_release")) for p in (ROOT / "operator" / "ecs_release").rglob("*.py")}
    assert {str(p.relative_to(package)) for p in package.rglob("*.py")} == ours
    assert not list(package.parent.glob("tests*"))
    assert not list(package.parent.glob("__editable__*"))


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S)
def test_the_wheel_holds_every_module_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    copy(source, context())
    subprocess.run(
        [UV, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", str(tmp_path), str(source)],
        check=True,
        timeout=BUILD_S,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
        scripts = file.read(next(n for n in file.namelist() if n.endswith("entry_points.txt"))).decode()

    assert names == {str(p.relative_to(ROOT / "operator")) for p in (ROOT / "operator" / "ecs_release").rglob("*") if is_ours(p)}
    assert f"-{PROJECT['project']['version']}-" in wheel.name
    assert all(f"{name} = {target}" in scripts for name, target in PROJECT["project"]["scripts"].items())


def is_ours(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
