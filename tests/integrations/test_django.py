"""What is Django's own: one transaction with its ORM, on both databases, and its settings."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from paywright import Paywright
from paywright.client import InsufficientQuantity, NotFound, PaywrightError
from paywright.integrations import django as in_django
from paywright.ledger.transaction import NotInTransaction
from tests.harness.house import CATALOG, SECRET
from tests.integrations.sites import HEADER, POST, at_database, use_in_django

ANNE = {HEADER: "anne"}


@contextmanager
def opened(database_url: str) -> Iterator[Paywright]:
    """Paywright, and Django on the same database, with a table of its own."""
    with Paywright(database_url=database_url, catalog=CATALOG, provider="instant", secret=SECRET) as made:
        use_in_django(pay=made, customer_of=lambda request: request.headers.get(HEADER), worker=False)
        at_database(database_url)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE poems (line TEXT)")
        yield made
        connection.close()


@pytest.fixture
def pay(database_url: str) -> Iterator[Paywright]:
    with opened(database_url) as made:
        yield made


@pytest.fixture
def sqlite_pay(sqlite_url: str) -> Iterator[Paywright]:
    with opened(sqlite_url) as made:
        yield made


def poems() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT line FROM poems ORDER BY line")
        return [line for (line,) in cursor.fetchall()]


def spend_and_break(user: Any, connection: Any) -> None:
    with user.transaction(connection) as work:
        work.decrease_quantity("credits", 1)
        raise LookupError


def told(pay: Paywright) -> list[str]:
    return [event.type for event in pay.list_events(limit=100)]


def test_the_poem_and_its_price_become_true_together(pay: Paywright) -> None:
    user = pay.user("anne")
    user.get_item("credits").increase_quantity(2)
    answer = Client().post("/write/an old silent pond", headers=ANNE)
    assert (answer.status_code, answer.json()) == (200, {"left": 1})
    assert (user.get_item("credits").quantity, poems()) == (1, ["an old silent pond"])
    assert [entry.note for entry in user.get_item("credits").list_entries(limit=1)] == ["an old silent pond"]


def test_what_the_app_rolls_back_was_never_spent_and_nobody_hears_of_it(pay: Paywright) -> None:
    user = pay.user("anne")
    user.get_item("credits").increase_quantity(2)
    before = told(pay)
    with pytest.raises(ValueError, match="bad"):
        Client().post("/write/bad", headers=ANNE)
    assert (user.get_item("credits").quantity, poems(), told(pay)) == (2, [], before)


def test_too_few_units_leave_the_app_to_go_on(pay: Paywright) -> None:
    user = pay.user("anne")
    answer = Client().post("/write/too dear", headers=ANNE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "insufficient_quantity")
    with transaction.atomic(), user.transaction(connection) as work, connection.cursor() as cursor:
        assert not work.try_decrease_quantity("credits", 1)
        with pytest.raises(InsufficientQuantity):
            work.decrease_quantity("credits", 1)
        assert work.increase_quantity("credits", 3) == 3
        assert work.try_decrease_quantity("credits", 1)
        assert work.get_quantity("credits") == 2
        assert work.decrease_quantity("credits", 4, allow_negative=True) == -2
        cursor.execute("INSERT INTO poems (line) VALUES ('on credit')")
    assert (user.get_item("credits").quantity, poems()) == (-2, ["on credit"])


def test_an_exception_undoes_the_spending_and_the_app_may_keep_its_row(pay: Paywright) -> None:
    user = pay.user("anne")
    user.get_item("credits").increase_quantity(2)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO poems (line) VALUES ('kept')")
        with pytest.raises(LookupError):
            spend_and_break(user, connection)
    assert (user.get_item("credits").quantity, poems()) == (2, ["kept"])


def test_racers_in_djangos_transactions_and_in_batches_spend_each_unit_once(pay: Paywright) -> None:
    units, racers = 12, 6
    pay.user("anne").get_item("credits").increase_quantity(units)

    def in_django(number: int) -> bool:
        try:
            with transaction.atomic(), pay.user("anne").transaction(connection) as work:
                spent = work.try_decrease_quantity("credits", 1)
                if spent:
                    with connection.cursor() as cursor:
                        cursor.execute("INSERT INTO poems (line) VALUES (%s)", [f"poem {number}"])
            return spent
        finally:
            connection.close()

    def in_batches(number: int) -> bool:
        return pay.user("anne").get_item("credits").try_decrease_quantity(1, idempotency_key=f"haiku-{number}")

    with ThreadPoolExecutor(racers) as pool:
        by_django = [pool.submit(in_django, number) for number in range(units)]
        by_batch = [pool.submit(in_batches, number) for number in range(units)]
        spent = [sum(each.result() for each in kind) for kind in (by_django, by_batch)]
    assert sum(spent) == units
    assert (pay.user("anne").get_item("credits").quantity, len(poems())) == (0, spent[0])


def test_outside_of_atomic_it_is_refused(pay: Paywright) -> None:
    with pytest.raises(NotInTransaction, match="atomic"), pay.user("anne").transaction(connection):
        pass


def test_without_a_connection_the_transaction_is_paywrights(pay: Paywright) -> None:
    user = pay.user("anne")
    user.get_item("credits").increase_quantity(2)
    with user.transaction() as work:
        work.decrease_quantity("credits", 1)
        work.connection.exec_driver_sql("INSERT INTO poems (line) VALUES ('ours')")
    with pytest.raises(LookupError):
        spend_and_break(user, None)
    assert (user.get_item("credits").quantity, poems()) == (1, ["ours"])


@pytest.mark.parametrize(("item_id", "quantity"), [("nope", 1), ("seats", 1), ("credits", 0), ("credits", True)])
def test_a_transaction_takes_what_the_api_takes(sqlite_pay: Paywright, item_id: str, quantity: int) -> None:
    with pytest.raises(PaywrightError) as raised, sqlite_pay.user("anne").transaction() as work:
        work.decrease_quantity(item_id, quantity)
    assert raised.value.code in ("item_not_found", "customer_type_mismatch", "invalid_request")


def test_a_token_nobody_bought_with_has_no_balances(sqlite_pay: Paywright) -> None:
    with (
        pytest.raises(NotFound, match="claim_not_found"),
        sqlite_pay.guest("0123456789abcdefghijABCDEFGHIJ-_").transaction(),
    ):
        pass


def test_a_view_that_awaits_is_gated_too(sqlite_pay: Paywright) -> None:
    sqlite_pay.user("anne").grant_product("pro")
    assert Client().get("/later", headers=ANNE).json() == POST
    assert Client().get("/later", headers={HEADER: "bob"}).status_code == 402


def test_a_view_may_decide_for_itself(sqlite_pay: Paywright) -> None:
    assert Client().get("/helper").json() == {"refused": "unauthenticated"}
    assert Client().get("/helper", headers=ANNE).json() == {"refused": "not_entitled"}
    sqlite_pay.user("anne").get_item("credits").increase_quantity(2)
    assert Client().get("/helper", headers=ANNE).json() == {"refused": None}


def test_a_project_answers_refusals_in_its_own_way(sqlite_pay: Paywright) -> None:
    def kindly(_request: HttpRequest, error: PaywrightError) -> HttpResponse:
        return HttpResponse(f"<p>{error.facts['upgrade_options'][0]['display_name']} opens this.</p>", status=402)

    use_in_django(pay=sqlite_pay, customer_of=lambda request: "anne", on_refusal=kindly, worker=False)
    assert Client().get("/essay").content == b"<p>Pro opens this.</p>"
    assert Client().get("/later").content == b"<p>Pro opens this.</p>"


def test_a_slash_in_an_id_stays_in_it_where_the_server_tells_the_path(sqlite_pay: Paywright) -> None:
    sqlite_pay.user("a/b").get_item("credits").increase_quantity(4)
    path, key = "/pay/v1/customers/user/a%2Fb/items/credits", {"Authorization": f"Bearer {sqlite_pay.create_key().key}"}
    request = RequestFactory().get(path, headers=key, RAW_URI=f"{path}?")
    answer = in_django.api(request, "v1/customers/user/a/b/items/credits")
    assert (answer.status_code, b'"quantity":4' in answer.content) == (200, True)


class SignedIn:
    pk, is_authenticated = 7, True


def test_the_signed_in_user_is_the_customer_unless_the_project_says_otherwise() -> None:
    request: Any = RequestFactory().get("/")
    assert in_django.user_of(request) is None
    request.user = SignedIn()
    assert in_django.user_of(request) == "7"


@pytest.mark.parametrize("given", [{}, {"pay": "tests.integrations.sites.POST", "typo": 1}])
def test_settings_that_say_nothing_are_refused(given: dict[str, Any]) -> None:
    use_in_django(**given)
    with pytest.raises(ImproperlyConfigured, match="pay"):
        in_django.installed()
