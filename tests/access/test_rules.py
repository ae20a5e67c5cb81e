"""Who may do what. Pure."""

import pytest

from paywright.access.model import SCOPES, Caller
from paywright.access.rules import as_guest, may, may_use_field, token_caller_name
from paywright.kernel.model import Customer

ANNE, BOB, CREW, CUSTOM = (
    Customer("user", "anne"),
    Customer("user", "bob"),
    Customer("team", "crew"),
    Customer("custom", "org"),
)
GUEST, OTHER_GUEST = Customer("guest", "gst_1"), Customer("guest", "gst_2")


def caller(kind: str, scopes: tuple[str, ...] = SCOPES, customers: tuple[Customer, ...] = ()) -> Caller:
    return Caller(kind, "test", frozenset(scopes), frozenset(customers), kind, "key_1")  # type: ignore[arg-type]


EVERYTHING = caller("secret")
READER = caller("secret", ("read",))
PUBLIC = caller("publishable", ())
TOKEN = caller("customer_token", ("read", "customers"), (ANNE, CREW))
LOOKING = caller("customer_token", ("read",), (ANNE,))
A_GUEST = as_guest(PUBLIC, GUEST, "a claim token")

CASES = [
    # caller, audience, scope, customer, refusal
    (EVERYTHING, "anyone", "read", None, None),
    (EVERYTHING, "customer", "customers", BOB, None),
    (EVERYTHING, "customer", "read", CUSTOM, None),
    (EVERYTHING, "customer", "read", GUEST, None),
    (EVERYTHING, "secret", "refunds", None, None),
    (READER, "customer", "read", BOB, None),
    (READER, "secret", "ledger", None, "missing_scope"),
    (READER, "customer", "customers", BOB, "missing_scope"),
    (caller("secret", ("ledger",)), "anyone", "read", None, "missing_scope"),
    (PUBLIC, "anyone", "read", None, None),
    (PUBLIC, "customer", "read", ANNE, "not_your_customer"),
    (PUBLIC, "customer", "read", GUEST, "not_your_customer"),
    (PUBLIC, "secret", "read", None, "secret_key_required"),
    (TOKEN, "anyone", "read", None, None),
    (TOKEN, "customer", "read", ANNE, None),
    (TOKEN, "customer", "customers", CREW, None),
    (TOKEN, "customer", "read", BOB, "not_your_customer"),
    (TOKEN, "customer", "read", Customer("team", "anne"), "not_your_customer"),
    (TOKEN, "customer", "read", CUSTOM, "not_your_customer"),
    (TOKEN, "secret", "ledger", ANNE, "secret_key_required"),
    (TOKEN, "secret", "ledger", BOB, "secret_key_required"),
    (LOOKING, "customer", "customers", ANNE, "missing_scope"),
    (LOOKING, "customer", "customers", BOB, "not_your_customer"),
    (A_GUEST, "customer", "read", GUEST, None),
    (A_GUEST, "customer", "customers", GUEST, None),
    (A_GUEST, "customer", "read", OTHER_GUEST, "not_your_customer"),
    (A_GUEST, "customer", "read", ANNE, "not_your_customer"),
    (A_GUEST, "secret", "ledger", GUEST, "secret_key_required"),
    (A_GUEST, "anyone", "read", None, None),
]


@pytest.mark.parametrize(("who", "audience", "scope", "customer", "code"), CASES)
def test_a_caller_may_exactly_this(
    who: Caller, audience: str, scope: str, customer: Customer | None, code: str | None
) -> None:
    refusal = may(who, audience, scope, customer=customer)  # type: ignore[arg-type]
    assert (refusal and refusal.code) == code
    if code == "missing_scope":
        assert refusal is not None
        assert refusal.facts == {"scope": scope}


def test_a_field_for_secret_keys_is_refused_to_all_others() -> None:
    assert may_use_field(READER, "at") is None
    for who in (PUBLIC, TOKEN, A_GUEST):
        refusal = may_use_field(who, "at")
        assert refusal is not None
        assert (refusal.code, refusal.param) == ("secret_key_required", "at")


def test_a_claim_token_makes_a_guest_of_a_publishable_key_only() -> None:
    assert as_guest(TOKEN, GUEST, "a claim token") is TOKEN
    assert as_guest(EVERYTHING, GUEST, "a claim token") is EVERYTHING


def test_one_claim_token_is_one_idempotency_caller_and_never_shown() -> None:
    again, other = as_guest(PUBLIC, GUEST, "a claim token"), as_guest(PUBLIC, GUEST, "another token")
    assert again.idempotency_caller == A_GUEST.idempotency_caller != other.idempotency_caller
    assert "a claim token" not in repr(A_GUEST)


def test_a_set_of_customers_is_one_idempotency_caller() -> None:
    assert token_caller_name(frozenset((ANNE, CREW))) == token_caller_name(frozenset((CREW, ANNE)))
    assert token_caller_name(frozenset((ANNE, CREW))) != token_caller_name(frozenset((ANNE,)))
