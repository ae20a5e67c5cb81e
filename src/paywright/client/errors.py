"""
What can go wrong, as exceptions. One class per status, and one for the refusal every app handles.

    PaywrightError
    ├── InvalidRequest        400, 405, 413   the request itself is malformed; `param` says where
    ├── AuthenticationFailed  401             who are you
    ├── PaymentRequired       402             not paid for
    │   └── InsufficientQuantity              `requested`, `available`
    ├── PermissionDenied      403             not yours
    ├── NotFound              404
    ├── Conflict              409             conflicts with what is so
    ├── RuleBroken            422
    ├── RateLimited           429
    ├── NotImplementedYet     501
    └── Unavailable           500, 502, 503, no answer
"""

from typing import Any


class PaywrightError(Exception):
    """`code` is stable and what to branch on; `message` says what to do. `facts` explain it, `request_id` finds it in the server's log."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        param: str | None = None,
        facts: dict[str, Any] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.param, self.request_id = code, message, status, param, request_id
        self.facts: dict[str, Any] = facts or {}


class InvalidRequest(PaywrightError):
    pass


class AuthenticationFailed(PaywrightError):
    pass


class PaymentRequired(PaywrightError):
    pass


class InsufficientQuantity(PaymentRequired):
    @property
    def requested(self) -> int:
        return int(self.facts["requested"])

    @property
    def available(self) -> int:
        """What can be spent now; below zero when there is debt."""
        return int(self.facts["available"])


class PermissionDenied(PaywrightError):
    pass


class NotFound(PaywrightError):
    pass


class Conflict(PaywrightError):
    pass


class RuleBroken(PaywrightError):
    pass


class RateLimited(PaywrightError):
    pass


class NotImplementedYet(PaywrightError):
    pass


class Unavailable(PaywrightError):
    """Nothing is known to have happened. Repeat it with the same idempotency key."""


BY_STATUS: dict[int, type[PaywrightError]] = {
    400: InvalidRequest,
    405: InvalidRequest,
    413: InvalidRequest,
    401: AuthenticationFailed,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: RuleBroken,
    429: RateLimited,
    501: NotImplementedYet,
}
BY_CODE: dict[str, type[PaywrightError]] = {"insufficient_quantity": InsufficientQuantity}


def of_answer(status: int, body: Any) -> PaywrightError:
    """The exception an answer of 400 and above stands for. Something in between may have answered in its own words."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or "code" not in error:
        return Unavailable("unavailable", f"The server answered {status} without an error of ours.", status=status)
    kind = BY_CODE.get(error["code"]) or BY_STATUS.get(status, Unavailable)
    return kind(
        error["code"],
        error.get("message", ""),
        status=status,
        param=error.get("param"),
        facts=error.get("facts"),
        request_id=error.get("request_id"),
    )
