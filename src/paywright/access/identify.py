"""
From an `Authorization` header to a caller.

Every request passes here, so what was found is remembered for less than a second: revoking acts within a second in all processes, without a message
between them. A token's signature is checked once; only whether it was revoked is asked again.
"""

import threading
import time
from collections.abc import Callable

import msgspec

from paywright.access import app_jwt, queries, tokens
from paywright.access.actions import key_hash
from paywright.access.limits import FailureLimiter
from paywright.access.model import Caller, CustomerToken
from paywright.access.rules import token_caller_name
from paywright.engine.app import App
from paywright.kernel.refusals import Refusal

REMEMBERED_S = 0.8
_REMEMBERED_MAX = 20_000


def identify(app: App, authorization: str | None, *, remote: str | None = None) -> Caller | Refusal:
    """
    The caller; or `unauthenticated` without a credential, `invalid_credentials`, `token_expired`.

    `remote` is the caller's address: after many failures from one, `rate_limited` for a while, and the database is left alone.
    """
    credentials: Credentials = app.resource(Credentials)
    return credentials.identify(authorization, remote)


class _Remembered(msgspec.Struct):
    """`until` is monotonic seconds; `token` what has to be asked about again after that, `expires_at` wall-clock milliseconds."""

    caller: Caller
    until: float
    token: CustomerToken | None


class Credentials:
    """What one process knows of the credentials it has seen."""

    def __init__(self, app: App, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic
        self._remembered: dict[str, _Remembered] = {}
        self._failures = FailureLimiter(monotonic)
        self._lock = threading.Lock()

    def recall(self, authorization: str | None) -> Caller | Refusal | None:
        """What was found less than a second ago; None when the database has to be asked. Never waits."""
        remembered = self._remembered.get(authorization or "")
        if remembered is None or self._monotonic() >= remembered.until:
            return None
        token = remembered.token
        return remembered.caller if token is None or self._app.wall() < token.expires_at else Refusal("token_expired")

    def identify(self, authorization: str | None, remote: str | None = None) -> Caller | Refusal:
        recalled = self.recall(authorization)
        if recalled is not None:
            return recalled
        if not authorization:
            return Refusal("unauthenticated")
        if self._failures.is_exhausted(remote):
            return Refusal("rate_limited")
        found = self._look_up(authorization)
        if isinstance(found, Refusal):
            if found.code == "invalid_credentials":
                self._failures.count(remote)
            return found
        return found.caller

    def token(self, authorization: str | None) -> CustomerToken | None:
        """What a token says that was identified a moment ago; None for a key, and for one that is not valid any more."""
        remembered = self._remembered.get(authorization or "")
        if remembered is not None:
            return remembered.token
        found = self._look_up(authorization) if authorization else None
        return found.token if isinstance(found, _Remembered) else None

    def forget(self) -> None:
        """After a revocation in this process, so that it acts at once here."""
        with self._lock:
            self._remembered.clear()

    def close(self) -> None:
        self.forget()

    def _look_up(self, authorization: str) -> _Remembered | Refusal:
        scheme, _, credential = authorization.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential or not credential.isascii():
            return Refusal("invalid_credentials")
        until = self._monotonic() + REMEMBERED_S
        if credential.startswith(("pw_sk_", "pw_pk_")):
            caller, token = self._of_key(credential), None
        else:
            caller, token = self._of_token(credential)
        if isinstance(caller, Refusal):
            return caller
        found = _Remembered(caller, until, token)
        with self._lock:
            if len(self._remembered) >= _REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[authorization] = found
        return found

    def _of_key(self, plain: str) -> Caller | Refusal:
        with self._app.database.read() as connection:
            found = queries.key_by_hash(connection, key_hash(plain))
        if found is None or found[1].revoked_at is not None:
            return Refusal("invalid_credentials")
        environment_id, key = found
        return Caller(key.kind, environment_id, frozenset(key.scopes), frozenset(), key.kind, key.id)

    def _of_token(self, written: str) -> tuple[Caller | Refusal, CustomerToken | None]:
        issuer = tokens.issuer_of(written)
        if issuer is None:
            token = tokens.verify(self._app.settings.require_secret(), written, wall=self._app.wall())
        else:
            token = app_jwt.verify(self._app, written, issuer)
        if isinstance(token, Refusal):
            return token, None
        with self._app.database.read() as connection:
            if queries.is_revoked(connection, token):
                return Refusal("invalid_credentials"), None
        name = token_caller_name(token.customers)
        return Caller("customer_token", token.environment_id, token.scopes, token.customers, name, token.id), token
