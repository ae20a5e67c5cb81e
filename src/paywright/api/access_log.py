"""
One line per request. Query strings are left out, and so is the part of a path that opens something: a guest's claim token.
"""

import logging
import re

log = logging.getLogger("paywright.access")

_SECRET_PARTS = re.compile(r"(?P<before>/customers/guest/|/claims/)[^/]+")


def masked(path: str) -> str:
    return _SECRET_PARTS.sub(r"\g<before>***", path)


def write(method: str, path: str, status: int, seconds: float, request_id: str) -> None:
    log.info("%s %s %d %.1fms %s", method, masked(path), status, seconds * 1000, request_id)
