"""Specs and annotations: whatever a person writes, the engine goes on, statuses stay within the CRD, and a neighbour is served."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ecs_release.api.crd import KINDS
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.schema import structural_schema
from tests.builders.hostile_objects import with_value
from tests.builders.simulated_time import SimulatedTimeLoop
from tests.fuzz.schema_values import Path, Schema, nodes, values
from tests.model import scene
from tests.model.driver import Process
from tests.model.faults import Faults
from tests.model.objects import Key
from tests.model.registry import hash_of
from tests.model.scene import Scene
from tests.model.world import Switches

NAMES = (
    scene.ENVIRONMENT, scene.PROJECT, "web", "api", "all", "app", "proxy", "shop/app", hash_of("a"), hash_of("b"), "prod-web", scene.HOST,
)  # fmt: skip
"""What there is, so that references are right now and then."""
ANNOTATIONS = tuple(f"ecs-release.dev/{verb}" for verb in ("retry", "refresh", "abort", "override-window", "override-commits", "continue"))
SITUATIONS = {
    "a Release": Switches(),
    "a set": Switches(has_set=True),
    "a tag that moves": Switches(uses_tag=True),
    "stages and platforms": Switches(strategy="BLUE_GREEN", platforms=True),
    "a set whose drift is corrected": Switches(base_latest=True, corrects=True, has_set=True),
    "the commit graph": Switches(asks_graph=True),
}
NEIGHBOUR, QUIET = "neighbour", "quiet"
_NEIGHBOUR_S = 300.0


@dataclass(frozen=True)
class Edit:
    """Somebody writes a value to a path below an object, and some seconds pass."""

    kind: str
    path: Path
    value: Any
    seconds: float


@cache
def _schema(kind: str, part: str) -> Schema:
    return structural_schema(getattr(next(k for k in KINDS if k.name == kind), part))


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(_schema(kind, "status"))


def _edits_of(kind: str) -> st.SearchStrategy[Edit]:
    def below(node: tuple[Path, Schema]) -> st.SearchStrategy[Edit]:
        path, schema = node
        return st.builds(Edit, st.just(kind), st.just(("spec", *path)), values(schema, NAMES), SECONDS)

    return st.sampled_from(list(nodes(_schema(kind, "spec")))).flatmap(below)


SECONDS = st.sampled_from((0.0, 1.0, 20.0, 130.0))
_REQUESTS = st.builds(
    Edit,
    st.sampled_from((RELEASE, RELEASE_SET)),
    st.sampled_from(ANNOTATIONS).map(lambda name: ("metadata", "annotations", name)),
    st.one_of(st.text(max_size=40), st.sampled_from(("1", "1/why", "1/" * 300, "/", "\0"))),
    SECONDS,
)
INPUTS = st.tuples(
    st.sampled_from(list(SITUATIONS)),
    st.lists(st.one_of(_REQUESTS, *(_edits_of(kind) for kind in (RELEASE, RELEASE_SET, PROJECT, ENVIRONMENT))), min_size=1, max_size=5),
    st.booleans(),
)


class _Errors(logging.Handler):
    """Notes errors that are logged, with where they were raised."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        self._failures.append(logging.Formatter("%(message)s").format(record))


@dataclass(eq=False)
class Bed:
    """A process of the engine in the model's world, and a neighbour with an Environment, a Project and a Release of its own."""

    switches: Switches
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scene = Scene(self.switches)
        self.loop = SimulatedTimeLoop()
        self.loop._selector_.now = self.scene.timeline.now
        self._add_neighbour()
        self.errors = _Errors(self.failures)
        logging.getLogger("ecs_release").addHandler(self.errors)
        self.process = self._start()

    def _add_neighbour(self) -> None:
        environment = copy.deepcopy(self.scene.objects.bodies[self.scene.environment]["spec"])
        plain = {name: environment[name] for name in ("aws", "target", "observation", "mode")}
        plain |= {"rollout": {"progressDeadlineSeconds": 600}, "allowedNamespaces": {"names": [NEIGHBOUR]}}
        web = {"name": "web", "containers": [{"name": "app", "repository": "shop/app"}]}
        self.scene.objects.create((ENVIRONMENT, "", QUIET), plain)
        self.scene.objects.create((PROJECT, NEIGHBOUR, scene.PROJECT), {"serviceSets": [{"name": "all", "services": [web]}]})
        revision = self.scene.ecs.register(f"{QUIET}-web", {"app": self.scene.images_of("a")["app"]}, {}, "terraform")
        self.scene.ecs.create_service(f"{QUIET}-web", revision.arn, 2)
        self.scene.objects.create(
            (RELEASE, NEIGHBOUR, "web"),
            {
                "projectRef": {"name": scene.PROJECT}, "service": "web", "environmentRef": {"name": QUIET},
                "source": {"releaseHash": hash_of("a")},
            },
        )  # fmt: skip

    def _start(self) -> Process:
        process = Process(self.scene, Faults(0), 0.0, None, self._wrote, lambda _: None, self._passed)
        self._in_loop(process.start)
        return process

    def _in_loop(self, work: Callable[[], object]) -> None:
        async def call() -> None:
            work()

        self.loop.run_until_complete(call())

    def _change(self, key: Key, change: Callable[[dict[str, Any]], None]) -> None:
        self._in_loop(lambda: self.scene.objects.edit(key, change))

    def restart(self) -> None:
        """Have another process read what the first one has written."""
        self.process.kill()
        self.process = self._start()

    def run(self, seconds: float) -> None:
        """Let time pass. Raises what has ended the engine."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        self.scene.timeline.advance(self.loop.time())
        self.process.raise_error()

    def edit(self, edit: Edit) -> None:
        """Write a value where an object of its kind is."""
        key = self._key(edit.kind)
        if key in self.scene.objects.bodies:
            self._change(key, lambda body: _set(body, edit))
        self.run(edit.seconds)

    def _key(self, kind: str) -> Key:
        return {ENVIRONMENT: self.scene.environment, PROJECT: self.scene.project, RELEASE: self.scene.key()}.get(
            kind, (RELEASE_SET, scene.NAMESPACE, "all")
        )

    def serve_neighbour(self) -> None:
        """Have the neighbour release something else, and see to it that it gets there."""
        key = (RELEASE, NEIGHBOUR, "web")
        self._change(key, lambda body: body["spec"].update(source={"releaseHash": hash_of("b")}))
        self.run(_NEIGHBOUR_S)
        status = self.scene.objects.bodies[key].get("status") or {}
        ready = next((c for c in status.get("conditions", ()) if c["type"] == "Ready"), {})
        pinned = [image["digest"] for image in status.get("pin", {}).get("images", ())]
        if ready.get("reason") != "Succeeded" or pinned != [self.scene.registry.tags["shop/app", hash_of("b")]]:
            self.failures.append(f"the neighbour is not served: {ready} {pinned}")

    def close(self) -> None:
        """End the engine."""
        logging.getLogger("ecs_release").removeHandler(self.errors)
        self.process.kill()
        self.loop.run_until_complete(asyncio.sleep(15))
        self.loop.close()

    def _wrote(self, key: str, body: Mapping[str, Any]) -> None:
        for error in _validator(body["kind"]).iter_errors(body["status"]):
            self.failures.append(f"status of {key}: {'.'.join(map(str, error.absolute_path))}: {error.message[:300]}")

    def _passed(self, kind: str, result: str) -> None:
        if result == "error":
            self.failures.append(f"a pass over a {kind} has raised an error")


def _set(body: dict[str, Any], edit: Edit) -> None:
    part, *path = edit.path
    if part == "metadata":
        body["metadata"].setdefault("annotations", {})[path[-1]] = edit.value
        return
    # What an earlier edit has made another type of has no such field any more.
    with suppress(TypeError, ValueError, KeyError, IndexError, AttributeError):
        body["spec"] = with_value(body["spec"], _schema(edit.kind, "spec"), tuple(path), edit.value)


def check(example: tuple[str, list[Edit], bool]) -> None:
    """Play edits. Raises AssertionError for what must not come of them."""
    situation, edits, restarts = example
    with closing(Bed(SITUATIONS[situation])) as bed:
        for edit in edits:
            bed.edit(edit)
        if restarts:
            bed.restart()
        bed.serve_neighbour()
        assert not bed.failures, "\n".join(bed.failures[:5])
