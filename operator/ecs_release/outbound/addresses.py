"""Which addresses may be connected to: none of this machine, of the link, or of a cloud's metadata service.

A name may resolve to any address, and to another one each time: what is checked is the address that is connected to.
Metadata services: AWS, "Access instance metadata" (169.254.169.254 and fd00:ec2::254) and "Task metadata endpoint" (169.254.170.2, .23; ECS
and EKS Pod Identity fd00:ec2::23); Google Cloud and Azure 169.254.169.254; Azure, "What is IP address
168.63.129.16?"; Alibaba Cloud 100.100.100.200; Oracle Cloud 192.0.0.192.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = (
    ipaddress.ip_network("fd00:ec2::/32"),
    ipaddress.ip_network("fd20:ce::/32"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("192.0.0.192/32"),
    ipaddress.ip_network("168.63.129.16/32"),
)
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_CHECKS: tuple[tuple[Callable[[_Address], bool], str], ...] = (
    (lambda a: a.is_link_local, "it is link-local, where metadata services are"),
    (lambda a: any(a in network for network in _METADATA if network.version == a.version), "it is a metadata service's"),
    (lambda a: a.is_unspecified or a.is_multicast or (a.version == 4 and a in _THIS_NETWORK), "it is no address of a host"),
    (lambda a: a.is_reserved, "it is reserved"),
    # RFC 8215: how much of the prefix a network uses, and so where the address is in it, is its own affair.
    (lambda a: a.version == 6 and a in _LOCAL_NAT64, "it is translated to an IPv4 address that cannot be told"),
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def refusal(address: str, *, may_be_loopback: bool = False) -> str:
    """Return why an address may not be connected to; empty if it may. Private networks may: GitHub Enterprise is often there."""
    try:
        found = _unmapped(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return "it is no IP address"
    if found.is_loopback:
        return "" if may_be_loopback else "it is of this machine"
    return next((why for holds, why in _CHECKS if holds(found)), "")


def _unmapped(address: _Address) -> _Address:
    """Return the IPv4 address inside an IPv6 one: mapped, translated (RFC 6052), or tunnelled by 6to4 or Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inside is not None:
        return inside
    if address in _NAT64 or int(address) >> 32 == 0:
        low = int(address) & 0xFFFFFFFF
        return ipaddress.IPv4Address(low) if low > 1 else address
    return address
