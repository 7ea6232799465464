"""A load balancer of AWS that logs people in: it signs who they are, and its region has its public keys.

As Elastic Load Balancing describes it: ES256 as JWS has it (RFC 7518, 3.4: both numbers, 32 bytes each), base64 with padding.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ecs_release.listening import listening

ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/board/0123456789abcdef"
CLIENT = "board"


class LoadBalancer:
    """Its key, and what it signs."""

    def __init__(self) -> None:
        self.key_id = str(uuid.uuid4())
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.asked: Counter[str] = Counter()
        self.status = 200
        self.address = ""

    @property
    def public_key(self) -> bytes:
        """As AWS serves it."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(encoding, form)

    def token(self, claims: Any = None, /, *, key: ec.EllipticCurvePrivateKey | None = None, **header: Any) -> str:
        """Sign claims; `header` replaces what the header has, None takes it away."""
        its = {
            "typ": "JWT", "kid": self.key_id, "alg": "ES256", "iss": "https://login.example.com", "client": CLIENT, "signer": ARN,
            "exp": int(time.time()) + 120, **header,
        }  # fmt: skip
        parts = [_encoded(json.dumps({k: v for k, v in its.items() if v is not None})), _encoded(json.dumps(claims or {"sub": "ben"}))]
        signed = ".".join(parts)
        r, s = decode_dss_signature((key or self.key).sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    @asynccontextmanager
    async def serving_keys(self) -> AsyncIterator[str]:
        """Serve its public key as its region does; yields the address."""

        async def answer(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            self.asked[name] += 1
            if self.status != 200:
                return web.Response(status=self.status)
            return web.Response(body=self.public_key) if name == self.key_id else web.Response(status=403)

        made = web.Application()
        made.add_routes([web.get("/{name}", answer)])
        async with listening(made, "127.0.0.1", 0) as port:
            self.address = f"http://127.0.0.1:{port}"
            yield self.address


def _encoded(value: str | bytes) -> str:
    return base64.urlsafe_b64encode(value.encode() if isinstance(value, str) else value).decode()
