"""Settings of the namespaces that are watched: what is wrong is refused in words before anything begins."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ecs_release.cli import operator
from ecs_release.config import Settings


@pytest.mark.parametrize(
    ("given", "watched"), [("", []), ("shop", ["shop"]), (" shop, storage,,shop ", ["shop", "storage"]), ("a" * 63, ["a" * 63])]
)
def test_they_are_separated_by_commas(given: str, watched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_RELEASE_WATCH_NAMESPACES", given)
    settings = Settings()
    assert settings.watch_namespaces == watched
    assert settings.engine().namespaces == tuple(watched)


@pytest.mark.parametrize("given", ["Shop", "shop/web", "shop-*", "a" * 64, "-a", ",".join(f"n{n}" for n in range(51))])
def test_what_is_no_list_of_namespaces_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_RELEASE_WATCH_NAMESPACES", given)
    with pytest.raises(ValidationError, match="watch_namespaces"):
        Settings()


def test_the_command_says_which(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["ecs-release-operator", "--watch-namespaces", "shop,Storage"])
    with pytest.raises(SystemExit) as ended:
        operator.main()
    assert ended.value.code == 2
    assert "watch_namespaces.1" in capsys.readouterr().err
