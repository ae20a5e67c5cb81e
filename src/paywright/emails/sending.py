"""
Letters leave: claimed, rendered, handed to the mail server, and marked, in that order.

Which of the two ways to be wrong, twice or never, is decided in `outbox.letters`: never twice. What stays open is a moment in which the server has
the text and we have not heard its answer; a letter that is lost in it is `uncertain`, a person is told, and `paywright emails resend` sends it again.
"""

import logging
from collections.abc import Callable

from paywright.emails import smtp
from paywright.emails.model import KINDS, Kind, Rendered, Shop
from paywright.emails.shop import Post, shop_of, what_is_missing
from paywright.emails.templates import TemplateBroken
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.outbox import letters
from paywright.outbox.actions import record
from paywright.outbox.letters import Letter
from paywright.storage.work import Work

LEASE_MS = 180_000
SENT_AT_ONCE = 20
RETRY_AFTER_MS = (30_000, 120_000, 600_000, 3_600_000, 14_400_000, 43_200_000, 86_400_000)
"""Eight tries in under two days; a kind may be too late before that."""
NOTICE_EVERY_MS = 86_400_000

PageLink = Callable[[App, Environment, Customer], str]
"""The address of a customer's own page: the pages stand to the right of this room and hand it in."""

log = logging.getLogger("paywright.emails")


def send_due(app: App, environment: Environment, page_link: PageLink) -> int:
    """Letters whose turn it is, one try each. Without a mail server they are kept. Answers how many there were."""
    with app.database.read() as connection:
        if not letters.is_due(connection, environment.id):
            return 0
    secret = app.settings.require_secret()
    with app.work(environment.id) as work:
        claimed, lost = letters.claim_due(work, secret, lease_ms=LEASE_MS, limit=SENT_AT_ONCE)
        for letter in lost:
            _notice(work, letter)
        if what_is_missing(app.settings, environment) is not None:
            for letter in claimed:
                letters.end(work, letter.id, "kept")
            return len(claimed) + len(lost)
    ready = [letter for letter in claimed if _is_in_time(app, environment, letter)]
    if ready:
        _send(app, environment, ready, page_link)
    return len(claimed) + len(lost)


def rendered(app: App, environment: Environment, letter: Letter, page_link: PageLink) -> Rendered:
    """Raises `TemplateBroken`. Rendered when it is sent, so that a mended template mends what waits."""
    shop = shop_of(app.settings, environment)
    facts = dict(letter.facts)
    key = facts.get("customer")
    kind: Kind = letter.kind  # type: ignore[assignment]
    if KINDS[kind].audience == "customer":
        facts.pop("customer", None)
        customer = None if key is None else Customer.of_key(key)
        has_page = customer is not None and customer.type in ("user", "team") and kind != "sign_in_code"
        facts["account_url"] = page_link(app, environment, customer) if customer is not None and has_page else None
    if kind == "sign_in_code":
        facts.setdefault("minutes", KINDS["sign_in_code"].late_after_ms // 60_000)
    return app.resource(Post).templates.render(kind, shop, facts)


def _send(app: App, environment: Environment, ready: list[Letter], page_link: PageLink) -> None:
    """All over one connection. When that ends, the rest waits for the next turn."""
    server = app.resource(Post).server
    assert server is not None
    waiting = list(ready)
    try:
        with smtp.connected(server) as connection:
            while waiting:
                try:
                    _send_one(app, environment, connection, waiting[0], page_link)
                except (smtp.Refused, TemplateBroken) as error:
                    is_final = isinstance(error, smtp.Refused) and error.is_final
                    _failed(app, environment, waiting[0], str(error), is_final=is_final)
                    connection.rset()
                waiting.pop(0)
    except smtp.Lost as error:
        with app.work(environment.id) as work:
            letters.end(work, waiting[0].id, "uncertain", str(error))
            _notice(work, waiting[0])
        waiting.pop(0)
        _put_back(app, environment, waiting, str(error))
    except (smtp.Unreachable, *smtp.BROKEN) as error:
        log.warning("environment %s: the mail server: %s", environment.id, error)
        _put_back(app, environment, waiting, str(error))


def _send_one(
    app: App, environment: Environment, connection: smtp.Connection, letter: Letter, page_link: PageLink
) -> None:
    shop = shop_of(app.settings, environment)
    assert shop.sender is not None
    recipient = smtp.deliverable(letter.recipient)
    named = smtp.message_id(environment.id, letter.kind, letter.fact, shop.sender)
    message = smtp.composed(
        rendered(app, environment, letter, page_link),
        sender=shop.sender,
        shop_name=shop.name,
        recipient=recipient,
        named=named,
        at=letter.created_at,
    )

    def begin() -> bool:
        with app.work(environment.id) as work:
            return letters.begin_sending(work, letter)

    if smtp.hand_over(connection, message, recipient, begin):
        with app.work(environment.id) as work:
            letters.end(work, letter.id, "sent")


def _is_in_time(app: App, environment: Environment, letter: Letter) -> bool:
    kind: Kind = letter.kind  # type: ignore[assignment]
    if wall_ms() <= letter.created_at + KINDS[kind].late_after_ms:
        return True
    _failed(app, environment, letter, f"too late; {letter.last_error or 'nobody was there to send it'}", is_final=True)
    return False


def _failed(app: App, environment: Environment, letter: Letter, error: str, *, is_final: bool) -> None:
    log.warning("environment %s: letter %s, try %s: %s", environment.id, letter.id, letter.attempts, error)
    with app.work(environment.id) as work:
        if is_final or letter.attempts > len(RETRY_AFTER_MS):
            letters.end(work, letter.id, "dead", error)
            _notice(work, letter)
        else:
            letters.postpone(work, letter, RETRY_AFTER_MS[letter.attempts - 1], error)


def _put_back(app: App, environment: Environment, waiting: list[Letter], error: str) -> None:
    for letter in waiting:
        _failed(app, environment, letter, error, is_final=False)


def _notice(work: Work, letter: Letter) -> None:
    """One incident a day, however many letters fail; none for a letter that tells of incidents."""
    kind: Kind = letter.kind  # type: ignore[assignment]
    told_lately = letters.has_died_since(work, wall_ms() - NOTICE_EVERY_MS, besides=letter.id)
    if KINDS[kind].audience == "customer" and not told_lately:
        record(
            work,
            "incident.opened",
            {"kind": "letters_undelivered", "facts": {"letter_id": letter.id, "letter": letter.kind}},
        )


def shop_line(app: App, environment: Environment) -> str:
    """For `paywright status`: one sentence."""
    missing = what_is_missing(app.settings, environment)
    shop: Shop = shop_of(app.settings, environment)
    return missing or f"sent as {shop.sender}" + ("" if shop.operator else "; no operator's address is set")
