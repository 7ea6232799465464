"""What Slack's refusals become. Codes are of the methods' pages of docs.slack.dev; a new one is a refusal of what was sent."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable, Throttled
from ecs_release.outbound.session import Answer

STALE_TOKEN = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked"})
"""The token may have been replaced since it was read."""
_DENIED = STALE_TOKEN | {
    "access_denied", "account_inactive", "accesslimited", "ekm_access_denied", "enterprise_is_restricted", "missing_scope",
    "not_allowed_token_type", "no_permission", "org_login_required", "team_access_not_granted", "two_factor_setup_required",
}  # fmt: skip
_THROTTLED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_MAYBE_DONE = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
"""Slack says of these that some of the operation may have been carried out."""
_HINTS = {
    "channel_not_found": "no channel has this id, or it is a private one without the bot: invite it",
    "not_in_channel": "invite the bot to the channel",
    "is_archived": "the channel is archived",
    "restricted_action": "a setting of the workspace keeps the bot from posting there",
    "missing_scope": "the bot needs chat:write and, to find its messages again, channels:history or groups:history",
}
_MOST_CODE = 64
_LATER_S = 1.0


class SlackRefusal(Blocked):
    """Slack refuses what was sent."""

    def __init__(self, code: str, message: str) -> None:
        """`code` is Slack's."""
        super().__init__(Reason.REJECTED_BY_SINK, message)
        self.code = code


class SlackDenial(Denied):
    """Slack refuses the bot."""

    def __init__(self, code: str, message: str) -> None:
        """`code` is Slack's."""
        super().__init__(message)
        self.code = code


def problem_of(answer: Answer, code: str, what: str, host: str, *, is_change: bool) -> Problem:
    """Translate an answer that is not ok. `what` is the call, and where."""
    code = "".join(c for c in code[:_MOST_CODE] if c.isalnum() or c == "_")
    if answer.status == 429 or code in _THROTTLED:
        return Throttled(f"{host} throttles {what}", _seconds(answer.headers.get("retry-after", "")))
    if 300 <= answer.status < 400:
        return SlackRefusal(code, f"{host} redirects {what}: look at the connection's url")
    if answer.status >= 500 or code in _MAYBE_DONE or (answer.status == 200 and not code):
        said = f"{what}: {host} answered {code or answer.status}"
        return Ambiguous(said) if is_change else Retryable(said)
    hint = f": {_HINTS[code]}" if code in _HINTS else ""
    said = f"{host} refuses {what}: {code or answer.status}{hint}"
    return SlackDenial(code, said) if code in _DENIED or answer.status in (401, 403) else SlackRefusal(code, said)


def _seconds(text: str) -> float:
    return max(_LATER_S, float(text)) if text.isdigit() and len(text) < 6 else _LATER_S
