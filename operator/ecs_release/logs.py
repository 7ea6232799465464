"""Structured logs: one line for each decision, with object and attempt; credentials are redacted from all messages.

It uses the standard library's logging, as all libraries here do, with a formatter for structure. Callers pass the fields as
`extra={"object": "namespace/name", "attempt": …}`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from ecs_release.api.visible_text import visible

FIELDS = ("object", "attempt", "environment")

_REDACTED = "[redacted]"
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # A whole Authorization header: SigV4, Basic, Bearer.
    (re.compile(r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)[^\"'\\\r\n}>]+"), rf"\1{_REDACTED}"),
    (re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{_REDACTED}"),
    # Values that follow the name of a secret, in JSON, XML, Python, YAML, a query string or an environment.
    (
        re.compile(
            r"(?i)((?:secret_?access_?key|session_?token|security-?token|x-amz-signature|external_?id|password|client-key-data|web_?identity_?token)"
            r"\\?[\"']?\s*[:=>]\s*\\?[\"']?)[^\s\"'\\,;&<)}\]]+"
        ),
        rf"\1{_REDACTED}",
    ),
    # IAM user guide, "Understanding unique ID prefixes": keys of users, of roles, of bearer tokens, of contexts.
    (re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"), _REDACTED),
    # Session tokens of STS without a name before them: base64 with a few fixed prefixes.
    (re.compile(r"\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9+/=]{20,}"), _REDACTED),
    # JSON web tokens: service accounts, OIDC. What only begins like one is matched and kept, so that its rest is not searched again.
    (
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}+(?P<rest>\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+)?"),
        lambda found: _REDACTED if found["rest"] else found[0],
    ),
    # GitHub, "About authentication to GitHub": tokens of people, Apps and installations; Slack, "Token types".
    (re.compile(r"\b(?:gh[a-z]_|github_pat_|xox[a-z]-|xapp-)[\w-]{16,}+"), _REDACTED),
    # User and password of a URL, such as a proxy's.
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{_REDACTED}@"),
)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ends a line, controls a terminal, or changes the order of what is read there."""


def redact(text: str) -> str:
    """Redact credentials in a text."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _escaped(character: re.Match[str]) -> str:
    return ascii(character[0])[1:-1]


class Formatter(logging.Formatter):
    """Formats log records as JSON, or as `time level message key=value` for people."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json` is for log pipelines."""
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Format one record as one line; in text format a traceback follows on more lines."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = redact(record.getMessage())
        fields = {name: redact(str(value)) for name in FIELDS if (value := getattr(record, name, ""))}
        record_of = getattr(record, "record", None)
        if record_of is not None:
            # Of the audit log: an entry that is not in the ledger, as JSON.
            fields["record"] = redact(json.dumps(record_of, separators=(",", ":")))
        exception = redact(self.formatException(record.exc_info)) if record.exc_info else ""
        if self._as_json or record_of is not None:
            said: dict[str, object] = {"time": time, "level": record.levelname, "logger": record.name, **fields, "message": message}
            if "record" in fields:
                # Redaction may break the JSON: then it stays text.
                with contextlib.suppress(ValueError):
                    said["record"] = json.loads(fields["record"])
            # JSON has escaped what is below U+0020; the rest of what a terminal interprets is escaped in its way, too.
            text = json.dumps(said | ({"exception": exception} if exception else {}), ensure_ascii=False)
            return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        # Line breaks and escape sequences in names and in messages of AWS must not forge lines or control a terminal.
        line = _CONTROL.sub(_escaped, "".join([message, *(f" {name}={value}" for name, value in fields.items())]))
        return f"{time} {record.levelname:<7} {line}" + (f"\n{visible(exception)}" if exception else "")


class _KopfFilter(logging.Filter):
    """Shortens kopf's records to a line, as the supervisor logs errors, and drops its warning about running in a thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("kopf"):
            record.exc_info, record.exc_text = None, None
            return "OS signals are ignored" not in str(record.msg)
        return True


def configure(level: str, *, as_json: bool) -> None:
    """Send all logs to standard error, ours from `level` on.

    Libraries log from WARNING on, even if ours is DEBUG: kopf logs each event, and botocore each request with its credentials.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(as_json=as_json))
    handler.addFilter(_KopfFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("ecs_release").setLevel(level.upper())
    # Entries that are in no ledger must be logged, whatever the level.
    logging.getLogger("ecs_release.audit").setLevel(logging.WARNING)
    for library in ("kopf", "botocore", "boto3", "urllib3", "kubernetes", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
