"""Candidates: of flags and names; asked of the cluster only where names are meant, and never a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ecs_release.cli.kubectl import completion
from ecs_release.cli.kubectl.completion import candidates
from ecs_release.domain.model.api_paths import ApiPath

NAMES = {"releasesets": ["shop-staging"], "releases": ["web-staging"], "environments": ["production", "staging"], "namespaces": ["shop"]}


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(before: Sequence[str], path: Callable[[str], ApiPath]) -> list[str]:
        return NAMES[path("x").segments[-1]]

    monkeypatch.setattr(completion, "_names", names)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["st"], ["status"]),
        (["-n", "shop", "boa"], ["board"]),
        (["--context", "status", "boa"], ["board"]),
        (["status", "--w"], ["--watch"]),
        (["--as-g"], ["--as-group"]),
        (["status", ""], ["releaseset/shop-staging", "release/web-staging"]),
        (["status", "release/"], ["release/web-staging"]),
        (["status", "rel"], ["releaseset/shop-staging", "release/web-staging"]),
        (["status", "w"], ["web-staging"]),
        (["status", "-n", "shop", "--watch", "w"], ["web-staging"]),
        (["status", "x", ""], []),
        (["diff", "pro"], ["production"]),
        (["diff", "staging", ""], ["production", "staging"]),
        (["diff", "staging", "production", ""], []),
        (["board", "-n", ""], ["shop"]),
        (["board", "-o", "h"], ["html"]),
        (["board", "-o=h"], ["-o=html"]),
        (["board", "--output=w"], ["--output=wide"]),
        (["board", "--namespace=s"], ["--namespace=shop"]),
        (["history", "--environment", "s"], ["staging"]),
        (["version", ""], []),
        (["nothing", ""], []),
    ],
)
def test_candidates(words: list[str], expected: list[str]) -> None:
    found = [line.partition("\t")[0] for line in candidates(words[:-1], words[-1])]
    if words == ["nothing", ""]:
        assert "status" in found, "what is no command is passed over"
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("words", "directive"), [(["plan", "-f", ""], ":0"), (["plan", "-f", "-x"], ":4"), ([], ":4"), (["status", ""], ":4")]
)
def test_the_directive_comes_last(words: list[str], directive: str, capsys: pytest.CaptureFixture[str]) -> None:
    completion.run(words)
    assert capsys.readouterr().out.splitlines()[-1] == directive


def test_a_failure_is_no_candidate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> list[str]:
        raise RuntimeError("no")

    monkeypatch.setattr(completion, "_names", broken)
    completion.run(["status", ""])
    assert capsys.readouterr() == (":4\n", "")
