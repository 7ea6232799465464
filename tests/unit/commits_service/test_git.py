"""How git is run: what it sees, what it may use, and how it ends. Git is played by a script."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from ecs_release.commits_service.git import Bounds, Done, Git, GitError
from tests.environment import plain
from tests.git_host.server import until

BOUNDS = Bounds(2**30, 2**20)


ASKED, RUN = "asked by stdin", "run by a shell"


def started(program: str, how: str, folder: Path, deadline_s: float = 60, **more: int) -> Coroutine[Any, Any, Done]:
    """Start git in one of the two ways."""
    git = Git(BOUNDS, program)
    if how == ASKED:
        return git.ask(["x"], b"a question\n", folder=folder, deadline_s=deadline_s, **more)
    return git.run(["x"], folder=folder, deadline_s=deadline_s, **more)


def script(folder: Path, text: str) -> str:
    path = folder / "git"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_it_sees_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    for name in ("GIT_DIR", "GIT_SSH_COMMAND", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "LD_PRELOAD_X", "HOME", "GIT_CONFIG_PARAMETERS"):
        monkeypatch.setenv(name, "theirs")
    program = script(tmp_path, f"exec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'")
    done = asyncio.run(started(program, how, tmp_path))
    seen = json.loads(done.stdout)
    assert "theirs" not in seen.values()
    assert {name for name in seen if not name.startswith("GIT_")} <= {"PATH", "HOME", "LC_ALL", "PWD", "LC_CTYPE", "SHLVL", "_", "OLDPWD"}
    settings = {seen[f"GIT_CONFIG_KEY_{n}"]: seen[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(seen["GIT_CONFIG_COUNT"]))}
    assert (seen["GIT_CONFIG_NOSYSTEM"], seen["GIT_CONFIG_GLOBAL"], seen["GIT_NO_LAZY_FETCH"]) == ("1", "/dev/null", "1")
    assert (settings["protocol.allow"], settings["core.hooksPath"], settings["credential.helper"]) == ("never", "/dev/null", "")
    assert seen["GIT_SHALLOW_FILE"] == ""


def test_arguments_are_arguments(tmp_path: Path) -> None:
    """The shell that sets the limits takes nothing of them for its own."""
    program = script(tmp_path, 'printf "%s\\n" "$@"')
    given = ["$(id)", "a b", "; id", "-c", "'", '"', "*", "--", ""]
    done = asyncio.run(Git(BOUNDS, program).run(given, folder=tmp_path, deadline_s=60))
    assert done.stdout.decode().split("\n")[:-1] == given


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_its_limits_are_set_before_it_knows_the_question(tmp_path: Path, how: str) -> None:
    program = script(tmp_path, 'read question || question=none; echo "$question"; ulimit -v; ulimit -f; ulimit -Hv; ulimit -Hf')
    done = asyncio.run(started(program, how, tmp_path))
    memory, blocks = str(BOUNDS.memory_bytes // 1024), str(BOUNDS.file_bytes // 512)
    assert done.stdout.decode().splitlines() == ["a question" if how == ASKED else "none", memory, blocks, memory, blocks]


def test_a_limit_that_is_lower_already_stays(tmp_path: Path) -> None:
    program = script(tmp_path, "read question; ulimit -Hf")
    limited = f"""
import asyncio, pathlib, resource
from ecs_release.commits_service.git import Bounds, Git
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
asked = Git(Bounds(2**30, 2**20), {program!r}).ask(["x"], b"x\\n", folder=pathlib.Path("/"), deadline_s=60)
print(asyncio.run(asked).stdout.decode(), end="")
"""
    done = subprocess.run([sys.executable, "-c", limited], env=plain(), capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == ("8\n", "")


def test_where_no_limit_can_be_set_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("resource.prlimit", refuses)
    asked = tmp_path / "asked"
    with pytest.raises(GitError, match=r"limits of git cannot be set \(prlimit\): Operation not permitted"):
        asyncio.run(started(script(tmp_path, f"read question && touch {asked}"), ASKED, tmp_path))
    assert not asked.exists()


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_what_it_writes_is_bounded(tmp_path: Path, how: str) -> None:
    program = script(tmp_path, f"read question; exec head -c 4000000 /dev/zero > {tmp_path}/written")
    done = asyncio.run(started(program, how, tmp_path))
    assert done.code != 0 and (tmp_path / "written").stat().st_size == 2**20


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_what_it_prints_is_bounded(tmp_path: Path, how: str) -> None:
    program = script(tmp_path, "exec cat /dev/zero")
    with pytest.raises(GitError, match="more than 1000 bytes"):
        asyncio.run(started(program, how, tmp_path, most_bytes=1000))
    program = script(tmp_path, "yes error | head -c 300000 >&2; echo the end >&2")
    done = asyncio.run(started(program, how, tmp_path))
    assert done.stderr.endswith("the end\n") and len(done.stderr) <= 16 * 1024


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_it_ends_in_time(tmp_path: Path, how: str) -> None:
    with pytest.raises(GitError, match="took longer than 1 s"):
        asyncio.run(started(script(tmp_path, "exec sleep 3600"), how, tmp_path, deadline_s=1))


@pytest.mark.parametrize("how", [ASKED, RUN])
def test_it_ends_with_its_children(tmp_path: Path, how: str) -> None:
    child = tmp_path / "child"
    program = script(tmp_path, f"sh -c 'echo $$ > {child}; exec sleep 3600' & wait")

    async def run() -> None:
        task = asyncio.create_task(started(program, how, tmp_path, deadline_s=600))
        await asyncio.to_thread(until, "the child", lambda: "sleep" in command_line(child))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    until("the child to end", lambda: "sleep" not in command_line(child))


@pytest.mark.parametrize("how", [ASKED, RUN])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("turns", range(8))
def test_however_often_it_is_cancelled_no_process_is_left_unreaped(tmp_path: Path, turns: int, begun: bool, how: str) -> None:
    """Python warns of a process that nobody has waited for."""
    here = tmp_path / "here"
    program = script(tmp_path, f"echo $$ > {here}; exec sleep 3600")

    async def run() -> None:
        task = asyncio.create_task(started(program, how, tmp_path, deadline_s=600))
        if begun:
            await asyncio.to_thread(until, "it to begin", lambda: "sleep" in command_line(here))
        for _ in range(4):
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(w.message) for w in warned] == []
    assert "sleep" not in command_line(here)


def command_line(pid_file: Path) -> str:
    try:
        return Path(f"/proc/{pid_file.read_text().strip() or 'none'}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("says", "fine"), [("git version 2.39.5", True), ("git version 3.0", True), ("git version 2.38.9", False), ("", False)]
)
def test_versions(tmp_path: Path, says: str, fine: bool) -> None:
    checked = Git(BOUNDS, script(tmp_path, f"echo '{says}'")).check()
    if fine:
        assert asyncio.run(checked)
    else:
        with pytest.raises(GitError, match=r"2\.39 or newer"):
            asyncio.run(checked)


def command(config: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = plain() | ({"PATH": path} if path is not None else {})
    given = [sys.executable, "-m", "ecs_release.commits_service.main", "--config", str(config)]
    return subprocess.run(given, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_says_what_is_wrong(tmp_path: Path) -> None:
    config, token = tmp_path / "config.yaml", tmp_path / "token"
    assert command(config).returncode == 2
    config.write_text(f"{{tokenFile: {token}, host: 127.0.0.1, port: 0, cache: {{folder: {tmp_path}/cache}}}}")
    done = command(config)
    assert done.returncode == 2 and str(token) in done.stderr
    token.write_text("short")
    done = command(config)
    assert done.returncode == 2 and "fewer than 16" in done.stderr
    token.write_text("a token of the test's own")
    done = command(config, str(tmp_path))
    assert done.returncode == 1 and "git is not installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_was_named_by_mistake_keeps_what_is_in_it(tmp_path: Path) -> None:
    from ecs_release.commits_service.clones import Clones
    from ecs_release.commits_service.config import ServiceConfig

    (tmp_path / "theirs").mkdir()
    (tmp_path / f"{'a' * 32}-7").mkdir()
    (tmp_path / f"{'b' * 32}-7").symlink_to(tmp_path / "theirs")
    config = ServiceConfig.model_validate({"tokenFile": "/token", "cache": {"folder": str(tmp_path)}})
    asyncio.run(Clones(config, Git(BOUNDS, "/bin/false"), lambda *_: None).clear())
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{'b' * 32}-7", "theirs"]
