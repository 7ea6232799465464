"""What a pass is told of images, and when it looks for itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import LastReady
from ecs_release.domain.artifacts.registry_images import Finding, KeepTag, Presence, RequiredImage
from ecs_release.domain.decision.facts import Facts, Images
from ecs_release.domain.ecs.service import RegistryImage, TaskDefinition
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import ImagesAnswer, ObjectKey
from ecs_release.domain.release.decide import decide
from ecs_release.engine.artifacts.image_requirements import ImageRequirements
from tests.builders.ecs import NEW, NOW, revision
from tests.builders.facts import changed
from tests.builders.scenarios import RUNS, WANTED, attempt_due, keeping
from tests.builders.scenarios import deployed as ready_facts

KEY = ObjectKey("Release", "shop", "web")
GONE, TAGGED = Finding(Presence.GONE), Finding(Presence.TAGGED)


class FakeArtifacts:
    """What is known, and what was told."""

    def __init__(self, known: Finding | None = None, keep_problem: str | None = "") -> None:
        self.known, self.its_problem = known, keep_problem
        self.urgent: list[bool] = []
        self.holds: list[tuple[tuple[KeepTag, ...], bool]] = []
        self.noted: list[RequiredImage] = []
        self.forgotten: list[ObjectKey] = []

    def require(self, key: ObjectKey, artifacts: tuple[RequiredImage, ...], *, urgent: bool) -> dict[RequiredImage, Finding]:
        self.urgent.append(urgent)
        return dict.fromkeys(artifacts, self.known) if self.known else {}

    def keep_problem(self, key: ObjectKey) -> str | None:
        return self.its_problem

    def hold(self, key: ObjectKey, holds: tuple[KeepTag, ...], *, at_once: bool) -> None:
        self.holds.append((holds, at_once))

    def note_found(self, artifacts: Any) -> None:
        self.noted += artifacts

    def forget(self, key: ObjectKey) -> None:
        self.forgotten.append(key)


class OneImageRegistry:
    """It has the image or not, or cannot be asked. `image` may tell what was so a minute ago, `images` may not."""

    def __init__(self, there: bool | Problem = True) -> None:
        self.there = there
        self.asked: list[str] = []

    def registry(self, *_: Any) -> OneImageRegistry:
        return self

    def _answer(self, how: str) -> RegistryImage | None:
        self.asked.append(how)
        if isinstance(self.there, Problem):
            raise self.there
        return RegistryImage(NEW, ("v1",)) if self.there else None

    async def image(self, repository: str, *, digest: str) -> RegistryImage | None:
        return self._answer("image")

    async def images(self, repository: str, digests: Any) -> ImagesAnswer:
        found = self._answer("images")
        return ImagesAnswer({found.digest: found} if found else {})


async def read(given: Facts, artifacts: FakeArtifacts, registry: OneImageRegistry) -> Images:
    content = {"family": "web", "containerDefinitions": [{"name": "app", "image": "x"}]}
    running = given.revisions.running or TaskDefinition(revision(2), "web", 2, "ACTIVE", content)
    needs: Any = ImageRequirements(registry, artifacts)  # type: ignore[arg-type]
    found: Images = await needs.read(changed(given, running=running))
    return found


@pytest.mark.parametrize(
    ("known", "there", "found", "how"),
    [
        (None, True, TAGGED, "image"),
        (TAGGED, True, TAGGED, "image"),
        (Finding(Presence.UNTAGGED), True, Finding(Presence.UNTAGGED), "image"),
        (None, False, GONE, "image"),
        (GONE, True, TAGGED, "images"),
        (GONE, False, GONE, "images"),
        (Finding(Presence.ARCHIVED), False, Finding(Presence.ARCHIVED), "images"),
        (None, Denied("no"), None, "image"),
        (GONE, Retryable("slow"), GONE, "images"),
    ],
)
async def test_an_attempt_that_may_begin_is_looked_up_first(
    known: Finding | None, there: bool | Problem, found: Finding | None, how: str
) -> None:
    artifacts, registry = FakeArtifacts(known), OneImageRegistry(there)
    facts = await read(attempt_due(), artifacts, registry)
    assert (facts.findings.get(WANTED), registry.asked) == (found, [how])
    assert (WANTED in artifacts.noted) is (found is not None and found.presence in (Presence.TAGGED, Presence.UNTAGGED))


async def test_nothing_is_asked_for_while_none_may_begin() -> None:
    for given in (ready_facts(), ready_facts(), changed(attempt_due(), pin=None)):
        registry = OneImageRegistry()
        await read(given, FakeArtifacts(), registry)
        assert registry.asked == []


@pytest.mark.parametrize(("before", "urgent"), [("", False), ("ArtifactGone", True)])
async def test_what_was_found_wrong_is_looked_up_at_once_by_a_new_process(before: str, urgent: bool) -> None:
    artifacts = FakeArtifacts()
    await read(ready_facts(before=before), artifacts, OneImageRegistry())
    assert artifacts.urgent == [urgent]


@pytest.mark.parametrize(
    ("known", "before", "said"), [("", "KeepTagFailed", ""), (None, "KeepTagFailed", "so"), (None, "", ""), ("no", "", "no")]
)
async def test_what_is_not_known_of_a_tag_stays_as_it_was_said(known: str | None, before: str, said: str) -> None:
    given = keeping(ready_facts(before=before))
    assert (await read(given, FakeArtifacts(keep_problem=known), OneImageRegistry())).keep_problem == said
    assert (await read(keeping(given, None), FakeArtifacts(keep_problem=known), OneImageRegistry())).keep_problem == ""


@pytest.mark.parametrize(("ago", "at_once"), [(timedelta(minutes=1), True), (timedelta(hours=2), False)])
async def test_only_what_has_just_become_ready_is_held_at_once(ago: timedelta, at_once: bool) -> None:
    given, artifacts = keeping(ready_facts(seen=RUNS)), FakeArtifacts()
    status = decide(given).status.model_copy(update={"last_ready": LastReady(time=NOW - ago)})
    ImageRequirements(OneImageRegistry(), artifacts).update(given, status)  # type: ignore[arg-type]
    ((holds, told),) = artifacts.holds
    assert [h.tag for h in holds] == ["keep.prod.web"] and told is at_once


async def test_a_release_without_a_target_needs_nothing() -> None:
    artifacts = FakeArtifacts()
    given = changed(ready_facts(), target=None)
    ImageRequirements(OneImageRegistry(), artifacts).update(given, given.status)  # type: ignore[arg-type]
    assert artifacts.forgotten == [KEY]
