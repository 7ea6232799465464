"""Checks before a change: access, other owners of the object, and confirmation by the user."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import GROUP, PLURALS
from ecs_release.cli.kubectl.changes.field_owners import git_owner, release_set_of
from ecs_release.cli.kubectl.terminal.errors import CommandError, Conflict, Denied
from ecs_release.domain.model.api_paths import group_path

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_REVIEW = group_path("authorization.k8s.io", "selfsubjectaccessreviews")
_WHO = group_path("authentication.k8s.io", "selfsubjectreviews")


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add --force."""
    parser.add_argument("--force", action="store_true", help="Change it though Argo CD, Flux, Helm or a ReleaseSet writes it, too")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("-y", "--yes", action="store_true", help="Do not ask, as in CI")


def reference_of(body: Mapping[str, Any]) -> str:
    """Return kind and name of an object as kubectl writes them."""
    return f"{str(body['kind']).lower()}/{body['metadata']['name']}"


def check_not_a_child(body: Mapping[str, Any], verb: str, *, force: bool) -> None:
    """Refuse a child of a ReleaseSet, whose spec the set writes. Raises Conflict."""
    name = release_set_of(body)
    if name and not force:
        raise Conflict(
            f"{reference_of(body)} belongs to ReleaseSet {name}: {verb} releaseset/{name} instead, or use --force for this service alone"
        )


def check_spec_owner(session: Session, body: Mapping[str, Any], verb: str, *, force: bool) -> None:
    """Refuse to change a spec that a GitOps tool would revert; with `force`, warn. Raises Conflict."""
    owner = git_owner(body)
    if owner is None:
        return
    said = f"{reference_of(body)} is written by {owner.what}"
    if not force:
        raise Conflict(f"{said}: {owner.advice} to {verb} it, or use --force (it may be put back at the next sync)")
    session.out.note(f"warning: {said}, which may put it back at the next sync")


def check_access(session: Session, kind: str, name: str, namespace: str, verb: str = "patch") -> None:
    """Ask the API server whether this user may do something (SelfSubjectAccessReview). Raises Denied."""
    plural = PLURALS[kind]
    wanted = {"group": GROUP, "resource": plural, "name": name, "namespace": namespace, "verb": verb}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wanted}}
    answer = session.api.request("POST", _REVIEW, body=body)
    if (answer.get("status") or {}).get("allowed"):
        return
    user = user_name(session) or "you"
    raise Denied(f"{user} may not {verb} {plural}.{GROUP} {name!r} in namespace {namespace!r}: ask whoever gives rights in that namespace")


def user_name(session: Session) -> str:
    """Return the user that the API server has authenticated; empty if it cannot be asked (SelfSubjectReview)."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = session.api.request("POST", _WHO, body=body)
    except CommandError:
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")


def confirm(session: Session, question: str, *, yes: bool) -> None:
    """Ask for confirmation on the terminal. Raises CommandError if the answer is no, or if there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody is there to ask: give --yes")
    session.out.ask(f"{question} [y/N]")
    try:
        answer = sys.stdin.readline()
    except (OSError, ValueError):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed")
