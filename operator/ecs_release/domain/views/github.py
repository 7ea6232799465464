"""A deployment set as GitHub shows it: a Deployment of the Project's repository, and its status.

GitHub's REST API, "Deployments" and "Deployment statuses" (2022-11-28): a description of a status has at most 140 characters.
"""

from __future__ import annotations

from ecs_release.api.environment import Environment
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.ports.views import Part
from ecs_release.domain.views.documents import part_key
from ecs_release.domain.views.shown import Shown

SINK, DEPLOYMENT = "github", "deployment"
_LONGEST = 140
_SUPERSEDED = "Superseded"


def document(one: Shown, environment: Environment) -> tuple[Part, ...]:
    """Return the Deployment of a deployment set; nothing if it does not bring one commit."""
    if not one.commit:
        return ()
    content = {
        "ref": one.commit,
        "environment": environment_name(one, environment),
        "description": _short(f"{one.kind} {one.namespace}/{one.name}"),
        "state": state_of(one),
        "status": _short(_said(one)),
        "logURL": _link(one),
    }
    return (Part(DEPLOYMENT, part_key(SINK, one, DEPLOYMENT), content),)


def environment_name(one: Shown, environment: Environment) -> str:
    """Return the environment's name on GitHub."""
    notify = environment.spec.notify
    assert notify is not None and notify.github is not None, "only Environments that are shown on GitHub"
    return notify.github.environment_name.format(
        environment=one.environment, namespace=one.namespace, project=one.project, serviceSet=one.service_set
    )[:255]


def state_of(one: Shown) -> str:
    """Return the state of the Deployment.

    What ran before is inactive only once a later one runs: while that is under way, or after it has failed, the earlier one is what runs.
    """
    if not one.is_over:
        if not one.is_latest:
            return "inactive"
        return "queued" if one.waiting_for else "in_progress"
    if one.outcome == _SUPERSEDED:
        return "inactive"
    if one.is_good:
        return "inactive" if one.is_replaced else "success"
    return "failure"


def _said(one: Shown) -> str:
    if one.is_over:
        return join_clauses(one.outcome, one.message)
    return one.waiting_for


def _link(one: Shown) -> str:
    """Return a page of AWS's console: of the first failure, else of the only service; empty if there is none."""
    evidence = (e.link for s in one.services for e in s.evidence if e.link)
    pages = [s.links["service"] for s in one.services if s.links and "service" in s.links]
    return next(evidence, "") or (pages[0] if len(one.services) == 1 and pages else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
