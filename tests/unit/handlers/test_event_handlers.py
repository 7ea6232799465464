"""kopf is the watch only: what is registered, and kopf's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kopf
import pytest

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.handlers.event_handlers import build_registry
from ecs_release.handlers.settings import operator_settings


class Sink:
    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        self.told.append(("changed", kind, body["metadata"]["name"]))

    async def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self.told.append(("deleted", kind, namespace, name, uid))


BODY = {"metadata": {"namespace": "shop", "name": "web", "uid": "u1"}}


def handler(sink: Any, kind: str = RELEASE) -> Any:
    return next(h for h in build_registry(sink)._watching.get_all_handlers() if h.id == kind).fn


def test_only_events_are_handled() -> None:
    """Any other handler makes kopf write an annotation or a finalizer to each object."""
    registry = build_registry(Sink())

    assert {h.id for h in registry._watching.get_all_handlers()} == {RELEASE, RELEASE_SET, PROJECT, ENVIRONMENT}
    for others in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert list(others.get_all_handlers()) == []
    assert {(h.selector.group, h.selector.version, h.selector.any_name) for h in registry._watching.get_all_handlers()} == {
        ("ecs-release.dev", "v1alpha1", plural) for plural in ("releases", "releasesets", "projects", "environments")
    }


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"])
async def test_what_is_there_is_told(type_: str | None) -> None:
    sink = Sink()
    await handler(sink)(event={"type": type_, "object": BODY})
    assert sink.told == [("changed", RELEASE, "web")]


async def test_what_is_deleted_is_told() -> None:
    sink = Sink()
    await handler(sink)(event={"type": "DELETED", "object": BODY})
    await handler(sink, ENVIRONMENT)(event={"type": "DELETED", "object": {"metadata": {"name": "prod", "uid": "u2"}}})
    assert sink.told == [("deleted", RELEASE, "shop", "web", "u1"), ("deleted", ENVIRONMENT, "", "prod", "u2")]


async def test_a_sink_that_fails_is_logged_with_the_object(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Sink):
        async def changed(self, kind: str, body: Mapping[str, Any]) -> None:
            raise KeyError("spec")

    await handler(Failing())(event={"type": "ADDED", "object": BODY})

    assert "cannot take in Release shop/web" in caplog.text


def test_settings() -> None:
    settings = operator_settings()

    assert settings.peering.standalone is True
    assert settings.scanning.disabled is True
    assert settings.posting.enabled is False
    assert settings.watching.chunk_size == 250
    assert settings.watching.inactivity_timeout == 70
    assert settings.queueing.idle_timeout == 0.1
    assert settings.queueing.worker_limit is None
    assert settings.networking.connect_timeout == 10
    assert settings.networking.request_timeout == 60
    # kopf's default sends SIGKILL to the process that a watch broke in.
    assert settings.process.ultimate_exiting_timeout is None
    # A copy of each object, for handlers that there are none of, was more than half of what kopf needs for it.
    storage, body, patch = settings.persistence.diffbase_storage, kopf.Body(BODY), kopf.Patch()
    assert (storage.fetch(body=body), storage.build(body=body, extra_fields=["spec"])) == (None, {})
    storage.store(body=body, patch=patch, essence=kopf.BodyEssence())
    assert not patch
    assert settings.persistence.finalizer == "ecs-release.dev/operator"
    assert isinstance(settings.persistence.progress_storage, kopf.AnnotationsProgressStorage)
    assert settings.persistence.progress_storage.prefix == "ecs-release.dev"
