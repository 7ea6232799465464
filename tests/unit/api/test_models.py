"""The models: names, times, and that what is read is written again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from ecs_release.api.environment import Environment
from ecs_release.api.meta import Model, to_camel, to_microtime, to_time
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.windows import ClosedWindow

KINDS: dict[str, type[Model]] = {"Environment": Environment, "Project": Project, "Release": Release, "ReleaseSet": ReleaseSet}
SAMPLES = Path(__file__).parents[2] / "samples.yaml"


@pytest.mark.parametrize(
    ("name", "camel"),
    [
        ("account_id", "accountID"),
        ("role_arn", "roleARN"),
        ("event_queue_url", "eventQueueURL"),
        ("url", "url"),
        ("tag_formats", "tagFormats"),
    ],
)
def test_names_are_as_kubernetes_writes_them(name: str, camel: str) -> None:
    assert to_camel(name) == camel


def test_times_are_written_as_metav1_does() -> None:
    time = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    assert to_time(time) == "2026-02-03T04:05:06Z"
    assert to_microtime(time) == "2026-02-03T04:05:06.000789Z"
    assert to_microtime(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("2026-11-29T01:00:00+14:00", "2026-11-28T11:00:00Z"),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("2016-12-31T23:59:60Z", None),
        ("2026-01-01T00:00:00+99:99", None),
        ("2026-02-30T00:00:00Z", None),
    ],
)
def test_times_are_read_only_if_they_can_be_written(text: str, written: str | None) -> None:
    """What the API server admits as a date-time is more than Python's calendar has."""
    if written is None:
        with pytest.raises(ValidationError):
            ClosedWindow.model_validate({"nextOpenTime": text})
    else:
        assert ClosedWindow.model_validate({"nextOpenTime": text}).to_kubernetes() == {"nextOpenTime": written}


@pytest.mark.parametrize("sample", list(yaml.safe_load_all(SAMPLES.read_text())), ids=lambda s: s["kind"])
def test_what_is_read_is_written_again(sample: dict[str, object]) -> None:
    model = KINDS[str(sample["kind"])]
    written = model.model_validate(sample).to_kubernetes()
    spec, expected = written["spec"], sample["spec"]
    assert contains(spec, expected), spec
    assert model.model_validate({**sample, "spec": {**expected, "fromTheFuture": 1}}).to_kubernetes()["spec"] == spec  # type: ignore[dict-item]


def contains(whole: object, part: object) -> bool:
    """Return whether all of a part is in the whole: defaults may be there, too."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(whole) == len(part) and all(contains(w, p) for w, p in zip(whole, part, strict=True))
    return whole == part


def test_an_empty_status_is_empty() -> None:
    assert ReleaseStatus().to_kubernetes() == {}
