"""A deployment set as GitHub shows it: a Deployment of the Project's repository, and comments on the pull requests that it brings.

GitHub's REST API, "Deployments" and "Deployment statuses" (2022-11-28): a description of a status has at most 140 characters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from urllib.parse import urlsplit

from ecs_release.api.commits import ProjectGit
from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.ports.views import Part
from ecs_release.domain.views.documents import key_of, part_key, part_of, view_id
from ecs_release.domain.views.plain_text import code, link
from ecs_release.domain.views.shown import Shown
from ecs_release.domain.views.verdicts import Verdict

SINK, DEPLOYMENT, PULL = "github", "deployment", "pull/"
_TASKS, _MOST_SERVICES = 2, 10
_STATES = {
    "queued": "**Waits** for",
    "in_progress": "**On its way** to",
    "success": "**Live** in",
    "failure": "**Failed** in",
    "superseded": "**Overtaken** on its way to",
    "idle": "**Set, but not live** in",
    "unseen": "**Nobody saw how it ended** in",
}
_LONGEST = 140


def document(
    one: Shown, environment: Environment, repository: str, numbers: Collection[int], former: Collection[int] = (), view: View | None = None
) -> tuple[Part, ...]:
    """Return the Deployment of a deployment set, and a comment for each pull request that it brings, by their numbers.

    `view` is what status says of it: what was created is changed to the end, also if its commit is not known any more. Of what the history
    has forgotten the Deployment ends, and comments stay as they are.
    Of what is overdue there are only comments: to those that wait, and those that have been told so and wait no more (`former`).
    """
    if one.told is not None:
        return tuple(_overdue(one, repository, number, waits=number in numbers) for number in sorted({*numbers, *former}))
    comments = () if one.is_forgotten else (_comment(one, environment, repository, number) for number in sorted(numbers))
    return (*_deployment(one, environment, part_of(view, DEPLOYMENT)), *comments)


def numbers_of(view: View | None) -> frozenset[int]:
    """Return the numbers of the pull requests that a view has comments for."""
    return frozenset(int(p.name.removeprefix(PULL)) for p in (view.parts if view else None) or () if p.name.startswith(PULL))


def comments_wanted(environment: Environment) -> bool:
    """Return whether an Environment wants comments on pull requests."""
    notify = environment.spec.notify
    return notify is not None and notify.github is not None and notify.github.pull_requests is not None


def pull_requests(one: Shown, views: Sequence[View], git: ProjectGit | None) -> tuple[str, ...]:
    """Return the addresses of the pull requests that a document's comments on GitHub are on, as far as status says."""
    view = next((v for v in views if v.id == view_id(SINK, one)), None)
    if view is None or git is None or not view.place:
        return ()
    return tuple(f"https://{urlsplit(git.url).netloc}/{view.place}/pull/{number}" for number in sorted(numbers_of(view)))


def _deployment(one: Shown, environment: Environment, known: ViewPart | None) -> tuple[Part, ...]:
    """Return the Deployment: one that was created, or is to be. Of what is not the latest none begins; to change one takes no commit."""
    is_created = known is not None and known.receipt is not None
    may_begin = bool(one.commit) and (one.is_latest or known is not None)
    if not is_created and not may_begin:
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


def _comment(one: Shown, environment: Environment, repository: str, number: int) -> Part:
    """Return a comment's section: other objects have sections, too."""
    state = _STATES[comment_state(one)]
    lines = [f"{state} {code(one.environment)}: {one.kind} {code(f'{one.namespace}/{one.name}')}", *_details(one)]
    notify = environment.spec.notify
    assert notify is not None and notify.github is not None
    pulls = notify.github.pull_requests
    wanted = pulls is not None and pulls.label is not None and comment_state(one) == "success"
    label = _filled(pulls.label, one)[:50] if wanted and pulls is not None and pulls.label is not None else ""
    return _section(one, repository, number, key_of(one.uid), lines, label)


def _overdue(one: Shown, repository: str, number: int, *, waits: bool) -> Part:
    """Return a section of its own: it is beside what a deployment set that has failed says."""
    state = "**Overdue** in" if waits else "**No longer overdue** in"
    lines = [f"{state} {code(one.environment)}: {one.kind} {code(f'{one.namespace}/{one.name}')}"]
    if waits:
        lines += [f"- {code(s.name)}: {code(s.message)}" for s in one.services[:_MOST_SERVICES]]
        lines += [f"- and {len(one.services) - _MOST_SERVICES} services more"] if len(one.services) > _MOST_SERVICES else []
        lines += [f"- said {code(str(one.told))} times, once a day" if (one.told or 0) > 1 else "- said for the first time"]
    return _section(one, repository, number, key_of(one.uid, one.id), lines, is_last=not waits)


def _section(one: Shown, repository: str, number: int, owner: str, lines: Sequence[str], label: str = "", *, is_last: bool = False) -> Part:
    """Return a section of the comment that there is for each installation, Environment and pull request."""
    key = key_of(SINK, one.installation, one.environment, repository, "pull", str(number))
    content = {"number": number, "owner": owner[:16], "text": "\n".join(lines), "label": label}
    return Part(f"{PULL}{number}", key, content, is_shared=True, is_last=is_last)


def comment_state(one: Shown) -> str:
    """Return what a comment says: whether the pull request has arrived. That something later runs takes nothing back."""
    if not one.is_over:
        return "queued" if one.waiting_for else "in_progress"
    if one.is_good:
        return "success"
    neither = {Verdict.NOTHING_RUNS: "idle", Verdict.OVERTAKEN: "superseded", Verdict.UNSEEN: "unseen"}
    return neither.get(one.verdict or Verdict.FAILED, "failure")


def _details(one: Shown) -> Iterator[str]:
    facts = [
        ("commit", code(one.commit[:12] or one.hash)), ("requested by", code(one.requested_by)), ("applied by", code(one.applied_by)),
        ("why", code(one.description)), ("reason", code(one.reason)), ("waits", code(one.waiting_for)),
        ("since", code(to_time(one.completion_time)) if one.completion_time is not None else ""),
    ]  # fmt: skip
    yield from (f"- {name}: {value}" for name, value in facts if value)
    if one.is_over and not one.is_good:
        yield f"- {code(one.outcome)} {code(one.message)}".rstrip()
    if one.idle:
        yield f"- nothing runs of {code(', '.join(one.idle))}"
    if one.is_over and not one.is_good:
        failed = [service for service in one.services if service.evidence]
        for service in failed[:_MOST_SERVICES]:
            for evidence in service.evidence[:_TASKS]:
                exit_code = f", exit code {evidence.exit_code}" if evidence.exit_code is not None else ""
                where = f" ({link('log or task in AWS', evidence.link)})" if evidence.link else ""
                yield f"- {code(service.name)}, container {code(evidence.container or '')}{exit_code}: {code(evidence.reason or '')}{where}"
        if len(failed) > _MOST_SERVICES:
            yield f"- and {len(failed) - _MOST_SERVICES} services more"


def _filled(template: str, one: Shown) -> str:
    return template.format(environment=one.environment, namespace=one.namespace, project=one.project, serviceSet=one.service_set)


def environment_name(one: Shown, environment: Environment) -> str:
    """Return the environment's name on GitHub."""
    notify = environment.spec.notify
    assert notify is not None and notify.github is not None, "only Environments that are shown on GitHub"
    return _filled(notify.github.environment_name, one)[:255]


def state_of(one: Shown) -> str:
    """Return the state of the Deployment.

    What ran before is inactive only once a later one runs: while that is under way, or after it has failed, the earlier one is what runs.
    """
    if not one.is_over:
        if not one.is_latest:
            return "inactive"
        return "queued" if one.waiting_for else "in_progress"
    if one.is_good:
        return "inactive" if one.is_replaced else "success"
    return "failure" if one.verdict in (Verdict.FAILED, Verdict.ABORTED) else "inactive"


def _said(one: Shown) -> str:
    if one.is_over:
        return join_clauses(one.outcome, f"nothing runs of {', '.join(one.idle)}" if one.idle else "", one.message)
    return one.waiting_for


def _link(one: Shown) -> str:
    """Return a page of AWS's console: of the first failure, else of the only service; empty if there is none."""
    evidence = (e.link for s in one.services for e in s.evidence if e.link)
    pages = [s.links["service"] for s in one.services if s.links and "service" in s.links]
    return next(evidence, "") or (pages[0] if len(one.services) == 1 and pages else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
