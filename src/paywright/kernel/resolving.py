"""
From a host's name to the address a connection is made to, for URLs that somebody else chose.

The name is resolved here, every address it has is checked, and the caller connects to the address that was checked, so that a name that changes its
mind in between gains nothing.
"""

import socket

from paywright.kernel.addresses import is_private


class AddressRefused(OSError):
    """The name leads to an address that is not on the public internet."""


def checked_address(host: str, port: int, private_allowed: bool) -> str:
    """One address of the host, after all of them were looked at. Raises `AddressRefused`, and `OSError` for a name without any."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)]
    if not private_allowed and any(is_private(address) for address in found):
        raise AddressRefused("the address is not on the public internet")
    return found[0]
