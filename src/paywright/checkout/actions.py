"""
Buying.

`start` decides, makes sure of the Stripe Customer, commits our row with exactly what Stripe will be sent, and only then calls Stripe, with a key
made of that row's id: however often it is repeated, and wherever it was cut off, Stripe makes one session. `sync` asks Stripe how things stand;
`expire` ends an open one.
"""

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.catalog.actions import pin_inline
from paywright.catalog.push import push
from paywright.checkout import in_app, queries, rules
from paywright.checkout.fulfilment import apply, fetch
from paywright.checkout.model import CheckoutSession, PinnedLine, StartCheckout
from paywright.checkout.opening import open_at_stripe
from paywright.checkout.record import change, insert, tell_activated
from paywright.customers.actions import ensure_stripe_customer
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership.model import ResolvedLine
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey
from paywright.storage.work import RolledBack, Work
from paywright.stripe.gateway import StripeRefused, stripe_key
from paywright.subscriptions.queries import trials_used

ROUNDS_MAX = 5
"""How often a start begins anew because another one stood in the way and had to be expired first."""


class Contended(Exception):
    """Other checkouts of the same customer kept getting in between. Repeat the request."""


def start(
    app: App, environment: Environment, asked: StartCheckout, *, key: IdempotencyKey | None = None
) -> CheckoutSession | Refusal:
    """
    Opens a checkout, or answers the one that is open for the same thing. Refuses by rules.md 4.1 and 6.

    With a key, a repeat answers the same session in its present state; one that is expired or failed is renewed. Raises `StripeUnknown` and
    `StripeBusy` when Stripe's answer is not known: the row stands, and a repeat goes on with it.
    """
    refusal = rules.malformed(asked, environment)
    if refusal is not None:
        return refusal
    renews = None
    if key is not None:
        earlier = _earlier(app, environment, key)
        if isinstance(earlier, Refusal):
            return earlier
        if earlier is not None and earlier.status not in ("expired", "failed"):
            return go_on(app, environment, earlier)
        renews = None if earlier is None else earlier.id
    for _ in range(ROUNDS_MAX):
        begun = _begin(app, environment, asked, key, renews)
        if isinstance(begun, Refusal):
            return keep_refusal(app, environment, key, begun)
        if isinstance(begun, CheckoutSession):
            opened = go_on(app, environment, begun)
            if not (isinstance(opened, Refusal) and _is_sold_otherwise(app, environment, asked, begun)):
                return opened
            renews = begun.id
            continue
        for other in begun:
            expire(app, environment, other.id)
    raise Contended("other checkouts of this customer kept getting in between")


def _is_sold_otherwise(app: App, environment: Environment, asked: StartCheckout, refused: CheckoutSession) -> bool:
    """A new catalog was faster at Stripe than the session, whose price is no more: begin anew, with what is so now."""
    lines = _decide(app, environment, asked)
    if isinstance(lines, Refusal):
        return True
    pinned = [line.version_id for line in refused.lines if line.product_id is not None]
    return pinned != [line.version_id for line in lines if line.product_id is not None]


def go_on(app: App, environment: Environment, session: CheckoutSession) -> CheckoutSession | Refusal:
    """Opens at Stripe what was only recorded; anything else is answered as it stands."""
    if session.status != "initialized":
        return session
    return open_at_stripe(app, environment, session)


def sync(app: App, environment: Environment, session_id: str) -> CheckoutSession | Refusal:
    """Asks Stripe now and applies what it says: the success page's truth. Safe at any time and at once with the webhook."""
    found = _read(app, environment, session_id)
    if found is None:
        return Refusal("checkout_session_not_found")
    if found.status == "initialized":
        opened = open_at_stripe(app, environment, found)
        if isinstance(opened, Refusal):
            return opened
        found = opened
    if found.is_in_app and found.stripe_payment_intent_id is not None:
        in_app.sync(app, environment, found.stripe_payment_intent_id)
    elif found.stripe_checkout_session_id is not None:
        fetched = fetch(app, environment, found.stripe_checkout_session_id)
        with app.work(environment.id) as work:
            apply(work, fetched)
    return _read(app, environment, session_id) or found


def expire(app: App, environment: Environment, session_id: str) -> CheckoutSession | Refusal:
    """Ends an open checkout; again answers the same. A completed one is `session_not_open`."""
    found = _read(app, environment, session_id)
    if found is None:
        return Refusal("checkout_session_not_found")
    if found.status == "initialized":
        opened = open_at_stripe(app, environment, found)
        found = opened if isinstance(opened, CheckoutSession) else _read(app, environment, session_id) or found
    if found.status == "open":
        path = f"/v1/checkout/sessions/{found.stripe_checkout_session_id}/expire"
        if found.is_in_app:
            path = f"/v1/payment_intents/{found.stripe_payment_intent_id}/cancel"
        try:
            key = stripe_key(environment.id, found.id, "expire")
            app.gateway(environment).post(path, {}, idempotency_key=key, repeatable=True)
        except StripeRefused as refused:
            if refused.is_key_dead:
                raise
        # Refused means the buyer was faster, or it had expired by itself: either way Stripe knows how it stands.
        synced = sync(app, environment, session_id)
        found = synced if isinstance(synced, CheckoutSession) else found
    if found.status == "completed":
        return Refusal("session_not_open", {"status": found.status})
    return found


def end_overdue(app: App, environment: Environment, session_id: str) -> CheckoutSession | Refusal:
    """A hosted session has expired at Stripe by itself; an intent lives on until it is canceled."""
    found = _read(app, environment, session_id)
    if found is not None and found.is_in_app:
        return expire(app, environment, session_id)
    return sync(app, environment, session_id)


def _earlier(app: App, environment: Environment, key: IdempotencyKey) -> CheckoutSession | Refusal | None:
    with app.work(environment.id) as work:
        kept = idempotency.look(work, key)
        return kept if kept is None or isinstance(kept, Refusal) else _behind(work, kept)


def _behind(work: Work, kept: idempotency.Kept) -> CheckoutSession | Refusal | None:
    """A key points at its session, or holds the refusal it met."""
    if kept.subject_id is not None:
        return queries.session(work.connection, work.environment_id, kept.subject_id)
    assert kept.body is not None
    return msgspec.json.decode(kept.body, type=Refusal)


def foresee(app: App, environment: Environment, asked: StartCheckout) -> Refusal | None:
    """What `start` would refuse now. Nothing is written."""
    decided = rules.malformed(asked, environment) or _decide(app, environment, asked)
    return decided if isinstance(decided, Refusal) else None


def keep_refusal(app: App, environment: Environment, key: IdempotencyKey | None, refusal: Refusal) -> Refusal:
    """A refusal is an answer like any other: a repeat gets it again, whatever has become possible since."""
    if key is None:
        return refusal
    with app.work(environment.id) as work:
        if refusal.status in idempotency.STORED_STATUSES and refusal.code != "idempotency_key_reused":
            kept = idempotency.claim(work, key)
            if kept is None:
                idempotency.store(work, key, refusal.status, msgspec.json.encode(refusal).decode())
    return refusal


def _begin(
    app: App, environment: Environment, asked: StartCheckout, key: IdempotencyKey | None, renews: str | None
) -> CheckoutSession | Refusal | list[CheckoutSession]:
    """Decides and records. A list: these open checkouts stand in the way and must be expired first."""
    lines = _decide(app, environment, asked)
    if isinstance(lines, Refusal):
        return lines
    stripe_customer_id = None
    prices: dict[tuple[str, str], str] = {}
    if environment.is_at_stripe:
        if asked.customer.type != "guest":
            stripe_customer_id = ensure_stripe_customer(app, environment, asked.customer, email=asked.customer_email)
        if not asked.is_in_app:
            prices = _stripe_prices(app, environment, lines)
    outcome: CheckoutSession | Refusal | list[CheckoutSession] | None = None
    with app.work(environment.id) as work:
        session_id = new_id("chk")
        if key is not None:
            twin = _claimed_by_twin(work, key, session_id, renews)
            if twin is not None:
                outcome = twin
                raise RolledBack
        outcome = _record(work, environment, asked, _Attempt(session_id, renews, stripe_customer_id, prices))
        if not isinstance(outcome, CheckoutSession):
            raise RolledBack
        if key is not None and outcome.id != session_id:
            idempotency.point_at(work, key, outcome.id)
    assert outcome is not None
    return outcome


def _claimed_by_twin(
    work: Work, key: IdempotencyKey, session_id: str, renews: str | None
) -> CheckoutSession | Refusal | None:
    """The same key at once: the first one's session is everybody's. A key whose session is over is turned to the new one."""
    kept = idempotency.claim(work, key, subject_id=session_id)
    if kept is None or isinstance(kept, Refusal):
        return kept
    if kept.subject_id == renews and renews is not None:
        idempotency.point_at(work, key, session_id)
        return None
    return _behind(work, kept)


def _decide(app: App, environment: Environment, asked: StartCheckout) -> tuple[ResolvedLine, ...] | Refusal:
    """The rules, before anything at Stripe is touched. They are asked again under the customer's lock."""
    with app.work(environment.id) as work:
        lines = _resolved(work, environment, asked)
    if asked.is_in_app and not isinstance(lines, Refusal) and rules.mode_of(lines) == "subscription":
        return invalid_request(
            "line_items", "In the app one pays one-time prices only; sell subscriptions with `ui: hosted`."
        )
    return lines


class _Attempt(msgspec.Struct, frozen=True):
    """What was found out about Stripe before the row is written. `stripe_customer_id` None: a guest's, or no Stripe is involved."""

    session_id: str
    renews: str | None
    stripe_customer_id: str | None
    stripe_price_ids: dict[tuple[str, str], str]


def _record(
    work: Work, environment: Environment, asked: StartCheckout, attempt: _Attempt
) -> CheckoutSession | Refusal | list[CheckoutSession]:
    """The rules once more, under the customer's lock; then the open session for the same thing, or what is in the way, or a new row."""
    lock_customers(work, [asked.customer])
    lines = _resolved(work, environment, asked)
    if isinstance(lines, Refusal):
        return lines
    known = attempt.stripe_price_ids
    if (
        environment.is_at_stripe
        and not asked.is_in_app
        and any((line.product_id, line.price_id) not in known for line in lines if line.product_id)
    ):
        return []  # The catalog changed between deciding and now: begin anew.
    in_the_way = queries.open_in(work.connection, work.environment_id, asked.customer, rules.places(lines))
    if in_the_way:
        wanted = rules.parameters_hash(asked, lines)
        found = [queries.parameters_hash_of(work.connection, work.environment_id, one.id) for one in in_the_way]
        return in_the_way[0] if found == [wanted] else in_the_way
    made = _insert(work, environment, asked, attempt, lines)
    if not environment.is_at_stripe:
        return _complete_at_once(work, environment, made, lines)
    if made.is_in_app and rules.total_of(lines, made.currency) == 0:
        return in_app.complete_for_nothing(work, environment, made)
    return made


def _insert(
    work: Work, environment: Environment, asked: StartCheckout, attempt: _Attempt, lines: tuple[ResolvedLine, ...]
) -> CheckoutSession:
    parameters = None
    if environment.is_at_stripe and asked.is_in_app:
        parameters = rules.in_app_parameters(
            asked,
            lines,
            environment=environment,
            session_id=attempt.session_id,
            stripe_customer_id=attempt.stripe_customer_id,
        )
    elif environment.is_at_stripe:
        parameters = rules.stripe_parameters(
            asked,
            lines,
            environment=environment,
            session_id=attempt.session_id,
            stripe_customer_id=attempt.stripe_customer_id,
            stripe_price_ids=attempt.stripe_price_ids,
            trial=_trial(work, asked, lines),
            now=work.now,
        )
    return insert(
        work,
        asked,
        session_id=attempt.session_id,
        mode=rules.mode_of(lines),
        lines=tuple(_pinned(work, line) for line in lines),
        places=rules.places(lines),
        parameters_hash=rules.parameters_hash(asked, lines),
        currency=asked.currency or environment.default_currency,
        renews=attempt.renews,
        stripe_customer_id=attempt.stripe_customer_id,
        stripe_parameters=parameters,
    )


def _resolved(work: Work, environment: Environment, asked: StartCheckout) -> tuple[ResolvedLine, ...] | Refusal:
    return ownership.resolved(
        work,
        environment,
        asked.customer,
        asked.lines,
        purpose="checkout",
        with_secret_key=asked.with_secret_key,
        currency=asked.currency,
    )


def _trial(work: Work, asked: StartCheckout, lines: tuple[ResolvedLine, ...]) -> Period | None:
    used = trials_used(work.connection, work.environment_id, asked.customer.key, rules.places(lines))
    return rules.trial_of(lines, used)


def _complete_at_once(
    work: Work, environment: Environment, session: CheckoutSession, lines: tuple[ResolvedLine, ...]
) -> CheckoutSession:
    """The `instant` provider: free, granted now, and the app's redirect works unchanged."""
    for index, line in enumerate(lines):
        owned = ownership.own(
            work,
            environment,
            session.customer,
            line,
            source="test",
            checkout_session_id=session.id,
            line_index=index,
        )
        assert not isinstance(owned, Refusal), "resolved under the same lock"
    tell_activated(work, session)
    url = rules.with_session_id(session.success_url, session.id) or None
    return change(work, session, status="completed", payment_status="no_payment_required", url=url, fulfilled=1)


def _pinned(work: Work, line: ResolvedLine) -> PinnedLine:
    assert line.price_id is not None, "what has no price was refused before"
    version_id = line.version_id if line.product_id is not None else pin_inline(work, line.product).id
    return PinnedLine(line.product_id, version_id, line.price_id, line.quantity)


def _stripe_prices(app: App, environment: Environment, lines: tuple[ResolvedLine, ...]) -> dict[tuple[str, str], str]:
    """Stripe's ids of the prices, pushed first where Stripe does not have them yet."""
    found = _known_prices(app, environment, lines)
    if any((line.product_id, line.price_id) not in found for line in lines if line.product_id is not None):
        push(app, environment.id)
        found = _known_prices(app, environment, lines)
    return found


def _known_prices(app: App, environment: Environment, lines: tuple[ResolvedLine, ...]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    with app.database.read() as connection:
        for product_id in sorted({line.product_id for line in lines if line.product_id is not None}):
            for price_id, stripe_id in catalog_queries.stripe_price_ids(connection, environment.id, product_id).items():
                found[product_id, price_id] = stripe_id
    return found


def _read(app: App, environment: Environment, session_id: str) -> CheckoutSession | None:
    with app.database.read() as connection:
        return queries.session(connection, environment.id, session_id)
