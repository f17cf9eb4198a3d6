"""Network addresses of clients: in words, bare, and as what counts as one."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address


def host_of(peername: object) -> str:
    """The bare IP address of a peer as asyncio names it, without its port; empty where there is none."""
    return str(peername[0]) if isinstance(peername, tuple) else ""


def host_of_text(address: str) -> str:
    """The bare IP address in what `address_text` made."""
    return address.rpartition(":")[0].strip("[]")


def address_text(peername: tuple[object, ...] | str | None) -> str:
    """An address as asyncio gives it, in words; empty where there is none."""
    if not isinstance(peername, tuple):
        return peername or ""
    host, port = peername[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network of an IPv6 address.

    Whoever has one IPv6 address has at least the 2**64 of its network. What is no IP address stands for itself.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
