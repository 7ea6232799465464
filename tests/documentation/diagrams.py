"""`python -m tests.documentation.diagrams [--check]` writes the pictures of docs/explanation/architecture.md (`make generate`).

`overview` is drawn here. `modules` is made from the layers that import-linter enforces (pyproject.toml), and `sequence` from a list of steps;
tests/unit/test_architecture.py checks that the functions that it names exist.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.documentation.drawing import Canvas

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "explanation"
SOURCE = "tests/documentation/diagrams.py"
PACKAGE = "ecs_release"
WIDTH = 760.0


def overview() -> str:
    """Draw what runs where, and what goes from one to the other."""
    c = Canvas(WIDTH, 664, "The operator watches the API server, observes ECS, decides, and writes to ECS and to status")
    c.box(36, 14, 320, 44, ("git", "Environments, Projects, ReleaseSets, Releases"))
    c.box(404, 14, 320, 44, ("people", "kubectl, kubectl ecs-release"))
    c.group(12, 88, 736, 362, "")
    c.text(736, 106, "control cluster", "quiet", 12, "end")
    c.box(36, 118, 688, 36, ("API server",))
    c.arrow((196, 58), (196, 118), label="Argo CD, Flux, kubectl apply", at=(204, 80))
    c.arrow((564, 58), (564, 118))
    c.group(24, 190, 688, 248, "", "inner")
    c.text(210, 209, "operator: one replica acts, the others stand by", "quiet", 12)

    c.box(36, 222, 120, 50, ("watch", "kopf"))
    c.box(36, 352, 120, 50, ("observer", "per Environment"))
    c.box(216, 222, 90, 50, ("store", "a few facts"))
    c.box(216, 352, 90, 50, ("queue", "keys"))
    c.box(346, 287, 90, 50, ("gather", "reads"), "strong")
    c.box(474, 287, 90, 50, ("decide", "pure"), "strong")
    c.box(602, 352, 90, 50, ("act", "changes AWS"), "strong")
    c.box(602, 222, 90, 50, ("report", "writes status"), "strong")

    c.arrow((96, 154), (96, 222), label="watch", at=(104, 182))
    c.arrow((156, 238), (216, 238), label="facts", at=(170, 233))
    c.arrow((156, 258), (190, 258), (190, 366), (216, 366), label="keys", at=(163, 275))
    c.arrow((156, 386), (216, 386), label="keys", at=(172, 398))
    c.arrow((306, 247), (326, 247), (326, 304), (346, 304))
    c.arrow((306, 377), (326, 377), (326, 320), (346, 320))
    c.arrow((70, 402), (70, 424), (380, 424), (380, 337), label="what was seen", at=(290, 418))
    c.arrow((436, 312), (474, 312))
    c.arrow((564, 320), (584, 320), (584, 377), (602, 377))
    c.arrow((564, 304), (584, 304), (584, 247), (602, 247))
    c.arrow((647, 352), (647, 272), label="result", at=(653, 316))
    c.arrow((647, 222), (647, 154), label="status, Events", at=(655, 178))

    c.group(12, 480, 668, 132, "")
    c.text(668, 604, "AWS account of an Environment, reached through its role", "quiet", 12, "end")
    c.box(36, 512, 76, 40, ("SQS", "optional"))
    c.box(330, 496, 120, 30, ("ECR",))
    c.box(132, 548, 536, 36, ("ECS services",))
    c.arrow((60, 512), (60, 402), label="events", at=(20, 470))
    c.arrow((144, 402), (144, 548), label="DescribeServices, DescribeTasks", at=(151, 472))
    c.arrow((416, 337), (416, 496), label="DescribeImages", at=(422, 472))
    c.arrow((647, 402), (647, 548), label="UpdateService", at=(640, 472), anchor="end")
    c.arrow((692, 247), (724, 247), (724, 622), label="", at=None)
    c.box(404, 622, 340, 32, ("DynamoDB (ledger), SNS or EventBridge",))
    return c.svg(SOURCE)


@dataclass(frozen=True, slots=True)
class Step:
    """A message from one participant to another, and the function that sends or answers it: `module:name` below ecs_release."""

    sender: str
    receiver: str
    text: str
    function: str


@dataclass(frozen=True, slots=True)
class Section:
    """Steps that belong together."""

    title: str
    steps: tuple[Step, ...]


API, ENGINE, RECONCILER, GATHERER, DECIDE, AWS = "API server", "Engine", "Reconciler", "Gatherer", "decide", "AWS"
PARTICIPANTS = (API, ENGINE, RECONCILER, GATHERER, DECIDE, AWS)
SEQUENCE = (
    Section(
        "A new source arrives",
        (
            Step(API, ENGINE, "a watch event with another spec.source", "handlers.event_handlers:build_registry"),
            Step(ENGINE, ENGINE, "keep a few facts of the Release", "engine.store.store:Store.changed"),
            Step(ENGINE, ENGINE, "put its key into the queue", "engine.runtime.work_queue:WorkQueue.add"),
            Step(ENGINE, RECONCILER, "a worker takes the key", "engine.release.reconciler:Reconciler.reconcile"),
        ),
    ),
    Section(
        "Pass 1 announces: nothing in AWS is changed",
        (
            Step(RECONCILER, GATHERER, "gather what the decision needs", "engine.release.gatherer:Gatherer.gather"),
            Step(GATHERER, AWS, "look the images up in ECR: the pin", "engine.artifacts.source_resolver:Resolver.resolve"),
            Step(GATHERER, AWS, "read service and tasks: a fresh look", "engine.observation.observer:Observer.look"),
            Step(RECONCILER, DECIDE, "apply the rules, the first that matches", "domain.release.decide:decide"),
            Step(DECIDE, DECIDE, "an attempt is due, and may begin", "domain.rules.new_attempt:start"),
            Step(DECIDE, RECONCILER, "attempt with intent RegisterTaskDefinition", "domain.decision.attempts:begin"),
            Step(RECONCILER, API, "write status: pin, attempt, intent", "engine.release.reconciler:Reconciler._report"),
        ),
    ),
    Section(
        "Pass 2 registers the revision",
        (
            Step(RECONCILER, GATHERER, "gather again", "engine.release.gatherer:Gatherer.gather"),
            Step(RECONCILER, DECIDE, "the intent is accepted: act on it", "domain.rules.open_attempt:carry_on"),
            Step(RECONCILER, AWS, "RegisterTaskDefinition", "engine.release.reconciler:Reconciler._act"),
            Step(RECONCILER, DECIDE, "the revision, and intent UpdateService", "domain.release.action_outcomes:registered"),
            Step(RECONCILER, API, "write status: revision, next intent", "engine.release.reconciler:Reconciler._report"),
        ),
    ),
    Section(
        "Pass 3 deploys it",
        (
            Step(RECONCILER, GATHERER, "gather again", "engine.release.gatherer:Gatherer.gather"),
            Step(RECONCILER, DECIDE, "the intent is accepted: act on it", "domain.rules.open_attempt:carry_on"),
            Step(RECONCILER, AWS, "UpdateService", "engine.release.reconciler:Reconciler._act"),
            Step(RECONCILER, DECIDE, "the deployment that is ours from now on", "domain.release.action_outcomes:updated"),
            Step(RECONCILER, API, "write status: deployment", "engine.release.reconciler:Reconciler._report"),
        ),
    ),
    Section(
        "Each later pass judges, until there is a verdict",
        (
            Step(AWS, ENGINE, "the observer reads the service every 5 s", "engine.observation.observer:Observer.run"),
            Step(ENGINE, RECONCILER, "something changed there: another pass", "engine.release.reconciler:Reconciler.reconcile"),
            Step(RECONCILER, GATHERER, "gather, with what explains the rollout", "engine.release.rollout_diagnostics:diagnose"),
            Step(RECONCILER, DECIDE, "judge our deployment by its tasks' digests", "domain.verification.judge:judge"),
            Step(DECIDE, DECIDE, "a verdict ends the attempt", "domain.decision.attempts:end"),
            Step(RECONCILER, API, "write status: outcome, Ready", "engine.release.reconciler:Reconciler._report"),
        ),
    ),
)
_LEFT, _SPACING, _ROW, _HEAD = 42.0, 68.0, 34.0, 34.0


def sequence() -> str:
    """Draw the passes from a new source to a verdict: arrows on the left, what happens and its function on the right."""
    rows = sum(len(s.steps) for s in SEQUENCE)
    height = 52 + rows * _ROW + len(SEQUENCE) * _HEAD + 10
    c = Canvas(WIDTH, height, "From a new source to a verdict: three passes announce, register and deploy, later ones judge")
    place = {name: _LEFT + number * _SPACING for number, name in enumerate(PARTICIPANTS)}
    for name, x in place.items():
        c.text(x, 28, name, "text bold", 11, "middle", room=_SPACING)
        c.line(x, 38, height - 10)
    y, number = 46.0, 0
    for section in SEQUENCE:
        c.rect(12, y, WIDTH - 24, _HEAD - 10, "inner", 4)
        c.text(22, y + 16.5, section.title, "text bold", 12.5)
        y += _HEAD
        for step in section.steps:
            number += 1
            _step(c, place[step.sender], place[step.receiver], y, number, step)
            y += _ROW
    return c.svg(SOURCE)


def _step(c: Canvas, start: float, end: float, y: float, number: int, step: Step) -> None:
    middle = y + 8
    if start == end:
        c.arrow((start, middle - 5), (start + 22, middle - 5), (start + 22, middle + 6), (start, middle + 6))
    else:
        c.arrow((start, middle), (end, middle))
    left = _LEFT + (len(PARTICIPANTS) - 1) * _SPACING + 34
    room = WIDTH - left - 14
    c.text(left - 8, y + 6, str(number), "quiet", 11, "end")
    c.text(left, y + 6, step.text, "text", 12.5, room=room)
    module, _, name = step.function.partition(":")
    where = f"{module.replace('.', '/')}.py {name}"
    # A long name is written a little smaller.
    c.text(left, y + 20, where, "code", 10.5 if len(where) <= 50 else 9.5, room=room)


ABOUT = {
    "cli": "the operator's command, and the kubectl plugin",
    "app": "adapters to ports",
    "config": "settings",
    "metrics": "Prometheus",
    "logs": "structured logs",
    "handlers": "kopf: what is watched, probes",
    "engine": "the control loop; knows ports, never an adapter",
    "aws": "boto3",
    "cluster": "kubernetes",
    "commits": "aiohttp",
    "outbound": "https to other services: connections, allowed addresses",
    "github": "aiohttp",
    "slack": "its Web API",
    "commits_service": "a process with git",
    "board": "a process with pages",
    "pages": "what is shown, and Jinja2",
    "listening": "serves HTTP",
    "shutdown": "the end of a process",
    "domain": "decisions: no I/O, clock, log or randomness",
    "api": "the four kinds and their CRDs; pydantic only",
}
Layers = list[list[str]]


def contracts() -> dict[str, Layers]:
    """Return the layers of each package, topmost first, as import-linter enforces them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: dict[str, Layers] = {}
    for contract in project["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", ()):
            if container in (f"{PACKAGE}.commits_service", f"{PACKAGE}.board", f"{PACKAGE}.pages", f"{PACKAGE}.outbound"):
                # Modules, not folders.
                continue
            found[container] = [
                [name.strip() for name in layer.replace("|", ":").split(":") if not name.strip().startswith("(")]
                for layer in contract["layers"]
            ]
    plugin = ROOT / "operator" / PACKAGE / "cli" / "kubectl"
    found[f"{PACKAGE}.cli"] = _wrapped(sorted(p.parent.name for p in plugin.glob("*/__init__.py")), 6)
    return found


def _wrapped(names: list[str], most: int) -> Layers:
    return [names[i : i + most] for i in range(0, len(names), most)]


def modules() -> str:
    """Draw the packages and their wings, each above what it may import."""
    layers = contracts()
    rows = [(row, [layers.get(f"{PACKAGE}.{name}", []) for name in row]) for row in layers[PACKAGE]]
    heights = [38 + 30 * max(len(wings) for wings in all_wings) for _, all_wings in rows]
    c = Canvas(WIDTH, sum(heights) + 12 * len(rows) + 24, "The packages of the code, each above what it may import")
    y = 12.0
    for (row, all_wings), height in zip(rows, heights, strict=True):
        x = 12.0
        for name, wings, width in zip(row, all_wings, _widths(row, all_wings), strict=True):
            c.rect(x, y, width, height, "group", 7)
            c.text(x + 12, y + 24, name, "text bold", 14)
            c.text(x + 26 + len(name) * 8.2, y + 24, ABOUT[name], "quiet", 12, room=width - 34 - len(name) * 8.2)
            for level, names in enumerate(wings):
                each = (width - 24 - 6 * (len(names) - 1)) / len(names)
                for place, wing in enumerate(names):
                    left, top = x + 12 + place * (each + 6), y + 36 + level * 30
                    c.rect(left, top, each, 24, "box", 4)
                    c.text(left + each / 2, top + 16, wing, "text", 12, "middle", room=each)
            x += width + 12
        y += height + 12
    return c.svg("pyproject.toml")


def _widths(row: list[str], all_wings: list[Layers]) -> list[float]:
    """Give each package of a row what its texts need, and the same share of the rest."""
    room = WIDTH - 24 - 12 * (len(row) - 1)
    needed = [
        max(40 + len(name) * 8.2 + len(ABOUT[name]) * 6.8, *(24 + len(names) * (6 + 6.8 * max(map(len, names))) for names in wings), 0)
        for name, wings in zip(row, all_wings, strict=True)
    ]
    return [its + (room - sum(needed)) / len(row) for its in needed]


PICTURES = {"overview.svg": overview, "sequence.svg": sequence, "modules.svg": modules}


def main(arguments: list[str]) -> int:
    """Write the pictures, or with --check name those that are stale: then the exit code is 1."""
    stale = {FOLDER / name: drawn for name, draw in PICTURES.items() if _read(FOLDER / name) != (drawn := draw())}
    if "--check" in arguments:
        for path in stale:
            print(f"verify: {path.relative_to(ROOT)} is not what its source says: run make generate", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text)
    return 0


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
