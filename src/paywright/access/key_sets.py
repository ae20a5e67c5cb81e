"""
Key sets (JWKS) of the apps' own token issuers, fetched and remembered by this process.

The URL is the operator's choice and the answer a stranger's, so: https and public addresses only, outside test mode; no redirect; a short time and a
small size. Keys are rotated by publishing the new one first, so a token whose `kid` is not known makes us look again, but not more often than every
thirty seconds, however many such tokens come. While the set can't be read, the keys read last are still good for a day.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import msgspec

from paywright.kernel.resolving import checked_address

FRESH_S = 600.0
STALE_S = 86_400.0
LOOKS_AGAIN_AFTER_S = 30.0
TIMEOUT_S = 5.0
BYTES_MAX = 256 * 1024
KEYS_MAX = 100


class KeySetUnreadable(Exception):
    """The key set could not be fetched, or is none."""


class _Known(msgspec.Struct):
    """Instants are monotonic seconds. `asked_at` counts failures too."""

    keys: dict[str | None, jwt.PyJWK]
    read_at: float
    asked_at: float


class KeySets:
    """Thread-safe. One fetch of a URL at a time; meanwhile others go on with what is known, if that is enough for them."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    def key(self, url: str, kid: str | None, *, private_allowed: bool) -> jwt.PyJWK | None:
        """The key of that id; without one, the only key there is. None: the set has no such key. Raises `KeySetUnreadable`."""
        known = self._known.get(url)
        if known is not None and self._is_enough(known, kid):
            return _of(known, kid)
        with self._lock:
            turn = self._locks.setdefault(url, threading.Lock())
        with turn:
            known = self._known.get(url)
            if known is None or not self._is_enough(known, kid):
                known = self._read(url, known, private_allowed)
        return _of(known, kid)

    def close(self) -> None:
        self._client.close()

    def _is_enough(self, known: _Known, kid: str | None) -> bool:
        now = self._monotonic()
        if now - known.asked_at < LOOKS_AGAIN_AFTER_S:
            return True
        return now - known.read_at < FRESH_S and _of(known, kid) is not None

    def _read(self, url: str, known: _Known | None, private_allowed: bool) -> _Known:
        now = self._monotonic()
        try:
            keys = read_keys(self._fetch(url, private_allowed))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, KeySetUnreadable) as error:
            if known is None or now - known.read_at > STALE_S:
                raise KeySetUnreadable(f"{type(error).__name__}: {error}") from error
            known.asked_at = now
            return known
        self._known[url] = _Known(keys, now, now)
        return self._known[url]

    def _fetch(self, url: str, private_allowed: bool) -> bytes:
        started = time.monotonic()
        name = httpx.URL(url)
        address = checked_address(name.host, name.port or (443 if name.scheme == "https" else 80), private_allowed)
        headers = {"host": name.netloc.decode(), "accept": "application/json", "user-agent": "Paywright"}
        with self._client.stream(
            "GET", name.copy_with(host=address), headers=headers, extensions={"sni_hostname": name.host}
        ) as answer:
            if answer.status_code != 200:
                raise KeySetUnreadable(f"it answered {answer.status_code}")
            body = b""
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > BYTES_MAX:
                    raise KeySetUnreadable(f"it is larger than {BYTES_MAX} bytes")
                if time.monotonic() - started > TIMEOUT_S:
                    raise KeySetUnreadable(f"it took longer than {TIMEOUT_S:.0f} s")
        return body


def read_keys(body: bytes) -> dict[str | None, jwt.PyJWK]:
    """Public signing keys by `kid`. Symmetric keys, keys for encryption, and what we can't read are left out; a set without any is none."""
    try:
        listed = msgspec.json.decode(body)["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise KeySetUnreadable("it is no JSON Web Key Set") from error
    keys: dict[str | None, jwt.PyJWK] = {}
    for written in listed[:KEYS_MAX] if isinstance(listed, list) else []:
        found = _key(written)
        if found is not None:
            keys[written.get("kid")] = found
    if not keys:
        raise KeySetUnreadable("it holds no public signing key")
    return keys


def _key(written: Any) -> jwt.PyJWK | None:
    if not isinstance(written, dict) or written.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if written.get("use", "sig") != "sig" or not isinstance(written.get("kid"), str | None):
        return None
    try:
        return jwt.PyJWK(written)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def _of(known: _Known, kid: str | None) -> jwt.PyJWK | None:
    if kid is None:
        return next(iter(known.keys.values())) if len(known.keys) == 1 else None
    return known.keys.get(kid)
