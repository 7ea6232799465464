"""Calls of the simulated AWS that must fail, and another account than the usual one."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

OTHER = "444455556666"


def refused(call: Any, **arguments: Any) -> tuple[str, str, int]:
    """Make a call that must fail; returns its code, message and HTTP status."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]
