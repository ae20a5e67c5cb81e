"""An environment as rules.md shows it, and the switches an operator may set."""

from typing import Annotated, Any, Literal

import msgspec

from paywright.kernel.model import Mode, Provider

AccessChoice = Literal["keep", "none"] | Annotated[int, msgspec.Meta(ge=0, le=3650)]
"""Keep while Stripe retries, none, or a number of days from the first failed payment."""

TakeBack = Literal["unspent", "all", "none"]
EndPolicy = Literal["now", "period_end", "none"]


class AccessPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    past_due: AccessChoice = "keep"
    unpaid: AccessChoice = "none"
    paused: AccessChoice = "none"


class RefundPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a refund of everything that was paid does; a lesser one does nothing unless it says so."""

    end: EndPolicy = "now"
    take_back: TakeBack = "unspent"


LetterKind = Literal[
    "receipt", "payment_failed", "refund", "trial_ending", "renewal_upcoming", "cancel_scheduled", "plan_ended", "units_expiring", "sign_in_code",
    "dispute", "incident", "payout_failed",
]  # fmt: skip

OneLine = Annotated[str, msgspec.Meta(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]+$")]


class EmailPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`off`: kinds that are not written. None: `sender` and `operator` are the server's, `shop_name` is the sender's name."""

    off: list[LetterKind] = []
    sender: OneLine | None = None
    operator: OneLine | None = None
    shop_name: OneLine | None = None
    locale: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")] = "en_US"
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`allowed_origins` None means: any in test, none in live."""

    allowed_origins: list[str] | None = None
    access: AccessPolicy = AccessPolicy()
    on_refund: RefundPolicy = RefundPolicy()
    on_dispute_lost: TakeBack = "all"
    expiring_soon_hours: Annotated[int, msgspec.Meta(ge=0, le=87_600)] = 72
    emails: EmailPolicy = EmailPolicy()


class Environment(msgspec.Struct, frozen=True):
    """No secret is in here: it may be shown and logged."""

    id: str
    mode: Mode
    provider: Provider
    block_new_purchases: bool
    default_currency: str
    policy: Policy
    stripe_publishable_key: str | None
    stripe_account: str | None
    stripe_account_id: str | None
    stripe_api_base: str | None

    @property
    def livemode(self) -> bool:
        return self.mode == "live"

    @property
    def is_at_stripe(self) -> bool:
        """Purchases go through Stripe's API: the real one or the sandbox's."""
        return self.provider in ("stripe", "sandbox")

    def origins_allowed(self) -> list[str] | None:
        """None: any origin."""
        if self.policy.allowed_origins is not None:
            return self.policy.allowed_origins
        return None if self.mode == "test" else []


def public(environment: Environment, now: str) -> dict[str, Any]:
    """The wire shape of `GET /v1/environment`. `now` is RFC 3339."""
    return {
        "id": environment.id,
        "mode": environment.mode,
        "provider": environment.provider,
        "now": now,
        "block_new_purchases": environment.block_new_purchases,
        "default_currency": environment.default_currency,
        **msgspec.to_builtins(environment.policy),
    }
