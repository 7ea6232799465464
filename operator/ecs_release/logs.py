"""Structured logs: one line a decision, with the object and the attempt; no credentials, whatever a message holds."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

_REDACTED = "[redacted]"
# Access key ids (IAM user guide, "Unique identifiers"), and values that follow the name of a secret.
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b")
_NAMED = re.compile(
    r"(?i)(?P<name>secret_?access_?key|session_?token|security-?token|external_?id|authorization|password|bearer)"
    r"(?P<between>[\"']?\s*[:=]?\s*[\"']?)(?P<value>[^\s\"',;)}\]]{6,})"
)
_FIELDS = ("object", "attempt", "environment")


def redact(text: str) -> str:
    """Take credentials out of a text."""
    return _NAMED.sub(lambda m: f"{m['name']}{m['between']}{_REDACTED}", _KEY_ID.sub(_REDACTED, text))


class Formatter(logging.Formatter):
    """Writes records as JSON, or as `time level message key=value` for people."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json` is what log pipelines want."""
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Write one record on one line (a traceback follows in it)."""
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        fields = {name: str(value) for name in _FIELDS if (value := getattr(record, name, ""))}
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._as_json:
            said = {"time": time, "level": record.levelname, "logger": record.name, **fields, "message": message}
            return redact(json.dumps(said, ensure_ascii=False))
        beside = "".join(f" {name}={value}" for name, value in fields.items())
        return redact(f"{time} {record.levelname:<7} {message}{beside}")


def configure(level: str, *, as_json: bool) -> None:
    """Send all logs to standard error. Libraries speak from WARNING on: kopf logs each event, botocore each request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(as_json=as_json))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ecs_release").setLevel(level.upper())
    # kopf logs what it retries at ERROR with a traceback; the supervisor says the same in a line.
    logging.getLogger("kopf").setLevel(logging.CRITICAL if level.upper() != "DEBUG" else logging.INFO)
