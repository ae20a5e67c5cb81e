"""Which addresses are on the public internet. Pure."""

import ipaddress


def is_private(address: str) -> bool:
    """Not on the public internet: loopback, private, link-local (cloud metadata), shared, multicast, reserved, and their IPv4-in-IPv6 forms."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inside = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inside is not None:
            return is_private(str(inside))
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            return is_private(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return not parsed.is_global or parsed.is_multicast
