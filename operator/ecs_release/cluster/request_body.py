"""Serializes the bodies of apply requests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ecs_release.domain.model.unicode import well_formed

# Characters that YAML forbids unescaped, or reads as line breaks (YAML 1.2, sections 5.1 and 5.4; 1.1 for the line ends).
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def apply_body(body: Mapping[str, Any]) -> bytes:
    """Serialize a body as JSON that a YAML parser reads as the same value.

    The API server reads an apply patch as YAML (sigs.k8s.io/yaml), which is not quite a superset of JSON: JSON escapes a character outside
    the BMP as two surrogates, which are refused ("found invalid Unicode character escape code"). So such characters are sent unescaped,
    in UTF-8; others that YAML does not allow are escaped, as control characters are anyway.
    """
    text = well_formed(json.dumps(body, ensure_ascii=False, separators=(",", ":")))
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
