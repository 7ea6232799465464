"""What the race of builds needs, on loopback: a git host, the commits service that reads it, and a GitHub with two pull requests."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.git_host.server import running_host
from tests.git_host.service import CommitsService, binding
from tests.github_fake.server import GitHubFake, Repository

_PATH = "shop/storefront"
_SHOWN = 12
PULLS = (11, 12)
"""The pull requests that commits 1 and 2 have come by."""
_LEAST = (2, 39)


@dataclass
class DemoCommits:
    """The commits 0, 1 and 2 of branch main, by their first twelve characters, and how the operator reaches service and GitHub."""

    url: str
    line: list[str]
    settings: dict[str, str]
    repository: Repository

    def comments(self) -> dict[int, str]:
        """Return the comment on each pull request, and its labels."""
        found = {int(c["issue_url"].rpartition("/")[2]): str(c["body"]) for c in list(self.repository.comments.values())}
        return {n: "\n".join([body, *(f"Label: {label}" for label in self.repository.labels[n])]) for n, body in sorted(found.items())}


@contextmanager
def demo_commits() -> Iterator[DemoCommits | None]:
    """Run host and service; None where git cannot serve repositories: the rest of the demo needs none."""
    if not _serves():
        yield None
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-commits-")))
        host = stack.enter_context(running_host(folder))
        line = host.repository(_PATH).line(3)
        github = stack.enter_context(GitHubFake(checks=False).running())
        github.repositories[_PATH] = Repository(set(line), {commit: [number] for commit, number in zip(line[1:], PULLS, strict=True)})
        connections = folder / "connections.yaml"
        connections.write_text("github:\n" + github.connection(folder, "shop", urlsplit(host.url(_PATH)).netloc))
        service = stack.enter_context(CommitsService(folder / "service", [binding(host, _PATH)]))
        settings = {
            "ECS_RELEASE_COMMITS_ADDRESS": service.address,
            "ECS_RELEASE_COMMITS_TOKEN_FILE": str(service.token_file),
            "ECS_RELEASE_CONNECTIONS_FILE": str(connections),
            "ECS_RELEASE_CONNECTIONS_ALLOW_LOOPBACK": "true",
        }
        yield DemoCommits(host.url(_PATH), [commit[:_SHOWN] for commit in line], settings, github.repositories[_PATH])


def _serves() -> bool:
    """Return whether git is there, new enough, and has its server for http."""
    program = shutil.which("git")
    if program is None:
        return False
    words = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=10).stdout.split()
    numbers = words[2].split(".") if len(words) > 2 else []
    if not all(n.isdecimal() for n in numbers[:2]) or tuple(int(n) for n in numbers[:2]) < _LEAST:
        return False
    folder = subprocess.run([program, "--exec-path"], capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    return shutil.which("git-http-backend", path=folder) is not None
