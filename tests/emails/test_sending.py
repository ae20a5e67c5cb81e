"""Letters leave: once per fact, never twice, through failures of every kind, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.customers.tables import stripe_customers
from paywright.emails.sending import NOTICE_EVERY_MS, RETRY_AFTER_MS
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.outbox import letters as outbox
from paywright.outbox.letters import write_letter
from paywright.outbox.tables import events, letters
from tests.emails.postbox import Postbox, Writing, with_password
from tests.harness.shop import SECRET, Shop

USER = Customer("user", "u_1")
ADDRESS = "buyer@x.example"
SENDER = "The Shop <billing@shop.example>"


@pytest.fixture(scope="module")
def server() -> Iterator[Postbox]:
    made = Postbox()
    yield made
    made.stop()


@pytest.fixture
def postbox(server: Postbox) -> Postbox:
    server.empty()
    return server


@pytest.fixture
def writing(database_url: str, postbox: Postbox) -> Iterator[Writing]:
    shop = Shop(database_url, {"items": {"credits": {"display_name": "Credits"}}, "products": {}})
    made = Writing(shop)
    made.configure(smtp_url=postbox.url, email_from=SENDER, operator_email="ops@shop.example")
    address(made, USER, ADDRESS)
    yield made
    shop.close()


def address(writing: Writing, customer: Customer, email: str | None) -> None:
    with writing.app.work("test") as work:
        row = {"environment_id": "test", "customer": customer.key, "row_id": f"r_{customer.id}", "email": email}
        work.execute(stripe_customers.insert().values(**row, created_at=0, requested_at=0))


def paid(writing: Writing, payment_id: str = "pay_1", amount: int = 1999) -> None:
    payment = {
        "id": payment_id,
        "amount": {"amount": amount, "currency": "usd"},
        "paid_at": "2026-03-01T12:00:00Z",
        "created_at": "2026-03-01T12:00:00Z",
        "receipt_url": "https://pay.example/r",
        "invoice_id": None,
        "checkout_session_id": None,
    }
    writing.record("payment.paid", {"payment": payment}, USER)
    writing.write()


def rows(writing: Writing) -> list[Any]:
    with writing.app.database.read() as connection:
        columns = (letters.c.kind, letters.c.status, letters.c.attempts, letters.c.last_error)
        return list(connection.execute(sa.select(*columns).order_by(letters.c.id)).all())


def come_again(writing: Writing) -> None:
    """Back-off and leases are over."""
    with writing.app.work("test") as work:
        work.execute(letters.update().where(letters.c.next_attempt_at.is_not(None)).values(next_attempt_at=0))


def incidents(writing: Writing) -> list[str]:
    with writing.app.database.read() as connection:
        found = sa.select(events.c.data).where(events.c.type == "incident.opened").order_by(events.c.id)
        return [each for each in connection.execute(found).scalars() if "letters_undelivered" in each]


def test_a_receipt_arrives_whole(writing: Writing, postbox: Postbox) -> None:
    paid(writing)
    assert (writing.send(), writing.send()) == (1, 0)
    (message,) = postbox.arrived
    assert (message["From"], message["To"]) == (SENDER, ADDRESS)
    assert message["Subject"] == "[test] Your receipt from The Shop: $19.99"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].startswith("<receipt.")
    assert message["Message-ID"].endswith("@shop.example>")
    text, html = (part.get_content() for part in message.iter_parts())
    assert "We received $19.99 on March 1, 2026." in text
    assert "Thank you. $19.99 received." in html
    assert "https://shop.test/account/x" in text
    assert [(row.status, row.attempts) for row in rows(writing)] == [("sent", 1)]


def test_one_fact_is_told_once_however_often_it_is_recorded(writing: Writing, postbox: Postbox) -> None:
    for _ in range(3):
        paid(writing)
    writing.send()
    assert len(postbox.arrived) == 1


def test_nothing_is_written_for_a_payment_of_nothing_and_for_nobody_we_can_write_to(writing: Writing) -> None:
    paid(writing, amount=0)
    payment = {
        "id": "pay_2",
        "amount": {"amount": 5, "currency": "usd"},
        "paid_at": None,
        "created_at": "2026-01-01T00:00:00Z",
    }
    more = {"receipt_url": None, "invoice_id": None, "checkout_session_id": None}
    writing.record("payment.paid", {"payment": payment | more}, Customer("user", "stranger"))
    assert (writing.write(), rows(writing)) == (0, [])


def test_a_kind_that_is_switched_off_is_not_written(writing: Writing) -> None:
    from paywright.environments import actions as environments

    with writing.app.work("test") as work:
        environments.change(work, {"emails": {"off": ["receipt"]}})
    paid(writing)
    assert rows(writing) == []


def test_a_second_try_is_the_same_message_byte_for_byte(writing: Writing, postbox: Postbox) -> None:
    paid(writing)
    postbox.says["data"] = "451 later, please"
    writing.send()
    assert [(row.status, row.attempts, row.last_error) for row in rows(writing)] == [
        ("pending", 1, "451 later, please")
    ]
    postbox.says.clear()
    assert writing.send() == 0  # It is not due yet.
    come_again(writing)
    writing.send()
    with writing.app.work("test") as work:
        assert outbox.send_again(work, writing.letters()[0].id)
        work.execute(letters.update().values(created_at=writing.letters()[0].created_at))
    writing.send()
    first, second = postbox.raw
    assert first == second


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ({"rcpt": "550 nobody here"}, "dead"),
        ({"rcpt": "451 greylisted"}, "pending"),
        ({"data": "554 spam"}, "dead"),
        ({"data": "451 busy"}, "pending"),
        ({"data": "hang up"}, "uncertain"),
    ],
)
def test_what_the_server_says_decides(writing: Writing, postbox: Postbox, says: dict[str, str], status: str) -> None:
    paid(writing)
    postbox.says = says
    writing.send()
    assert [row.status for row in rows(writing)][:1] == [status]
    assert len(incidents(writing)) == (status != "pending")
    postbox.says = {}
    come_again(writing)
    writing.send()
    assert [message for message in postbox.arrived if message["To"] == ADDRESS] == postbox.arrived[
        : status == "pending"
    ]


def test_a_refused_letter_does_not_hold_up_the_next_on_the_same_connection(writing: Writing, postbox: Postbox) -> None:
    with writing.app.work("test") as work:
        for recipient in ("not an address", "evil@x.example\r\nBcc: all@x.example", ADDRESS):
            write_letter(work, SECRET, "sign_in_code", recipient, recipient, {"code": "123456"})
    writing.send()
    assert [row.status for row in rows(writing)[:3]] == ["dead", "dead", "sent"]
    assert postbox.recipients == [ADDRESS]


def test_without_a_server_everything_waits_its_turn_and_dies_after_the_last_try(
    writing: Writing, postbox: Postbox
) -> None:
    writing.configure(smtp_url="smtp://127.0.0.1:1")
    paid(writing)
    for turn in range(1, len(RETRY_AFTER_MS) + 1):
        assert writing.send() == 1
        assert [(row.status, row.attempts) for row in rows(writing)] == [("pending", turn)]
        come_again(writing)
    writing.send()
    assert rows(writing)[0].status == "dead"
    assert len(incidents(writing)) == 1


def test_an_outage_opens_one_incident_a_day_and_its_own_letter_none(writing: Writing, postbox: Postbox) -> None:
    postbox.says["rcpt"] = "550 no"
    for payment_id in ("pay_1", "pay_2", "pay_3"):
        paid(writing, payment_id)
    writing.send()
    writing.write()
    writing.send()
    assert [(row.kind, row.status) for row in rows(writing)] == [*[("receipt", "dead")] * 3, ("incident", "dead")]
    assert (len(incidents(writing)), NOTICE_EVERY_MS) == (1, 86_400_000)


def test_a_worker_that_died_before_the_text_was_handed_over_costs_a_delay_only(
    writing: Writing, postbox: Postbox
) -> None:
    paid(writing)
    with writing.app.work("test") as work:
        outbox.claim_due(work, SECRET, lease_ms=60_000, limit=10)
    assert writing.send() == 0
    come_again(writing)
    assert (writing.send(), len(postbox.arrived)) == (1, 1)


def test_a_worker_that_died_while_the_server_had_it_sends_it_never_again_and_somebody_is_told(
    writing: Writing, postbox: Postbox
) -> None:
    paid(writing)
    with writing.app.work("test") as work:
        (claimed,), _ = outbox.claim_due(work, SECRET, lease_ms=60_000, limit=10)
        assert outbox.begin_sending(work, claimed)
    come_again(writing)
    writing.send()
    assert [row.status for row in rows(writing)] == ["uncertain"]
    assert (postbox.arrived, len(incidents(writing))) == ([], 1)
    with writing.app.work("test") as work:
        assert outbox.send_again(work, claimed.id)
    writing.send()
    assert len(postbox.arrived) == 1


def test_the_mark_is_on_disk_before_the_server_has_the_text(writing: Writing, postbox: Postbox) -> None:
    paid(writing)
    seen: list[str] = []
    postbox.before["data"] = lambda: seen.append(rows(writing)[0].status)
    writing.send()
    assert (seen, rows(writing)[0].status) == (["sending"], "sent")


def test_a_worker_whose_lease_ran_out_sends_nothing(writing: Writing, postbox: Postbox) -> None:
    paid(writing)
    with writing.app.work("test") as work:
        (slow,), _ = outbox.claim_due(work, SECRET, lease_ms=-1, limit=10)
    writing.send()
    with writing.app.work("test") as work:
        assert not outbox.begin_sending(work, slow)
        outbox.postpone(work, slow, 0, "late")
    assert ([row.status for row in rows(writing)], len(postbox.arrived)) == (["sent"], 1)


def test_a_code_that_is_too_late_is_not_sent(writing: Writing, postbox: Postbox) -> None:
    with writing.app.work("test") as work:
        write_letter(work, SECRET, "sign_in_code", "1", ADDRESS, {"code": "123456"})
        work.execute(letters.update().values(created_at=wall_ms() - 11 * 60_000))
    writing.send()
    assert ([row.status for row in rows(writing)], postbox.arrived) == (["dead"], [])


def test_without_smtp_letters_are_kept_and_not_sent_later(writing: Writing, postbox: Postbox) -> None:
    writing.configure(smtp_url=None)
    paid(writing)
    writing.send()
    writing.configure(smtp_url=postbox.url)
    come_again(writing)
    writing.send()
    assert ([row.status for row in rows(writing)], postbox.arrived) == (["kept"], [])


def test_a_password_is_sent_and_a_wrong_one_is_tried_again_later(writing: Writing) -> None:
    guarded = Postbox(**with_password(shop="s/e:cret"))
    paid(writing)
    writing.configure(smtp_url=f"smtp://shop:wrong@127.0.0.1:{guarded.port}")
    writing.app.resource(_post()).server = _server(writing)
    writing.send()
    assert [row.status for row in rows(writing)] == ["pending"]
    writing.configure(smtp_url=f"smtp://shop:s%2Fe%3Acret@127.0.0.1:{guarded.port}")
    writing.app.resource(_post()).server = _server(writing)
    come_again(writing)
    writing.send()
    guarded.stop()
    assert len(guarded.arrived) == 1


def _post() -> Any:
    from paywright.emails.shop import Post

    return Post


def _server(writing: Writing) -> Any:
    from paywright.emails.smtp import server_of

    assert writing.app.settings.smtp_url is not None
    return server_of(writing.app.settings.smtp_url)


def test_letters_are_forgotten_and_the_fact_is_not(writing: Writing) -> None:
    paid(writing)
    writing.send()
    with writing.app.work("test") as work:
        assert outbox.forget_old(work) == 0
        work.execute(letters.update().values(ended_at=wall_ms() - outbox.REMEMBERED_MS - 1))
        assert outbox.forget_old(work) == 1
        assert not outbox.send_again(work, "ltr_unknown")
    paid(writing)
    assert (writing.letters(), len(rows(writing))) == ([], 1)
