"""The tree of `status`: set, waves, Releases, containers, failed tasks. Pure: makes a tree of a snapshot and a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text
from rich.tree import Tree

from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence, PinnedImage, ReleaseStatus, RunningContainer
from ecs_release.api.releaseset_status import SetService
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.status.snapshot import Snapshot
from ecs_release.cli.kubectl.terminal.tables import plain
from ecs_release.domain.decision.attempts import is_open, proofs
from ecs_release.domain.ecs import interventions
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.sets.child_state import wanted_images
from ecs_release.domain.verification.proof import Match
from ecs_release.pages.ages import since
from ecs_release.pages.readiness import PENDING, Verdict, readiness
from ecs_release.pages.tasks import new_tasks, task_counts

STYLES = {"good": "green", "bad": "red", "warn": "yellow", "busy": "cyan", "dim": "dim", "strong": "bold", "": ""}
BAR = 12


def tree(snapshot: Snapshot, now: datetime, *, wide: bool = False) -> Tree:
    """Return the tree of a snapshot. `wide` adds unlisted containers and whole digests."""
    if snapshot.release is not None:
        root = Tree(_release_line(snapshot.body, snapshot.release, snapshot.release.spec.service, now), guide_style="dim")
        _add_release(root, snapshot.body, snapshot.release, wide=wide)
        return root
    release_set = snapshot.release_set
    assert release_set is not None
    root = Tree(_styled(snapshot.body["metadata"]["name"], "strong"), guide_style="dim")
    status = release_set.status
    services = {s.name: s for s in (status.services if status else None) or ()}
    waves = (status.waves if status else None) or ()
    if len(waves) <= 1:
        _add_services(root, snapshot, list(services), services, now, wide=wide)
        return root
    for wave in waves:
        branch = root.add(Text(f"wave {wave.name} ").append(wave.state or "", STYLES["dim"]), guide_style="dim")
        _add_services(branch, snapshot, wave.services or (), services, now, wide=wide)
    left = [name for name in services if all(name not in (wave.services or ()) for wave in waves)]
    _add_services(root, snapshot, left, services, now, wide=wide)
    return root


def _add_services(
    branch: Tree, snapshot: Snapshot, names: Sequence[str], services: dict[str, SetService], now: datetime, *, wide: bool
) -> None:
    for name in names:
        service = services.get(name) or SetService(name=name)
        body = snapshot.children.get(service.release or "")
        if body is None:
            branch.add(_pending_line(service))
            continue
        release = Release.model_validate(body)
        child = branch.add(_release_line(body, release, name, now, service), guide_style="dim")
        _add_release(child, body, release, wide=wide)


def _pending_line(service: SetService) -> Text:
    """Return the line of a service whose Release does not exist yet."""
    line = Text().append(f"{PENDING[0]} {service.name} ", STYLES["dim"]).append(plain(service.hash or ""))
    return line.append(f"  {service.state or 'Pending'}", STYLES["dim"])


def _release_line(body: Object, release: Release, name: str, now: datetime, service: SetService | None = None) -> Text:
    """Return the line of a Release: mark, service, hash, phase and its age, tasks."""
    state, status = readiness(body), release.status or ReleaseStatus()
    mark, style = state.mark
    word = state.phase if state.current else "Pending"
    begun = service is None or service.state != "Pending"
    wanted = (service.hash if service is not None else None) or (status.summary.hash if status.summary else None) or ""
    if service is not None and service.reverting:
        wanted = next((i.release_hash for i in wanted_images(service) if i.release_hash), wanted)
    line = Text()
    if begun:
        line.append(f"{mark} ", STYLES[style]).append(name, STYLES["strong"]).append(f" {plain(wanted)}  ")
        line.append(word, STYLES[style])
    else:
        line.append(f"{PENDING[0]} ", STYLES["dim"]).append(name, STYLES["strong"]).append(f" {plain(wanted)}  ")
        line.append("Pending", STYLES["dim"])
    if state.current and begun:
        line.append(f" {since(state.since, now)}", STYLES["dim"])
    bar = tasks(release)
    return line.append("  ").append_text(bar) if bar else line


def tasks(release: Release) -> Text | None:
    """Return tasks as a bar: full for those that run the wanted digests, half for other running ones, light for missing ones."""
    status = release.status
    if status is None or status.running is None:
        return None
    running, desired = status.running.running_count or 0, status.running.desired_count or 0
    new = new_tasks(status)
    whole = max(running, desired)
    if not whole:
        return Text("0/0 tasks", STYLES["dim"])
    full = round(BAR * min(new, whole) / whole)
    half = round(BAR * running / whole) - full
    bar = Text()
    bar.append("█" * full, STYLES["good"]).append("▒" * max(0, half), STYLES["warn"])
    bar.append("░" * (BAR - len(bar.plain)), STYLES["dim"])
    text = f" {task_counts(status)} tasks"
    pending = status.running.pending_count
    if is_open(status.rollout) or new != running:
        text += f", {new} new"
    return bar.append(text + (f", {pending} pending" if pending else ""))


def _add_release(branch: Tree, body: Object, release: Release, *, wide: bool) -> None:
    """Hang on what a Release holds: its containers, its message, its stage, its failed tasks, its links."""
    status = release.status or ReleaseStatus()
    state = readiness(body)
    pinned = {i.container: i for i in (status.pin.images if status.pin else None) or ()}
    shown = {c.name: c for c in (status.running.containers if status.running else None) or ()}
    for name in [*pinned, *(n for n in shown if wide and n not in pinned)]:
        branch.add(_container_line(name, pinned.get(name), shown.get(name), status, wide=wide))
    if state.phase != "Ready" and state.text:
        branch.add(Text(plain(state.text), STYLES[state.mark[1]]))
    for text in _rollout_lines(status):
        branch.add(text)
    for found in (status.rollout.evidence if status.rollout else None) or ():
        _add_evidence(branch, found)
    links = status.rollout.links if status.rollout else None
    if links is not None and links.events and (is_open(status.rollout) or state.verdict is Verdict.STALLED):
        branch.add(Text("ECS events: ").append(links.events, STYLES["dim"]))


def _container_line(name: str, image: PinnedImage | None, shown: RunningContainer | None, status: ReleaseStatus, *, wide: bool) -> Text:
    """Return the line of a container: the wanted image, and what it runs in how many tasks."""
    line = Text(f"{plain(name)}  ")
    if image is None:
        line.append("left alone", STYLES["dim"])
    else:
        line.append(plain(image.release_hash or image.tag or "")).append(f" {_digest(image.digest, wide=wide)}", STYLES["dim"])
    wanted = proofs(status.pin).get(name) if status.pin else None
    runs = [d for d in (shown.digests if shown else None) or () if d.digest]
    as_wanted = [wanted is not None and wanted.match(d.digest) is Match.YES for d in runs]
    if image is not None and runs and all(as_wanted):
        return line.append("  runs", STYLES["good"])
    for number, one in enumerate(runs):
        style = STYLES["good"] if as_wanted[number] else STYLES["warn" if image is not None else "dim"]
        line.append("  runs " if not number else ", ").append(plain(one.release_hash or short_digest(one.digest or "")), style)
        line.append(f" in {one.tasks}" if one.tasks else "", STYLES["dim"])
    return line if runs else line.append("  nothing seen", STYLES["dim"])


def _digest(digest: str | None, *, wide: bool) -> str:
    return (digest or "") if wide else short_digest(digest or "")


def _rollout_lines(status: ReleaseStatus) -> Iterator[Text]:
    """Yield the progress of the ECS deployment while an attempt is under way."""
    rollout = status.rollout
    if rollout is None or not is_open(rollout):
        return
    stage = Text("stage ").append(rollout.stage or "not begun", STYLES["busy"])
    if rollout.traffic_percent is not None:
        stage.append(f", {rollout.traffic_percent} % of the traffic on the new revision")
    if rollout.deployment_id:
        stage.append(f"  {rollout.deployment_id}", STYLES["dim"])
    yield stage
    for one in rollout.interventions or ():
        yield Text(plain(f"{one.stage or ''}: {interventions.described(one)}".removeprefix(": ")))
    if rollout.awaiting:
        yield Text(f"waits for {plain(rollout.awaiting)}", STYLES["warn"])


def _add_evidence(branch: Tree, found: Evidence) -> None:
    """Add a failed task to the tree."""
    what = Text("failed task ", STYLES["bad"]).append(plain((found.task or "").rpartition("/")[2]), STYLES["strong"])
    if found.container:
        what.append(f", container {plain(found.container)}")
    if found.exit_code is not None:
        what.append(f", exit code {found.exit_code}")
    child = branch.add(what, guide_style="dim")
    if found.reason:
        child.add(Text(plain(found.reason)))
    if found.log_stream:
        child.add(Text("log ").append(plain(f"{found.log_group or ''} {found.log_stream}".strip())))
    if found.link:
        child.add(Text(found.link, STYLES["dim"]))


def _styled(text: str, style: str) -> Text:
    return Text(plain(text), STYLES[style])
