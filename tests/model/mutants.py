"""Mistakes that were mended, each made again in a copy of the operator: the walk has to find it, or its eye for that kind is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path("ecs_release")


@dataclass(frozen=True)
class Edit:
    """A piece of a module, and what it was, or might have been, before it was mended."""

    module: str
    text: str
    mutated: str


@dataclass(frozen=True)
class Mutant:
    """A mistake: what it is, and how it is made."""

    what: str
    rules: tuple[str, ...]
    """Rules of the oracle, or patterns of them, that it breaks."""
    edits: tuple[Edit, ...]


MUTANTS: dict[str, Mutant] = {
    "digests tell whether ECS went back": Mutant(
        "a retry of one platform's image that ECS rolls back is a success",
        ("history/*-called-Overtaken*", "history/*-called-Succeeded*", "calls/without-end"),
        (
            Edit(
                "domain/verification/replaced_deployment.py",
                "    if _rolled_back(ours, deployment, primary, service, service_deployment):\n",
                "    same = match_deployment(service, primary, accepted, primary_pins) is Match.YES\n"
                "    if not same and _rolled_back(ours, deployment, primary, service, service_deployment):\n",
            ),
            Edit(
                "domain/verification/replaced_deployment.py",
                "    if _has_failed(ours, deployment, service):\n",
                "    if not same and _has_failed(ours, deployment, service):\n",
            ),
        ),
    ),
    "what ECS has given up counts": Mutant(
        "tasks of a FAILED deployment prove it",
        ("*/failed-primary/*", "history/failed-called-*"),
        (
            Edit(
                "domain/rules/at_rest.py",
                "    return service.primary is not None and service.primary.rollout_state == FAILED\n",
                "    return False\n",
            ),
        ),
    ),
    "a proof by some tasks": Mutant(
        "tasks that are not listed, and a deployment that has none yet, count as proven",
        ("*/other-revision/*", "*/no-task/*", "*/mixed-tasks/*", "*/other-digests/*"),
        (
            Edit("domain/verification/proof.py", "Match.UNKNOWN in found or len(tasks) < service.running", "Match.UNKNOWN in found"),
            Edit(
                "domain/rules/at_rest.py",
                "    if found is Match.NO:\n        return found\n",
                "    if service.desired:\n        return found\n",
            ),
        ),
    ),
    "health forgotten at a restart": Mutant(
        "a service that has too few tasks is healthy for five minutes in each new process",
        ("*/too-few-tasks/*",),
        (Edit("domain/verification/health.py", "    if health.enough and not health.unhealthy:\n", "    if True:\n"),),
    ),
    "a pin named by its time": Mutant(
        "an attempt is of a pin that was resolved before it began, by whichever clock",
        ("engine/spins", "history/*", "calls/*"),
        (Edit("domain/decision/attempts.py", "    if named is not None:\n        return named == pin_id(pin)\n", ""),),
    ),
    "nothing was deployed where the target changed": Mutant(
        "an attempt whose target becomes another one is Abandoned, whatever has reached ECS",
        ("history/deployed-called-Abandoned", "calls/unasked/*"),
        (Edit("domain/rules/changed_target.py", "    if attempts.is_deployed(rollout) or perhaps:\n", "    if perhaps and False:\n"),),
    ),
    "windows are asked once": Mutant(
        "an intent that was held up is carried out inside a window that has closed since",
        ("gates/*",),
        (
            Edit(
                "domain/rules/open_attempt.py",
                "held = wait_for_holder(facts) or (_held_by_gate(facts, draft, rollout) if intended != attempts.REGISTER else None)\n",
                "held = wait_for_holder(facts)\n",
            ),
        ),
    ),
    "an older commit is as good as a newer one": Mutant(
        "a commit that lacks some of what runs takes its place, where nothing is to go backwards",
        ("graph/backwards",),
        (
            Edit(
                "domain/decision/commit_rules.py",
                "if isinstance(found, Relation) and found.behind:\n",
                "if isinstance(found, Relation) and False:\n",
            ),
        ),
    ),
    "an old look is final": Mutant(
        "a look that does not list ours, or what was there before it, means that another deployment took its place",
        ("history/*-called-RolledBack", "history/*-called-Superseded", "history/*-not-recorded"),
        (
            Edit("domain/verification/judge.py", "deployment is None and _may_be_stale(", "not ours and _may_be_stale("),
            Edit("domain/verification/judge.py", "deployment is None and _may_be_outdated(", "not ours and _may_be_outdated("),
        ),
    ),
    "a set begins though a service refuses": Mutant(
        "a service that can never be deployed is found out when its wave begins",
        ("sets/deployed-before-refusal",),
        (
            Edit(
                "engine/sets/resolver.py",
                "        service = check_deployable(target.key, look.service)\n",
                "        service = look.service\n        assert service is not None\n",
            ),
        ),
    ),
    "the age of a deployment tells": Mutant(
        "a deployment that ECS returns to by its old id, which was created long ago, is deployed over",
        ("calls/overran-*",),
        (
            Edit(
                "domain/rules/new_attempt.py",
                "    since = under_way_since(facts) or facts.now\n",
                "    since = service.primary.created_at if service.primary else facts.now\n",
            ),
        ),
    ),
    "what others do hides what is announced": Mutant(
        "an answer to a hook that was lost is forgotten once somebody has answered another one",
        ("hooks/not-sent", "hooks/unsettled"),
        (
            Edit(
                "domain/ecs/interventions.py",
                "    return next((i for i in interventions or () if is_announced(i)), None)\n",
                "    return next((i for i in list(interventions or ())[-1:] if is_announced(i)), None)\n",
            ),
        ),
    ),
    "whatever goes back was told to": Mutant(
        "a deployment that an alarm or the circuit breaker takes back counts as taken back by an answer to its hook",
        ("hooks/unearned",),
        (
            Edit(
                "domain/decision/announced_answers.py",
                "    return None if others or deployment_stages.may_fail_hooks(seen) or interventions.was_stopped(known) else True\n",
                "    return True\n",
            ),
        ),
    ),
}
"""By name. `python -m tests.model mutants` plays them all."""


@dataclass(frozen=True)
class Found:
    """What a walk has found, and after how many seconds of CPU."""

    line: str
    cpu_s: float


class Stale(Exception):
    """The code has changed, so that a mutant must be written anew."""


def copy_with(mutant: Mutant, folder: Path) -> Path:
    """Copy the operator into a folder with a mutant's edits. Raises Stale."""
    copy = folder / PACKAGE
    shutil.copytree(ROOT / "operator" / PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits:
        path = copy / edit.module
        text = path.read_text()
        if text.count(edit.text) != 1:
            raise Stale(f"{edit.module} has {text.count(edit.text)} times {edit.text!r}: write the mutant anew")
        path.write_text(text.replace(edit.text, edit.mutated))
    return folder


def is_found(copy: Path, rules: tuple[str, ...], seed: int, seconds: float) -> Found | None:
    """Walk with a copy of the operator from a seed on until one of the rules is broken; None if none is."""
    command = [sys.executable, "-m", "tests.model", "walk", "--seed", str(seed), "--minutes", str(seconds / 60), "--only", *rules]
    environment = {"PYTHONPATH": f"{copy}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=10 * seconds + 300)
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise RuntimeError(done.stderr)
    lines = done.stdout.splitlines()
    spent = next(float(line.partition(" ")[0]) for line in lines if " s of CPU" in line)
    return next((Found(line, spent) for line in lines if line.startswith("seed ")), None)
