"""`import`: prints a Project, Environments and Releases for a .wellcome_project manifest, or for a live ECS cluster."""

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
from ecs_release.cli.kubectl.importing import documents, weco_manifest, weco_objects
from ecs_release.cli.kubectl.importing.documents import Document
from ecs_release.cli.kubectl.importing.names import object_name, service_name
from ecs_release.cli.kubectl.importing.weco_manifest import Notes
from ecs_release.cli.kubectl.manifests.yaml_text import dump_documents
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound

if TYPE_CHECKING:
    from ecs_release.aws.command_clients import CommandClients
    from ecs_release.cli.kubectl.client.session import Session

_NAMED = 5
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
    parser.add_argument(
        "--environment",
        metavar="NAME",
        help="weco: names of Environments, of {project} {environment} {account} ({project}-{environment}); ecs: the name (the cluster's)",
    )
    parser.add_argument("--service-set", metavar="NAME", help="ecs: name of the service set (all)")
    parser.add_argument(
        "--without", action="append", default=[], metavar="REPOSITORY", help="ecs: leave these repositories' containers alone"
    )
    add_aws(parser)


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print the documents, and notes on stderr. Raises CommandError."""
    notes = Notes()
    found = _weco(session, notes) if arguments.what == "weco" else _ecs(session, notes)
    kept = [d for d in found if not arguments.kind or d["kind"] in arguments.kind]
    for document in kept:
        # A document that the API server would refuse is a defect of ours: fail here, not at `kubectl apply`.
        _MODELS[document["kind"]].model_validate(document)
    environments = [str(d["metadata"]["name"]) for d in kept if d["kind"] == ENVIRONMENT]
    if environments:
        notes.add(_shared_names(environments, arguments.what))
    session.out.write_text(dump_documents(kept))
    for line in notes.lines:
        session.out.note(f"note: {line}")
    return 0


def _shared_names(environments: list[str], what: str) -> str:
    """Return a note that the names of Environments are cluster-wide, and may be in use by another team."""
    listed = ", ".join(environments[:_NAMED]) + (f" and {len(environments) - _NAMED} more" if len(environments) > _NAMED else "")
    example = "'{project}-{environment}-{account}'" if what == "weco" else f"{environments[0]}-ACCOUNT"
    return (
        f"the names of Environments are the whole cluster's ({listed}): see with kubectl get environments that no other team has them, for"
        f" an apply would change what is there; --environment gives other names, such as {example}"
    )


def _weco(session: Session, notes: Notes) -> list[Document]:
    arguments = session.arguments
    if not arguments.name:
        raise CommandError("name the manifest: import weco .wellcome_project")
    try:
        text = sys.stdin.read() if arguments.name == "-" else Path(arguments.name).read_text()
        projects = weco_manifest.read(text, notes)
    except OSError as error:
        raise CommandError(f"{arguments.name}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"{arguments.name}: {error}") from error
    chosen = [p for p in projects if arguments.project in (None, p.id)]
    if not chosen:
        raise NotFound(f"{arguments.name} has no project {arguments.project!r}; it has: {', '.join(p.id for p in projects)}")
    options = _options(arguments)
    names = weco_objects.ImportNames()
    # All projects are converted, so that names do not depend on --project.
    converted = [(p, weco_objects.convert(p, options, notes if p in chosen else Notes(), names)) for p in projects]
    found = [document for project, listed in converted if project in chosen for document in listed]
    known = {(s.id, e.id) for p in chosen for i in p.images for s in i.services for e in p.environments}
    for service, environment in sorted(options.targets.keys() - known):
        notes.add(f"--target {service}@{environment}: there is no such service and environment")
    return sorted(found, key=lambda d: list(_MODELS).index(d["kind"]))


def _options(arguments: argparse.Namespace) -> weco_objects.Options:
    clusters, cluster = _by_environment(arguments.ecs_cluster, "{environment}")
    names, name = _by_environment(arguments.service_name, "{service}")
    if arguments.account_id and not documents.is_account(arguments.account_id):
        raise CommandError(f"{arguments.account_id!r} is no AWS account: expected 12 digits")
    return weco_objects.Options(
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
        environment=arguments.environment or "{project}-{environment}",
    )


def _by_environment(given: list[str], otherwise: str) -> tuple[dict[str, str], str]:
    """Split `ENV=VALUE` from bare values."""
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
    from ecs_release.cli.kubectl.importing import ecs_objects, ecs_reader

    arguments = session.arguments
    # No API server is used here, so that kubectl's --cluster can name the ECS cluster.
    cluster = str(arguments.name or arguments.cluster or "")
    if not documents.is_ecs_name(cluster):
        raise CommandError(f"{cluster!r} is no ECS cluster: name one" if cluster else "name the ECS cluster: import ecs CLUSTER")
    project = object_name(arguments.project or cluster)
    template = arguments.service_name[-1] if arguments.service_name else "{service}"
    if not documents.is_template(template):
        raise CommandError(f"{template!r} is no template of ECS services: it must hold {{service}}, letters, digits, _ and -")
    access = access_of(session, region_of(session))

    async def work(clients: CommandClients) -> list[Document]:
        account = await clients.account(access)
        place = ecs_reader.with_account(access, account)
        options = ecs_objects.Options(
            namespace=arguments.namespace or project,
            project=project,
            service_set=service_name(arguments.service_set or "all"),
            environment=object_name(arguments.environment or cluster),
            cluster=cluster,
            access=place,
            service_name=template,
            without=tuple(arguments.without),
        )
        host, found = ecs_objects.find_importable(await ecs_reader.describe_cluster(clients, place, cluster), options, notes)
        if host is None or not found:
            raise NotFound(f"cluster {cluster} has no service that runs an image of ECR: {'; '.join(notes.lines) or 'it has none'}")
        return ecs_objects.convert(host, found, await ecs_reader.hashes(clients, place, host, found, notes), options, notes)

    return with_aws(session, work)
