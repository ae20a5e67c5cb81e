"""
Every call to Stripe, real or sandbox, through the official SDK.

What comes back is plain JSON (decimals as strings), one shape for calls and events. What goes wrong is one of four
exceptions, by what it means for us: Stripe said no, the card was declined, Stripe is busy (not executed), or nobody
knows. Source: https://docs.stripe.com/error-low-level and the SDK's own source (stripe 16.1, API 2026-10-28.endive).
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from paywright.environments.actions import StripeCredentials
from paywright.kernel import faults
from paywright.kernel.ids import wall_ms
from paywright.stripe.background import is_background
from paywright.stripe.pace import Pace
from paywright.stripe.rounds import once_in_round

if TYPE_CHECKING:
    from stripe import StripeClient, StripeError

PAGE_SIZE = 100
BUSY_TRIES = 3
TIMEOUT_S = (3, 20)
BACKGROUND_TIMEOUT_S = (3, 60)
"""To connect, and to answer."""
_BACK_OFF_S_MAX = 60.0

ReadClock = Callable[[int, bool], None]
"""Told the sandbox's time in milliseconds, and whether it runs, whenever an answer carries it."""


class StripeRefused(Exception):
    """A definite no: 400, 401, 403 or 404. Nothing was done."""

    def __init__(self, status: int, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param

    @property
    def is_missing(self) -> bool:
        return self.code == "resource_missing"

    @property
    def is_key_dead(self) -> bool:
        return self.status in (401, 403)


class StripeDeclined(StripeRefused):
    """402: the card said no. `decline_code` is Stripe's, for operators; show people only what payments.rules.display_failure lets through."""

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        decline_code: str | None,
        payment_intent: dict[str, Any] | None,
    ) -> None:
        super().__init__(status, code, message)
        self.decline_code, self.payment_intent = decline_code, payment_intent


class StripeBusy(Exception):
    """429 or a twin in flight: not executed. Repeat with the same key, later."""


KEYS_KEPT_MS = 23 * 3_600_000
"""Stripe keeps a key for at least 24 hours. After that a repeat would do the work again: look before creating."""


class StripeUnknown(Exception):
    """
    5xx, a timeout or a cut connection: it may or may not have been done. A repeat with the same key tells.

    `is_kept`: Stripe replayed a 5xx it keeps under this key, so no repeat will ever say more. Look whether it was done; if not, use a new generation.
    """

    def __init__(self, message: str, *, is_kept: bool = False) -> None:
        super().__init__(message)
        self.is_kept = is_kept


class Gateway:
    """One environment's way to Stripe. Thread-safe; the SDK is imported by the first call."""

    def __init__(
        self,
        credentials: StripeCredentials,
        *,
        limiter: threading.Semaphore,
        read_clock: ReadClock | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`pace` is kept by background calls only (`stripe.background`)."""
        self._credentials = credentials
        self._limiter = limiter
        self._read_clock = read_clock
        self._pace = pace
        self._made: dict[bool, StripeClient] = {}
        self._making = threading.Lock()
        self.date: str | None = None
        """The `Date` of the newest answer, as HTTP writes it."""

    def get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Raises `StripeRefused` (`is_missing` for a 404), `StripeBusy`, `StripeUnknown`. In a round the same is asked once."""
        asked = params or {}
        what = ("get", self, path, msgspec.json.encode(asked, order="sorted"))
        return once_in_round(what, lambda: self._call("get", path, asked, None))

    def post(
        self, path: str, params: dict[str, Any], *, idempotency_key: str, repeatable: bool = False
    ) -> dict[str, Any]:
        """
        The key comes from a row of ours, so that a repeat after a crash meets Stripe's first answer.

        `repeatable`: the call says how things shall be, so that making it twice changes nothing. A 5xx that Stripe keeps is passed over.
        """
        assert 1 <= len(idempotency_key) <= 230
        try:
            return self._call("post", path, params, idempotency_key)
        except StripeUnknown as unknown:
            if not (repeatable and unknown.is_kept):
                raise
            return self._call("post", path, params, f"{idempotency_key}:{wall_ms()}")

    def delete(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._call("delete", path, params or {}, None)

    def pages(self, path: str, params: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Every element of a list, page by page, in Stripe's order (newest first)."""
        asked = {"limit": PAGE_SIZE, **(params or {})}
        while True:
            page = self.get(path, asked)
            yield from page["data"]
            if not page["has_more"] or not page["data"]:
                return
            asked = {**asked, "starting_after": page["data"][-1]["id"]}

    def _call(self, method: str, path: str, params: dict[str, Any], idempotency_key: str | None) -> dict[str, Any]:
        """A busy Stripe is asked again with the same key: a buyer's call gives up after three tries, a background call at once."""
        tries = 1 if is_background() else BUSY_TRIES
        for attempt in range(1, tries + 1):
            try:
                return self._call_once(method, path, params, idempotency_key)
            except StripeBusy:
                if attempt == tries:
                    raise
                time.sleep(min(_BACK_OFF_S_MAX, 2 ** (attempt - 1)) * random.uniform(0.5, 1.0))
        raise AssertionError("the loop returns or raises")

    def _call_once(self, method: str, path: str, params: dict[str, Any], idempotency_key: str | None) -> dict[str, Any]:
        import stripe

        options: dict[str, Any] = {}
        if idempotency_key is not None:
            options["idempotency_key"] = idempotency_key
        if self._credentials.account and path != "/v1/account":
            options["stripe_account"] = self._credentials.account
        if self._pace is not None and is_background():
            self._pace.wait()
        faults.point(f"before call {method} {path}")
        try:
            with self._limiter:
                answer = self._client().raw_request(method, path, **params, **options)
        except stripe.StripeError as error:
            self._hear_time(error.headers)
            raise _named(error) from error
        faults.point(f"after call {method} {path}")
        self._hear_time(answer.headers)
        decoded: dict[str, Any] = msgspec.json.decode(answer.body)
        return decoded

    def _hear_time(self, headers: Any) -> None:
        self.date = (headers or {}).get("Date", self.date)
        shown = (headers or {}).get("Sandbox-Time")
        if shown is not None and self._read_clock is not None:
            self._read_clock(int(shown) * 1000, (headers or {}).get("Sandbox-Clock") != "frozen")

    def _client(self) -> "StripeClient":
        patient = is_background()
        with self._making:
            if patient not in self._made:
                self._made[patient] = _stripe_client(self._credentials, BACKGROUND_TIMEOUT_S if patient else TIMEOUT_S)
            return self._made[patient]


def _stripe_client(credentials: StripeCredentials, timeout_s: tuple[int, int]) -> "StripeClient":
    import stripe

    from paywright.stripe.transport import client_for

    base: Any = None
    if credentials.api_base:
        # All four, or something leaks to the real Stripe.
        base = dict.fromkeys(("api", "connect", "files", "meter_events"), credentials.api_base.rstrip("/"))
    return stripe.StripeClient(
        credentials.secret_key,
        base_addresses=base,
        max_network_retries=2,  # A client built without it retries nothing.
        http_client=client_for(credentials.api_base or stripe.DEFAULT_API_BASE, timeout_s),
    )


def _named(error: "StripeError") -> Exception:
    """Which of the four it is. `RateLimitError`, `IdempotencyError` and `AuthenticationError` keep their code in `.error` only."""
    status, inner = error.http_status, error.error
    code = getattr(inner, "code", None) or error.code
    message = error.user_message or "no message"
    if status is None or status >= 500:
        kept = str((error.headers or {}).get("Idempotent-Replayed", "")).lower() == "true"
        return StripeUnknown(f"{type(error).__name__}: {status or 'no answer'}", is_kept=kept)
    if status in (409, 429):
        return StripeBusy(f"{status} {code}")
    if status == 402:
        body = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
        return StripeDeclined(status, code, message, body.get("decline_code"), body.get("payment_intent"))
    return StripeRefused(status, code, message, getattr(inner, "param", None))


def stripe_key(environment_id: str, row_id: str, step: str, generation: int = 1) -> str:
    """The Idempotency-Key of one step of one row. `generation` rises only when Stripe definitely said no and someone tries again."""
    return f"pw:{environment_id}:{row_id}:{step}:{generation}"
