"""A deployment set as Slack shows it: one message that is edited as it goes, details in its thread, and an alert if somebody should look.

What is overdue is a message of its own, below which it is said again each day.

Whatever people or AWS have written is `plain_text` without emoji, or a `text` element of rich text: Slack looks for no markup, mention or
link in either. Limits of Block Kit: docs.slack.dev, "Section block" (3,000 characters) and "Blocks" (50 a message); above about 13,200
characters of JSON in all blocks Slack answers msg_blocks_too_long (slackapi/bolt-js#2509).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ecs_release.api.names import RELEASE_SET
from ecs_release.api.release_status import Evidence
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.ports.views import Part
from ecs_release.domain.sets.child_state import LEFT
from ecs_release.domain.views.documents import part_key, part_of
from ecs_release.domain.views.services import ENDED, IDLE, ShownService
from ecs_release.domain.views.shown import Shown
from ecs_release.domain.views.verdicts import Verdict

Block: TypeAlias = dict[str, Any]

SINK, MESSAGE, DETAILS, ALERT, AGAIN = "slack", "message", "thread/details", "thread/alert", "thread/again"
_A_DAY = timedelta(hours=20)
"""What is said so much later is said on another day: services of a set are told of one by one."""
MOST_BYTES, MOST_BLOCKS = 11_000, 40
_HEADLINE, _WHY, _LINE, _PARAGRAPH, _URL = 300, 80, 500, 1500, 512
_MOST_NAMED, _MOST_LINKS = 10, 8
_CUT = "\N{HORIZONTAL ELLIPSIS}"

_GOOD, _BAD, _DRIFTED, _RUNS, _WAITS, _NEITHER = "✔", "✖", "≠", "●", "○", "–"
_MARKS = {
    "Ready": _GOOD, "Progressing": _RUNS, "Waiting": _WAITS, "Pending": _WAITS, LEFT: _NEITHER, IDLE: _NEITHER, ENDED: _NEITHER,
    "Failed": _BAD, "RolledBack": _BAD, "Stalled": _BAD, "Drifted": _DRIFTED,
}  # fmt: skip
_ROLLBACK, _REQUESTED = "Rollback", "Requested"
_VISITED = re.compile(r"https?://[!-~]+")


def document(one: Shown, view: View | None = None, pull_requests: Sequence[str] = ()) -> tuple[Part, ...]:
    """Return the parts of a deployment set: its message, and below it details and, if somebody should look, an alert.

    `view` is what status says of it; of what is overdue it tells on which day that was said. `pull_requests` are addresses.
    Of one that another has replaced only the message changes: nothing is known any more that its thread could say. Of one that the history
    has forgotten nothing does.
    """
    if one.is_forgotten:
        return ()
    if one.told is not None:
        return tuple(_overdue(one, part_of(view, MESSAGE), part_of(view, AGAIN), pull_requests))
    message = _part(MESSAGE, one, MESSAGE, _message(one))
    if not one.is_latest:
        return (message,)
    details = _part(DETAILS, one, DETAILS, _details(one, pull_requests))
    return tuple(part for part in (message, details, _alert(one)) if part is not None)


def _part(name: str, one: Shown, what: str, blocks: Iterable[Block], *, broadcast: bool = False) -> Part:
    """Make a part. `what` is in its key: another alert is another message.

    `text` is what notifications show and screen readers say. `since` is when the earliest message of the set may have been posted.
    """
    content = {
        "text": _escaped(_headline(one, with_why=False)), "blocks": _fitting(blocks), "since": int(one.start_time.timestamp()),
        "broadcast": broadcast,
    }  # fmt: skip
    return Part(name, part_key(SINK, one, what), content, below="" if name == MESSAGE else MESSAGE)


def _overdue(one: Shown, first: ViewPart | None, again: ViewPart | None, pull_requests: Sequence[str]) -> Iterator[Part]:
    """Yield the message that something is overdue, and the one below it that says so again: another one on each day."""
    if first is None and not one.services:
        return
    said = f"is overdue in {one.environment}" if one.services else f"is no longer overdue in {one.environment}"
    names = f": {_names([s.name for s in one.services])}" if one.services and one.kind == RELEASE_SET else ""
    mark = _WAITS if one.services else _NEITHER
    line = _line(" ".join(word for word in (mark, f"{one.project}:", _what(one), one.hash, said) if word) + names, _HEADLINE)
    lines = [_line(f"{s.name}: {s.message}", _LINE) for s in one.services[:_MOST_NAMED]]
    blocks = [_section(line, _HEADLINE), *([_section("\n".join(lines), _PARAGRAPH), *_pulls(pull_requests)] if lines else [])]
    latest = again or first
    is_another_day = latest is not None and latest.announced_time is not None and one.start_time >= latest.announced_time + _A_DAY
    wanted = (
        [(MESSAGE, first), (AGAIN, None)] if is_another_day and one.services else [(MESSAGE, first), *([(AGAIN, again)] if again else [])]
    )
    for name, known in wanted:
        begun = (known.announced_time if known else None) or one.start_time
        key = (known.key if known else None) or part_key(SINK, one, f"{name}/{one.start_time.isoformat()}")
        content = {"text": _escaped(line), "blocks": blocks, "since": int(begun.timestamp()), "broadcast": name == AGAIN}
        yield Part(name, key, content, below="" if name == MESSAGE else MESSAGE, is_last=not one.told)


def _message(one: Shown) -> Iterator[Block]:
    yield _section(_headline(one, with_why=True), _HEADLINE)
    if one.verdict is Verdict.FAILED:
        yield _section(one.message, _LINE)
    elif one.waiting_for and not one.is_over:
        yield _section(one.waiting_for, _LINE)
    drifted = [s for s in one.services if s.drift]
    if drifted:
        yield _section("\n".join(_line(f"{s.name}: {s.drift}", _LINE) for s in drifted[:3]), _PARAGRAPH)


def _headline(one: Shown, *, with_why: bool) -> str:
    """Say in one line what is where, how it stands and, of what people wrote, who and why."""
    words = [_mark(one), f"{one.project}:", _what(one), *([one.hash] if one.hash and one.cause != _ROLLBACK else []), _state(one)]
    head = " ".join(word for word in words if word)
    if not with_why:
        return _line(head, _HEADLINE)
    who, why = one.requested_by or one.applied_by, _line(one.description, _WHY)
    said = ": ".join(part for part in (_line(who, _WHY), why) if part)
    return f"{_line(head, _HEADLINE - 2 * _WHY - 10)} \N{MIDDLE DOT} {said}" if said else head


def _mark(one: Shown) -> str:
    if any(s.drift for s in one.services):
        return _DRIFTED
    if one.is_over:
        return _GOOD if one.is_good else _BAD if one.verdict is Verdict.FAILED else _NEITHER
    if not one.is_latest:
        return _NEITHER
    return _WAITS if one.waiting_for else _RUNS


def _what(one: Shown) -> str:
    return one.service_set if one.kind == RELEASE_SET else one.name


def _state(one: Shown) -> str:
    drifted = [s.name for s in one.services if s.drift]
    if drifted:
        return f"in {one.environment}: {_names(drifted)} {'runs' if len(drifted) == 1 else 'run'} something else"
    cause = f", {one.cause}" if one.cause and one.cause not in (_REQUESTED, _ROLLBACK) else ""
    took = f" ({_duration(one.start_time, one.completion_time)}{cause})" if one.completion_time is not None else ""
    idle = f", nothing runs of {_names(one.idle)}" if one.idle else ", nothing runs" if one.verdict is Verdict.NOTHING_RUNS else ""
    if one.is_good or one.verdict is Verdict.NOTHING_RUNS:
        arrived = f"{'runs' if one.is_good else 'is set'} in {one.environment}"
        return (f"in {one.environment} was taken back" if one.cause == _ROLLBACK else arrived) + idle + took
    if one.is_over:
        return f"in {one.environment}: {one.outcome}{took}"
    if not one.is_latest:
        return f"in {one.environment}: another one took its place"
    progress = join_clauses(_wave(one), _ready(one)).replace(";", ",")
    going = "goes back in" if one.cause == _ROLLBACK else "waits for" if one.waiting_for else "goes to"
    return f"{going} {one.environment}" + (f": {progress}" if progress else "")


def _wave(one: Shown) -> str:
    current = [i for i, wave in enumerate(one.waves, 1) if wave.state != "Pending"]
    return f"wave {current[-1]} of {len(one.waves)}" if current and len(one.waves) > 1 else ""


def _ready(one: Shown) -> str:
    members = [s for s in one.services if s.state != LEFT]
    ready = sum(s.state in ("Ready", IDLE) for s in members)
    return f"{ready} of {len(members)} ready" if one.kind == RELEASE_SET and members else ""


def _details(one: Shown, pull_requests: Sequence[str]) -> Iterator[Block]:
    """Say who and why, wave by wave what each service does, what failed with the evidence, and where to look further."""
    yield _section("\n".join(_who(one)), _PARAGRAPH)
    yield from _pulls(pull_requests)
    waves = [w for w in one.waves if w.services]
    states = {s.name: s for s in one.services}
    if waves:
        lines = (f"wave {w.name}: {_marked([states[n] for n in w.services or () if n in states])}" for w in waves)
        yield _section("\n".join(_line(line, _LINE) for line in lines), _PARAGRAPH)
    elif one.services:
        yield _section(_marked(one.services), _PARAGRAPH)
    failed = [s for s in one.services if s.evidence or _MARKS.get(s.state) == _BAD]
    for service in failed[:_MOST_NAMED]:
        yield _section("\n".join(_evidence(service)), _PARAGRAPH)
    if len(failed) > _MOST_NAMED:
        yield _section(f"{len(failed) - _MOST_NAMED} more have failed", _LINE)
    links = list(_links(one))
    if links:
        yield _linked(links)


def _who(one: Shown) -> Iterator[str]:
    yield _line(f"{one.kind} {one.namespace}/{one.name}, {one.id}", _LINE)
    people = (("asked for by", one.requested_by), ("applied by", one.applied_by))
    said = ", ".join(f"{how} {_line(who, _WHY)}" for how, who in people if who)
    yield from (_line(text, _LINE) for text in (said, one.description, f"reason: {one.reason}" if one.reason else "") if text)


def _pulls(addresses: Sequence[str]) -> Iterator[Block]:
    """Yield the pull requests, as links with their numbers."""
    links = [(url, f"#{url.rpartition('/')[2]}") for url in addresses if _is_visited(url)]
    if links:
        yield _linked(links)


def _marked(services: Sequence[ShownService]) -> str:
    return ", ".join(f"{s.name} {_DRIFTED if s.drift else _MARKS.get(s.state, _RUNS)}" for s in services)


def _evidence(service: ShownService) -> Iterator[str]:
    yield _line(f"{service.name}: {service.message or service.state}", _LINE)
    yield from (_line(text, _LINE) for one in service.evidence[:3] if (text := _of_task(one)))


def _of_task(one: Evidence) -> str:
    container = f"container {one.container}" if one.container else ""
    code = f"exit code {one.exit_code}" if one.exit_code is not None else ""
    log = f"log stream {one.log_stream} of {one.log_group}" if one.log_stream else ""
    return join_clauses(", ".join(part for part in (container, code) if part), one.reason or "", log)


def _links(one: Shown) -> Iterator[tuple[str, str]]:
    """Yield links with what they are called: one that people gave is called what it is, so that it hides nothing."""
    found = dict[str, str]()
    if one.url:
        found[one.url] = one.url
    for service in one.services:
        for evidence in service.evidence[:1]:
            found.setdefault(evidence.link or "", f"evidence of {service.name}")
        page = (service.links or {}).get("service", "")
        found.setdefault(page, f"{service.name} in the console")
    good = ((url, label) for url, label in found.items() if _is_visited(url))
    yield from islice(good, _MOST_LINKS)


def _is_visited(url: str) -> bool:
    """Return whether a URL is shown as a link: of the web, to a host, and short enough."""
    if len(url) > _URL or not _VISITED.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.username is None
    except ValueError:
        return False


def _alert(one: Shown) -> Part | None:
    """Return what is shown in the channel, too: a failure, or the latest drift since the set began. Nobody sees an edit.

    What somebody has brought about, or nobody saw, is no failure.
    """
    if one.verdict is Verdict.FAILED:
        blocks = [_section(_headline(one, with_why=False), _HEADLINE), _section(one.message, _LINE)]
        failed = [s for s in one.services if s.evidence or _MARKS.get(s.state) == _BAD]
        blocks += [_section("\n".join(_evidence(s)), _PARAGRAPH) for s in failed[:3]]
        return _part(ALERT, one, f"{ALERT}/{one.outcome}", blocks, broadcast=True)
    drifts = [(s.drift_began, s) for s in one.services if s.drift_began is not None and s.drift_began >= one.start_time]
    if not drifts:
        return None
    began, service = max(drifts, key=lambda found: (found[0], found[1].name))
    is_over = service.drift_ended is not None
    said = f"is over after {_duration(began, service.drift_ended)}" if is_over else "runs something else than was released"
    mark = _GOOD if is_over else _DRIFTED
    head = f"{mark} {one.project}: {service.name} in {one.environment} {'drifted; that ' if is_over else ''}{said}"
    blocks = [_section(head, _HEADLINE), _section(service.drift_said, _LINE)]
    return _part(ALERT, one, f"{ALERT}/{service.name}/{began.isoformat()}", blocks, broadcast=True)


def _section(text: str, most: int) -> Block:
    cut = text if len(text) <= most else text[: most - 1] + _CUT
    return {"type": "section", "text": {"type": "plain_text", "text": cut or _NEITHER, "emoji": False}}


def _linked(links: Sequence[tuple[str, str]]) -> Block:
    elements: list[Block] = []
    for url, label in links:
        elements += [{"type": "text", "text": ", "}] if elements else []
        elements.append({"type": "link", "url": url, "text": _line(label, _WHY)})
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _fitting(blocks: Iterable[Block]) -> list[Block]:
    """Return the first blocks that Slack takes together."""
    found, size = list[Block](), 0
    for block in blocks:
        size += len(json.dumps(block, ensure_ascii=False).encode(errors="replace"))
        if size > MOST_BYTES or len(found) == MOST_BLOCKS:
            return [*found, _section(_CUT, _LINE)]
        found.append(block)
    return found


def _line(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + _CUT


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _escaped(text: str) -> str:
    """Escape what Slack's markup begins with (docs.slack.dev, "Formatting message text"): only `text` is read as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _duration(begin: datetime, end: datetime | None) -> str:
    seconds = max(0, int((end - begin).total_seconds())) if end is not None else 0
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    return f"{minutes} min" if minutes < 120 else f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"
