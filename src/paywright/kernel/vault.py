"""Secrets at rest and keys derived from `PAYWRIGHT_SECRET`. One secret, one derived key per purpose."""

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class SecretUnreadable(Exception):
    """A stored secret can't be decrypted: `PAYWRIGHT_SECRET` is not the one it was stored under."""


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose; knowing one derived key tells nothing about another."""
    return hmac.new(secret.encode(), b"paywright:" + purpose.encode(), hashlib.sha256).digest()


def encrypt(secret: str, plain: str) -> str:
    return _fernet(secret).encrypt(plain.encode()).decode()


def decrypt(secret: str, stored: str) -> str:
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(secret).decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "a stored secret can't be decrypted: is PAYWRIGHT_SECRET the one it was stored under?"
        ) from error


@lru_cache(maxsize=8)
def _fernet(secret: str) -> "Fernet":
    from cryptography.fernet import Fernet

    return Fernet(base64.urlsafe_b64encode(derived_key(secret, "at rest")))
