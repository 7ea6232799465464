"""Settings of leader election and shards: what is wrong is refused in words before anything begins."""

from __future__ import annotations

import pytest

from ecs_release.cli import operator
from ecs_release.config import Settings

TABLE = '{"prod": ["111122223333"], "europe": ["444455556666/eu-west-1"]}'


def test_the_defaults_are_those_of_client_go() -> None:
    settings = Settings()
    assert settings.leader_elect
    assert (settings.timing().duration_s, settings.timing().renew_deadline_s, settings.timing().retry_s) == (15, 10, 2)
    assert settings.engine().shards.names == ("default",)


def test_the_table_comes_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_RELEASE_SHARDS", TABLE)
    monkeypatch.setenv("ECS_RELEASE_SHARD", "europe")
    engine = Settings().engine()
    assert engine.shard == engine.shards.of("444455556666", "eu-west-1") == "europe"
    assert engine.shards.names == ("prod", "europe", "default")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shards", '{"a": ["111122223333"], "b": ["111122223333/eu-west-1"]}'], "shards: shards 'a' and 'b' overlap"),
        (["--shards", '{"a": ["111122223333"], "a": []}'], "shards: shard 'a' is there twice"),
        (["--shards", '{"a": '], "shards: no JSON object of shards"),
        (["--shards", '["111122223333"]'], "shards: Input should be a valid dictionary"),
        (
            ["--shards", TABLE, "--shard", "stage"],
            "there is no shard 'stage', which this operator shall serve: there are prod, europe, default",
        ),
        (["--shard", "stage"], "there is no shard 'stage'"),
        (["--lease-duration-seconds", "10"], "lease_renew_deadline_seconds: must be less than lease_duration_seconds"),
        (["--lease-renew-deadline-seconds", "15"], "lease_renew_deadline_seconds: must be less than lease_duration_seconds"),
        (["--lease-retry-seconds", "5.1"], "lease_retry_seconds: must be at most half of lease_renew_deadline_seconds"),
        (["--lease-duration-seconds", "14.5"], "lease_duration_seconds: Input should be a valid integer"),
    ],
)
def test_what_is_wrong_is_refused(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ecs-release-operator", *arguments])
    with pytest.raises(SystemExit) as ended:
        operator.main()
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
