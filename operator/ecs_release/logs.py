"""Structured logs: one line a decision, with the object and the attempt; no credentials, whatever a message holds.

The standard library's logging: all libraries here speak it, and what is needed of structure is a formatter. Callers pass the fields as
`extra={"object": "namespace/name", "attempt": …}`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
from datetime import UTC, datetime

FIELDS = ("object", "attempt", "environment")

_REDACTED = "[redacted]"
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
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
    # Session tokens of STS by themselves: base64 of a few fixed beginnings.
    (re.compile(r"\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9+/=]{20,}"), _REDACTED),
    # JSON web tokens: service accounts, OIDC.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), _REDACTED),
    # User and password of a URL, such as a proxy's.
    (re.compile(r"(://)[^/\s:@]+:[^/\s@]+@"), rf"\1{_REDACTED}@"),
)


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def redact(text: str) -> str:
    """Take credentials out of a text."""
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _escaped(character: re.Match[str]) -> str:
    return ascii(character[0])[1:-1]


class Formatter(logging.Formatter):
    """Writes log records as JSON, or as `time level message key=value` for people."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json` is what log pipelines want."""
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Write one record on one line; in text a traceback follows on lines of its own."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = redact(record.getMessage())
        fields = {name: redact(str(value)) for name in FIELDS if (value := getattr(record, name, ""))}
        record_of = getattr(record, "record", None)
        if record_of is not None:
            # The audit log's: an entry that the ledger has not got, as the JSON that it is.
            fields["record"] = redact(json.dumps(record_of, separators=(",", ":")))
        exception = redact(self.formatException(record.exc_info)) if record.exc_info else ""
        if self._as_json or record_of is not None:
            said: dict[str, object] = {"time": time, "level": record.levelname, "logger": record.name, **fields, "message": message}
            if "record" in fields:
                # What was taken out may leave no JSON behind: then it stays a text.
                with contextlib.suppress(ValueError):
                    said["record"] = json.loads(fields["record"])
            return json.dumps(said | ({"exception": exception} if exception else {}), ensure_ascii=False)
        # Nobody may forge a line, or talk to a terminal, by a name or a message of AWS with a line break or an escape in it.
        line = _CONTROL.sub(_escaped, "".join([message, *(f" {name}={value}" for name, value in fields.items())]))
        return f"{time} {record.levelname:<7} {line}" + (f"\n{exception}" if exception else "")


class _Tamer(logging.Filter):
    """Keeps kopf to a line: what ends it is raised, and the supervisor says it; that it runs in a thread is meant."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("kopf"):
            record.exc_info, record.exc_text = None, None
            return "OS signals are ignored" not in str(record.msg)
        return True


def configure(level: str, *, as_json: bool) -> None:
    """Send all logs to standard error, ours from `level` on.

    Libraries speak from WARNING on, also where ours is DEBUG: kopf logs each event, and botocore each request with its credentials.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(as_json=as_json))
    handler.addFilter(_Tamer())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("ecs_release").setLevel(level.upper())
    # What is in no ledger must be somewhere, whatever else is logged.
    logging.getLogger("ecs_release.audit").setLevel(logging.WARNING)
    for library in ("kopf", "botocore", "boto3", "urllib3", "kubernetes", "aiohttp", "asyncio"):
        logging.getLogger(library).setLevel(logging.WARNING)
