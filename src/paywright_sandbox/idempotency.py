"""
Idempotency keys: one account's key keeps the first outcome for 24 hours of account time.

Refusals before the work begins (validation, 401, 403, 409, 429) are not kept: the same key may be used again for the mended request.
"""

import hashlib
import json

from .account import Account
from .errors import ApiError, Json, invalid
from .store import Store

KEPT_S = 86_400
KEY_MAX = 255
NOT_KEPT = frozenset({401, 403, 409, 429})


def fingerprint(method: str, path: str, tree: Json) -> str:
    return hashlib.sha256(json.dumps([method, path, tree], sort_keys=True).encode()).hexdigest()


def kept_outcome(account: Account, key: str, print_: str) -> Json | None:
    """The outcome to replay, or None. Refuses a key in use and a key used for something else."""
    if len(key) > KEY_MAX:
        raise invalid(f"Idempotency keys may be at most {KEY_MAX} characters long.")
    record = account.idempotency.get(key)
    if record is None or account.clock.now() - record["at"] >= KEPT_S:
        return None
    if record["print"] != print_:
        raise ApiError(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            type="idempotency_error",
        )
    if record.get("running"):
        raise ApiError(
            409,
            f"There is currently another in-progress request using this Idempotency-Key: {key}.",
            type="idempotency_error" if account.settings["variant"].get("U13", "a") == "a" else "invalid_request_error",
            code="idempotency_key_in_use",
        )
    return record


def keep(store: Store, account: Account, key: str, record: Json) -> None:
    """Keeps an outcome, and lets go of those older than a day now and then."""
    store.keep_idempotent(account, key, record)
    if len(account.idempotency) % 500 == 0:
        for old in [k for k, kept in account.idempotency.items() if record["at"] - kept["at"] >= KEPT_S]:
            store.keep_idempotent(account, old, None)
