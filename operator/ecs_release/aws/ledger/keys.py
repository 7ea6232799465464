"""The keys of the ledger's one DynamoDB table and of its three indexes (docs/reference/ledger.md).

Parts of a key are separated by `#`, namespace and project by `/`: no name in them contains either. Names of people may contain anything,
and are last. Times are MicroTimes, which sort as text.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.ledger import LedgerEntry, LedgerService, Stage
from ecs_release.api.meta import to_microtime
from ecs_release.domain.model.errors import Blocked

PK, SK = "pk", "sk"
BY_PROJECT, BY_PERSON, BY_TIME = "by-project", "by-person", "by-time"
"""The indexes. All are sorted by AT."""
PROJECT, PERSON, ALL, AT = "projectKey", "personKey", "timeKey", "at"
INDEX_KEYS = {BY_PROJECT: PROJECT, BY_PERSON: PERSON, BY_TIME: ALL}
EVERYTHING = "T"
"""The one partition of index by-time."""
COUNTER = "counter"
FOREIGN = "Foreign"

# Quotas in Amazon DynamoDB, "Partition keys and sort keys": 2048 and 1024 bytes.
_SORT_KEY_BYTES, _PERSON_BYTES = 1024, 1900


def attempts_key(environment: str, namespace: str, project: str, service: str) -> str:
    """Return the partition of all attempts of a service in an environment."""
    return f"S#{_part(environment)}#{_part(namespace)}/{_part(project)}#{_part(service)}"


def attempt_prefix(start_time: datetime, attempt_id: str) -> str:
    """Return the common prefix of the sort keys of an attempt's entries."""
    return f"{to_microtime(start_time)}#{_part(attempt_id)}#"


def entry_key(entry: LedgerEntry) -> dict[str, str]:
    """Return the key of an entry."""
    partition = attempts_key(entry.environment, entry.namespace, entry.project, entry.service)
    return {PK: partition, SK: _sort_key(attempt_prefix(entry.start_time, entry.attempt_id) + entry.stage)}


def environment_key(environment: str) -> str:
    """Return the partition of the current records of an environment."""
    return f"E#{_part(environment)}"


def current_key(environment: str, namespace: str, project: str, service: str) -> dict[str, str]:
    """Return the key of a service's current record."""
    return {PK: environment_key(environment), SK: f"{_part(namespace)}/{_part(project)}#{_part(service)}"}


def numbers_key(namespace: str, project: str) -> str:
    """Return the partition of a Project's release numbers."""
    return f"N#{_part(namespace)}/{_part(project)}"


def ten_digits(number: int) -> str:
    """Return a release number padded so that it sorts."""
    return f"{number:010}"


def pin_sort_key(pin: str) -> str:
    """Return the sort key of the guard item that prevents two numbers of one pin."""
    return f"pin#{hashlib.sha256(pin.encode()).hexdigest()}"


def pointer_key(entry: LedgerEntry, number: int) -> dict[str, str]:
    """Return the key of an entry's pointer under its release number."""
    parts = (ten_digits(number), _part(entry.environment), _part(entry.service), _part(entry.attempt_id), str(entry.stage))
    return {PK: numbers_key(entry.namespace, entry.project), SK: _sort_key("#".join(parts))}


def index_keys(entry: LedgerEntry) -> dict[str, str]:
    """Return the index keys of an entry: by project, by person if there is one, and by time."""
    happened = entry.start_time if entry.stage == Stage.START else entry.completion_time or entry.start_time
    keys = {
        PROJECT: project_key(entry.namespace, entry.project),
        ALL: EVERYTHING,
        AT: _sort_key(f"{to_microtime(happened)}#{_part(entry.attempt_id)}#{entry.stage}"),
    }
    person = person_of(entry)
    return {**keys, PERSON: person_key(person)} if person else keys


def project_key(namespace: str, project: str) -> str:
    """Return a Project's partition of index by-project."""
    return f"P#{_part(namespace)}/{_part(project)}"


def person_key(person: str) -> str:
    """Return a person's partition of index by-person. A name of more than 1,900 bytes is cut, and a hash is appended."""
    data = person.encode()
    if len(data) > _PERSON_BYTES:
        person = f"{data[:_PERSON_BYTES].decode(errors='ignore')}#{hashlib.sha256(data).hexdigest()}"
    return f"U#{person}"


def person_of(entry: LedgerEntry) -> str | None:
    """Return the person that an entry is indexed by. The two entries of an attempt cover all people involved, each once.

    The start is indexed by who requested it, else who applied it; later entries by who applied it, if that is somebody else.
    The entries of a foreign deployment are indexed by who made it, which CloudTrail reports late, if at all.
    """
    if entry.cause == FOREIGN or entry.changed_by:
        return entry.changed_by or None
    if entry.stage == Stage.START:
        return entry.requested_by or entry.applied_by or None
    return entry.applied_by or None if entry.requested_by and entry.applied_by != entry.requested_by else None


def service_partition(of: LedgerService) -> dict[str, str]:
    """Return the key of the current record of a record's service."""
    return current_key(of.environment, of.namespace, of.project, of.service)


def _part(text: str) -> str:
    if not text or "#" in text or "/" in text:
        raise Blocked(Reason.INVALID_SPEC, f"the ledger cannot keep {text!r}: names in its keys are not empty, and hold no # and no /")
    return text


def _sort_key(text: str) -> str:
    if len(text.encode()) > _SORT_KEY_BYTES:
        raise Blocked(Reason.INVALID_SPEC, f"the ledger cannot keep {text[:80]!r}...: DynamoDB's sort keys end at {_SORT_KEY_BYTES} bytes")
    return text
