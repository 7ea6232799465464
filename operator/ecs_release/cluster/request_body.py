"""What is sent to the API server, as bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ecs_release.domain.model.unicode import well_formed

# What YAML forbids as it is, or reads as the end of a line (YAML 1.2, sections 5.1 and 5.4; 1.1 for the line ends).
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def for_apply(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON that a reader of YAML takes for the same.

    The API server reads an apply patch as YAML (sigs.k8s.io/yaml), which is not quite a superset of JSON: JSON escapes a character beyond
    the BMP by two surrogates, and those are refused ("found invalid Unicode character escape code"). So such characters go as they are,
    in UTF-8; of the others those that YAML does not allow are escaped, as control characters are anyway.
    """
    text = well_formed(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
