"""`import`: print a Project, Environments and Releases of what is there already: a .wellcome_project manifest, or a live ECS cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.cli.kubectl.client.aws_flags import access_of, add_aws, region_of, with_aws
from ecs_release.cli.kubectl.importing import documents, weco_objects
from ecs_release.cli.kubectl.importing import weco_manifest as weco
from ecs_release.cli.kubectl.importing.documents import Document
from ecs_release.cli.kubectl.importing.names import Taken, object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes
from ecs_release.cli.kubectl.manifests.yaml_text import dump_documents
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound

if TYPE_CHECKING:
    from ecs_release.aws.command_clients import Workbench
    from ecs_release.cli.kubectl.client.session import Session

_MODELS = {PROJECT: Project, ENVIRONMENT: Environment, RELEASE: Release}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its flags."""
    parser.add_argument("what", choices=("weco", "ecs"), help="weco: a .wellcome_project manifest; ecs: a live ECS cluster")
    parser.add_argument("name", nargs="?", metavar="FILE|CLUSTER", help="The manifest (- is stdin), or the ECS cluster (also: --cluster)")
    parser.add_argument("--project", metavar="NAME", help="weco: only this project; ecs: name of the Project (the cluster's)")
    parser.add_argument("--kind", action="append", choices=tuple(_MODELS), metavar="KIND", help="Print only this kind; may be repeated")
    parser.add_argument("--account-id", metavar="ACCOUNT", help="weco: AWS account where neither role nor account_id tells it")
    parser.add_argument(
        "--ecs-cluster",
        action="append",
        default=[],
        metavar="[ENV=]CLUSTER",
        help="weco: cluster, of {project} {environment} ({environment})",
    )
    parser.add_argument(
        "--service-name", action="append", default=[], metavar="[ENV=]TEMPLATE", help="ECS services, of {service}, and as above ({service})"
    )
    parser.add_argument(
        "--target", action="append", default=[], metavar="SERVICE@ENV=[CLUSTER/]NAME", help="weco: an ECS service that no template names"
    )
    parser.add_argument("--container", default="{image}", metavar="NAME", help="weco: container of a service of one image ({image})")
    parser.add_argument("--environment-tags", action="store_true", help="weco: release by moving env.ENVIRONMENT tags, as weco-deploy does")
    parser.add_argument("--environment", metavar="NAME", help="ecs: name of the Environment (the cluster's)")
    parser.add_argument("--service-set", metavar="NAME", help="ecs: name of the service set (all)")
    parser.add_argument(
        "--without", action="append", default=[], metavar="REPOSITORY", help="ecs: leave these repositories' containers alone"
    )
    add_aws(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the documents, and on stderr what could not be mapped. Raises CommandError."""
    notes = Notes()
    found = _weco(session, notes) if arguments.what == "weco" else _ecs(session, notes)
    kept = [d for d in found if not arguments.kind or d["kind"] in arguments.kind]
    for document in kept:
        # A document that the API server would refuse is a defect of ours, and said here, not at `kubectl apply`.
        _MODELS[document["kind"]].model_validate(document)
    session.out.stdout.write(dump_documents(kept))
    for line in notes.lines:
        session.out.note(f"note: {line}")
    return 0


def _weco(session: Session, notes: Notes) -> list[Document]:
    arguments = session.arguments
    if not arguments.name:
        raise CommandError("name the manifest: import weco .wellcome_project")
    try:
        text = sys.stdin.read() if arguments.name == "-" else Path(arguments.name).read_text()
        projects = weco.read(text, notes)
    except OSError as error:
        raise CommandError(f"{arguments.name}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{arguments.name}: {error}") from error
    chosen = [p for p in projects if arguments.project in (None, p.id)]
    if not chosen:
        raise NotFound(f"{arguments.name} has no project {arguments.project!r}; it has: {', '.join(p.id for p in projects)}")
    wishes = _wishes(arguments)
    taken = Taken()
    found = [document for project in chosen for document in weco_objects.convert(project, wishes, notes, taken)]
    known = {(s.id, e.id) for p in chosen for i in p.images for s in i.services for e in p.environments}
    for service, environment in sorted(wishes.targets.keys() - known):
        notes.add(f"--target {service}@{environment}: there is no such service and environment")
    return sorted(found, key=lambda d: list(_MODELS).index(d["kind"]))


def _wishes(arguments: argparse.Namespace) -> weco_objects.Wishes:
    clusters, cluster = _by_environment(arguments.ecs_cluster, "{environment}")
    names, name = _by_environment(arguments.service_name, "{service}")
    if arguments.account_id and not documents.is_account(arguments.account_id):
        raise CommandError(f"{arguments.account_id!r} is no AWS account: expected 12 digits")
    return weco_objects.Wishes(
        namespace=arguments.namespace or "",
        account_id=arguments.account_id or "",
        region=arguments.region or "",
        cluster=cluster,
        clusters=clusters,
        service_name=name,
        service_names=names,
        targets=dict(_target(text) for text in arguments.target),
        container=arguments.container,
        environment_tags=arguments.environment_tags,
    )


def _by_environment(given: list[str], otherwise: str) -> tuple[dict[str, str], str]:
    """Take `ENV=VALUE` and bare values apart."""
    named: dict[str, str] = {}
    for text in given:
        environment, equals, value = text.partition("=")
        if equals:
            named[environment] = value
        else:
            otherwise = text
    return named, otherwise


def _target(text: str) -> tuple[tuple[str, str], tuple[str, str]]:
    key, equals, value = text.partition("=")
    service, at, environment = key.rpartition("@")
    cluster, _, name = value.rpartition("/")
    if not (equals and at and service and environment and name):
        raise CommandError(f"--target {text!r}: expected SERVICE@ENVIRONMENT=[CLUSTER/]NAME")
    return (service, environment), (cluster, name)


def _ecs(session: Session, notes: Notes) -> list[Document]:
    from ecs_release.cli.kubectl.importing import ecs_objects as ecs
    from ecs_release.cli.kubectl.importing import ecs_reader as looking

    arguments = session.arguments
    # No API server is asked here, so that kubectl's own --cluster has nothing else to mean.
    cluster = str(arguments.name or arguments.cluster or "")
    if not documents.is_ecs_name(cluster):
        raise CommandError(f"{cluster!r} is no ECS cluster: name one" if cluster else "name the ECS cluster: import ecs CLUSTER")
    project = object_name(arguments.project or cluster)
    template = arguments.service_name[-1] if arguments.service_name else "{service}"
    if not documents.is_template(template):
        raise CommandError(f"{template!r} is no template of ECS services: it must hold {{service}}, letters, digits, _ and -")
    access = access_of(session, region_of(session))

    async def work(bench: Workbench) -> list[Document]:
        account = await bench.account(access)
        place = looking.at(access, account)
        wishes = ecs.Wishes(
            namespace=arguments.namespace or project,
            project=project,
            service_set=service_name(arguments.service_set or "all"),
            environment=object_name(arguments.environment or cluster),
            cluster=cluster,
            access=place,
            service_name=template,
            without=tuple(arguments.without),
        )
        host, found = ecs.find(await looking.look(bench, place, cluster), wishes, notes)
        if host is None or not found:
            raise NotFound(f"cluster {cluster} has no service that runs an image of ECR: {'; '.join(notes.lines) or 'it has none'}")
        return ecs.convert(host, found, await looking.hashes(bench, place, host, found, notes), wishes, notes)

    return with_aws(session, work)
