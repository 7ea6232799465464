"""A service of the simulator in virtual time, with images that are just names: `crash:1` crashes, and so on."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.behaviour import KINDS, Behaviour, made_up_digest
from tests.aws_simulator.ecs import lifecycle
from tests.aws_simulator.ecs.service import Service, Surroundings

START = 1_700_000_000.0


class Images:
    """Images by name: the part before the colon is their behaviour; `gone` holds digests that can no longer be pulled."""

    def __init__(self) -> None:
        self.content: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.gone: set[str] = set()

    def digest_of(self, name: str) -> str:
        kind = name.partition(":")[0]
        digest = self.content.get(name, made_up_digest(name))
        if kind in KINDS:
            self.kinds.setdefault(digest, kind)
        return "" if kind == "missing" else digest

    def pulled(self, name: str, digest: str) -> Behaviour:
        return KINDS["pullfail"] if not digest or digest in self.gone else KINDS[self.kinds.get(digest, "healthy")]

    def platforms_of(self, name: str, digest: str) -> tuple[str, ...]:
        return ()


class Bench:
    """One service, its clock and what it sends."""

    def __init__(self, *, desired: int = 2, image: str = "healthy:1", breaker: dict[str, Any] | None = None, **configuration: Any) -> None:
        self.now = START
        self.images = Images()
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.lingers = 0.0
        world = Surroundings(
            images=self.images,
            containers_of=lambda image: [{"name": "app", "image": image}] if isinstance(image, str) else [],
            emit=lambda kind, resource, detail, at: self.sent.append((kind, detail)),
            task_view=lambda service, task: {"taskArn": task.arn, "lastStatus": task.status, "version": task.version},
            scaled=lambda duration: duration,
            inactive_lingers_s=lambda: self.lingers,
        )
        configured = {"deploymentCircuitBreaker": breaker or {}, **configuration}
        arn = "arn:aws:ecs:eu-west-1:111122223333:service/main/web"
        self.service = Service(
            arn, "web", "arn:aws:ecs:eu-west-1:111122223333:cluster/main", START, {"deploymentConfiguration": configured}, desired, world
        )
        self.deploy(image)

    def deploy(self, image: str) -> Any:
        """Deploy; the image's name stands for the task definition, too."""
        deployment = self.service.deploy(image, self.now)
        self.service.catch_up(self.now)
        return deployment

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.service.catch_up(self.now)

    def settle(self, seconds: float = 600) -> Any:
        """Let ten minutes pass; returns the PRIMARY deployment."""
        self.advance(seconds)
        return self.service.primary

    def until(self, there: Any, seconds: float = 3600) -> None:
        """Go from happening to happening until something is there."""
        end = self.now + seconds
        while not there():
            at = self.service.next_at()
            assert at is not None and at <= end, "it never happens"
            self.now = max(self.now, at)
            self.service.catch_up(self.now)

    @property
    def running(self) -> list[Any]:
        """The tasks that run."""
        return [t for t in self.service.tasks if t.status == "RUNNING"]

    def digests(self) -> set[str]:
        """What runs."""
        return {c.digest for t in self.running for c in t.containers}

    def names(self, kind: str) -> list[str]:
        """The eventNames sent, of a kind."""
        return [d["eventName"] for k, d in self.sent if k == kind]

    def messages(self) -> str:
        """All service events."""
        return "\n".join(e["message"] for e in self.service.voice.events)


HEALTHY_S = lifecycle.HEALTHY_S
