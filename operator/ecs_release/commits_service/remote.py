"""How a remote is reached: settings of git for one fetch, and what git's messages mean."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from ecs_release.commits_service.bindings import Location
from ecs_release.commits_service.config import Binding, Limits
from ecs_release.commits_service.git import LOCAL, Done, Settings
from ecs_release.domain.ports.commits import UnknownReason
from ecs_release.logs import redact

_PASSWORD_BYTES = 64 * 1024
_MESSAGE = 300
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffd]+")
# git-fsck(1). Faults of old clients and importers that are in the history of well-known projects; none of them touches parents.
OLD_FAULTS = (
    "badDate", "badDateOverflow", "badEmail", "badFilemode", "badName", "badTagName", "badTimezone", "duplicateEntries", "missingEmail",
    "missingNameBeforeEmail", "missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingTaggerEntry", "multipleAuthors",
    "nulInCommit", "zeroPaddedDate", "zeroPaddedFilemode",
)  # fmt: skip
OLD_FAULTS_CHECKED: Settings = (*LOCAL, *((f"fsck.{fault}", "warn") for fault in OLD_FAULTS))
"""For `git fsck` of a whole clone."""


class CredentialError(Exception):
    """The credential's file cannot be read; the message names the file."""


def fetch_settings(location: Location, binding: Binding, limits: Limits) -> Settings:
    """Return the settings of a fetch. Reads the credential's file; raises CredentialError."""
    settings = [
        ("protocol.allow", "never"),
        ("protocol.https.allow", "always"),
        ("protocol.version", "2"),
        ("remote.origin.url", location.url),
        ("http.followRedirects", "false"),
        ("http.sslVerify", "true"),
        ("http.lowSpeedLimit", str(limits.low_speed_bytes)),
        ("http.lowSpeedTime", str(limits.low_speed_seconds)),
        ("http.userAgent", "git/ecs-release-commits"),
        ("fetch.recurseSubmodules", "false"),
        ("fetch.writeCommitGraph", "false"),
        ("fetch.unpackLimit", "1"),
        ("transfer.fsckObjects", "true"),
        *((f"fetch.fsck.{fault}", "warn") for fault in OLD_FAULTS),
    ]
    if binding.ca_file is not None:
        settings.append(("http.sslCAInfo", str(binding.ca_file)))
    if binding.credential is not None:
        password = _password(binding.credential.password_file)
        encoded = base64.b64encode(f"{binding.credential.username}:{password}".encode()).decode()
        settings.append((f"http.https://{location.host}/.extraHeader", f"Authorization: Basic {encoded}"))
    return tuple(settings)


def _password(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_PASSWORD_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"cannot read the credential's file {path}: {getattr(error, 'strerror', '') or 'it is no UTF-8'}") from error
    if not text:
        raise CredentialError(f"the credential's file {path} is empty")
    return text


def fault(done: Done, *, is_branch: bool) -> UnknownReason:
    """Tell why a fetch of a branch, or of a commit, has failed, by what git prints with LC_ALL=C."""
    said = done.stderr.lower()
    if is_branch and "couldn't find remote ref" in said:
        return UnknownReason.BRANCH_NOT_FOUND
    # Of a branch that is to say that it was pushed by force just now, or is broken.
    if not is_branch and ("not our ref" in said or "unadvertised object" in said):
        return UnknownReason.COMMIT_NOT_FOUND
    # The limits of memory and of a file's size: git's children are killed by SIGXFSZ, or say so.
    if any(part in said for part in ("signal 25", "file too large", "out of memory", "mmap failed", "exceeds maximum allowed size")):
        return UnknownReason.TOO_LARGE
    return UnknownReason.UNREADABLE


def is_unchecked(done: Done) -> bool:
    """Return whether a fetch has failed because an object was faulty."""
    return "fsck error" in done.stderr


def message(done: Done) -> str:
    """Return git's last word as one line for people: the remote writes part of it."""
    # Git would ask somebody for a password, and says that there is nobody.
    if any(part in done.stderr for part in ("could not read Username", "could not read Password", "Authentication failed")):
        return "the host refuses the credential of the repository's binding, or wants one where the binding has none"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    worst = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines or [f"git ended with {done.code}"]
    return printable(worst[0], _MESSAGE)


def printable(text: str, most: int) -> str:
    """Return a text without control characters, credentials and what is beyond `most` characters."""
    clean = _UNPRINTABLE.sub(" ", redact(text)).strip()
    return clean if len(clean) <= most else f"{clean[: most - 3]}..."
