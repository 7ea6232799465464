"""`plan`: what an apply of a file, or an object as it is, would do, and what blocks it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import CLUSTER_SCOPED, ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.artifacts.hash_prefix import namespace_labels
from ecs_release.cli.kubectl.client import flags
from ecs_release.cli.kubectl.client.api_server import Object, is_ours
from ecs_release.cli.kubectl.client.aws_reader import AwsReader
from ecs_release.cli.kubectl.client.object_references import resolve
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.manifests.yaml_text import load_documents
from ecs_release.cli.kubectl.own_clone import commit_ranges
from ecs_release.cli.kubectl.own_clone.commit_ranges import CommitRanges
from ecs_release.cli.kubectl.plan.object_plan import ObjectPlan, plan_release, plan_set
from ecs_release.cli.kubectl.plan.service_plan import ADOPT, BLOCKED, DEPLOY, NOTHING, Image, ServicePlan, Surroundings
from ecs_release.cli.kubectl.terminal.errors import CommandError, Denied
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.model.image_names import short_digest
from ecs_release.pages.matrix import short

_EPILOG = """\
The API server checks the file (a dry run); nothing is changed. What new release hashes and tags mean is looked up in ECR with your own
AWS credentials, or through the Environment's role (--assume-roles); without either it is said that it is not known.

examples:
  kubectl ecs-release plan -f storefront-production.yaml
  kubectl ecs-release plan releaseset/storefront-production
"""
_STYLES = {DEPLOY: "busy", NOTHING: "dim", ADOPT: "good", BLOCKED: "bad"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.epilog = f"{_EPILOG}\n{parser.epilog}"
    parser.add_argument("name", nargs="?", metavar="NAME", help="releaseset/x, release/x, or x, as it stands")
    parser.add_argument("-f", "--filename", metavar="FILE", help="The file that would be applied; - is standard input")
    flags.add_role(parser)
    flags.add_repo(parser)
    flags.add_output(parser, formats=("wide", "json", "yaml"))


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the plan. Raises CommandError if the API server would refuse the file."""
    if bool(arguments.name) == bool(arguments.filename):
        raise CommandError("name a ReleaseSet or Release, or give a file with -f; not both")
    bodies = _documents(session, arguments.filename) if arguments.filename else [resolve(session, arguments.name)]
    wanted = [_checked(session, body) if arguments.filename else (body, body) for body in bodies]
    resolver = AwsReader(session, through_roles=arguments.assume_roles)
    plans = [plan for new, live in wanted if (plan := _plan(session, new, live, wanted, resolver)) is not None]
    if arguments.output in ("json", "yaml"):
        session.out.data([_data(plan) for plan in plans], arguments.output)
        return 0
    ranges = CommitRanges(arguments.repo)
    for number, plan in enumerate(plans):
        if number:
            session.out.write_line()
        _print(session, plan, wide=arguments.output == "wide", no_headers=arguments.no_headers)
        commit_ranges.write(session.out, ranges, commit_ranges.by_pair(_commits(plan)), session.now())
    if not plans:
        session.out.note("No Release and no ReleaseSet: an apply would deploy nothing.")
    return 0


def _documents(session: Session, filename: str) -> list[Object]:
    """Read the file's objects of our kinds, each with its namespace."""
    try:
        text = sys.stdin.read() if filename == "-" else Path(filename).read_text()
        documents = load_documents(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CommandError(f"cannot read {filename}: {error}") from error
    found = []
    for document in _flat(documents):
        if not is_ours(document):
            session.out.note(f"warning: {document.get('kind', 'an object')} is none of ours, and left out")
            continue
        meta = document.get("metadata") or {}
        if not meta.get("name"):
            raise CommandError(f"{filename}: a {document['kind']} without metadata.name")
        place = {} if document["kind"] in CLUSTER_SCOPED else {"namespace": meta.get("namespace") or session.namespace}
        found.append({**document, "metadata": {**meta, **place}})
    return found


def _flat(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if isinstance(document, Mapping):
            yield from _flat(list(document["items"])) if document.get("kind") == "List" else [dict(document)]


def _checked(session: Session, body: Object) -> tuple[Object, Object | None]:
    """Have the API server check an object (dry run). Returns the object as it would be, and as it is.

    The whole spec is put in its place, as `kubectl apply` and Argo CD do with what they have applied before. (A server-side apply by us
    would keep what others own, such as the former source, and then two are set.)
    """
    meta = body["metadata"]
    live = session.api.find(body["kind"], meta["name"], meta.get("namespace", ""))
    if live is None:
        return session.api.create(body, dry_run=True), None
    merged = {key: {**(live["metadata"].get(key) or {}), **(meta.get(key) or {})} for key in ("labels", "annotations")}
    return session.api.replace({**live, "spec": body.get("spec"), "metadata": {**live["metadata"], **merged}}, dry_run=True), live


def _plan(
    session: Session, new: Object, live: Object | None, wanted: list[tuple[Object, Object | None]], resolver: AwsReader
) -> ObjectPlan | None:
    if new["kind"] == RELEASE:
        place = _surroundings(session, new, wanted)
        return plan_release(Release.model_validate(new), Release.model_validate(live) if live else None, place, resolver.image)
    if new["kind"] == RELEASE_SET:
        place = _surroundings(session, new, wanted)
        return plan_set(ReleaseSet.model_validate(new), ReleaseSet.model_validate(live) if live else None, place, resolver.image)
    return None


def _surroundings(session: Session, body: Object, wanted: list[tuple[Object, Object | None]]) -> Surroundings:
    """Read what a plan needs; objects of the same file count as applied."""
    namespace, spec = body["metadata"]["namespace"], body["spec"]
    project, environment = spec["projectRef"]["name"], spec["environmentRef"]["name"]
    given = {(new["kind"], new["metadata"]["name"]): new for new, _ in wanted}
    found = given.get((PROJECT, project)) or session.api.find(PROJECT, project, namespace)
    place = given.get((ENVIRONMENT, environment)) or _readable(session, environment)
    releases = session.api.list(RELEASE, namespace, fields=f"spec.projectRef.name={project}")
    return Surroundings(
        namespace,
        Project.model_validate(found) if found else None,
        Environment.model_validate(place) if place else None,
        {r["metadata"]["name"]: Release.model_validate(r) for r in releases},
        session.now(),
        project,
        environment,
        namespace_labels(session, namespace),
    )


def _readable(session: Session, name: str) -> Object | None:
    try:
        return session.api.find(ENVIRONMENT, name)
    except Denied as refusal:
        session.out.note(f"warning: {refusal}")
        return None


def _print(session: Session, plan: ObjectPlan, *, wide: bool, no_headers: bool) -> None:
    source = f"{short(plan.before)} to {short(plan.after)}" if plan.changed and plan.before else short(plan.after)
    what = "source changes" if plan.changed and plan.before else "new" if plan.changed else "source as it is"
    session.out.write_line(f"{plan.reference}  {what}: {source}")
    for text in plan.blocked_by:
        session.out.write_line(f"  blocked by: {text}")
    waves = len({s.wave for s in plan.services}) > 1
    head = [*(["WAVE"] if waves else []), "SERVICE", "RUNS", "WANTED", "WOULD", "WHY"]
    rows: list[Row] = [
        [*([s.wave] if waves else []), s.service, _images(s, s.before, wide=wide), _images(s, s.after, wide=wide),
         Cell(s.does, _STYLES.get(s.does, "warn")), s.why]
        for s in plan.services
    ]  # fmt: skip
    if rows:
        session.out.rows(head, rows, no_headers=no_headers)


def _commits(plan: ObjectPlan) -> list[tuple[str, str, str]]:
    """List the services that would be deployed, each with the commit that runs and the wanted one; not if its containers differ."""
    found = []
    for service in plan.services:
        pairs = {(service.before[c].hash, image.hash) for c, image in service.after.items() if c in service.before}
        if service.does == DEPLOY and len(pairs) == 1:
            found.append((service.service, *pairs.pop()))
    return found


def _images(service: ServicePlan, images: Mapping[str, Image], *, wide: bool) -> str:
    """Return the images of the released containers as text: one if all have the same."""
    listed = {c: images[c] for c in service.after if c in images} or dict(images)
    texts = [_image(c if len(listed) > 1 else "", i, wide=wide) for c, i in listed.items()]
    return ", ".join(dict.fromkeys(texts)) or "-"


def _image(container: str, image: Image, *, wide: bool) -> str:
    digest = image.digest if wide else short_digest(image.digest)
    text = " ".join(part for part in (short(image.hash), f"({digest})" if digest else "") if part)
    return f"{container} {text}".strip()


def _data(plan: ObjectPlan) -> dict[str, Any]:
    def image(of: Image) -> dict[str, Any]:
        return {"digest": of.digest or None, "hash": of.hash or None}

    services = [
        {"service": s.service, "wave": s.wave or None, "would": s.does, "why": s.why or None,
         "runs": {c: image(i) for c, i in s.before.items()}, "wanted": {c: image(i) for c, i in s.after.items()}}
        for s in plan.services
    ]  # fmt: skip
    said = {k: v for k, v in asdict(plan).items() if k in ("reference", "before", "after", "changed")}
    return {**said, "blockedBy": list(plan.blocked_by), "services": services}
