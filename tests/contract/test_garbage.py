"""Whatever is sent, the answer is Stripe's: never a 500, never an object that does not fit."""

import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from paywright_sandbox.params import catalogue, split_alternatives
from paywright_sandbox.routing import ROUTES, variables
from tests.contract.shop import Shop
from tests.contract.test_clock_and_state import started

TEXTS = [
    "",
    "x",
    "üñí",
    "x" * 300,
    "-1",
    "0",
    "usd",
    "cus_nobody",
    "https://example.com/a",
    "pm_card_visa",
    "true",
    "{}",
    "\x00",
]
NUMBERS = ["0", "1", "-1", "5", "100", "99999999", "999999999999999999", "1900000000", "1.5", "+7"]
IMPLEMENTED = sorted(key for key, route in ROUTES.items() if route.fields is None)


def value(chance: random.Random, code: str, depth: int) -> Any:
    """Mostly of the right type; a tree for shapes, lists and maps."""
    picked = chance.choice(split_alternatives(code))
    if chance.random() < 0.05:
        return chance.choice(TEXTS)
    if picked[0] == "<":
        return chance.choice(picked[1:-1].split(","))
    if picked[0] == "[":
        return {str(n): value(chance, picked[1:-1], depth + 1) for n in range(chance.randrange(1, 3))}
    if picked[0] == "{":
        return {chance.choice(["usd", "eur", "a", "b"]): value(chance, picked[1:-1], depth + 1)}
    if picked[0] == "#":
        return tree(chance, int(picked[1:]), depth + 1)
    texts = {"i": NUMBERS, "d": NUMBERS, "f": NUMBERS, "b": ["true", "false"], "''": [""]}
    return chance.choice(texts.get(picked, TEXTS))


def tree(chance: random.Random, shape: int, depth: int, only: frozenset[str] | None = None) -> dict[str, Any]:
    fields = catalogue().shape(shape)
    names = [
        name for name in fields if only is None or "*" in only or name in {known.partition(".")[0] for known in only}
    ]
    wished = {name for name in names if chance.random() < (0.3 if depth == 0 else 0.15)}
    wished |= {name for name, field in fields.items() if field.required and chance.random() < 0.95}
    return {name: value(chance, fields[name].code, depth) for name in sorted(wished)} if depth < 5 else {}


def flat(found: Any, prefix: str = "") -> list[tuple[str, str]]:
    if not isinstance(found, dict):
        return [(prefix, found)]
    return [pair for name, inner in found.items() for pair in flat(inner, f"{prefix}[{name}]" if prefix else name)]


def known_ids(shop: Shop) -> dict[str, list[str]]:
    """Ids of a few real objects, so that not everything ends in a 404."""
    v1: Any = shop.client.v1
    customer = v1.customers.create({"name": "Ann"}).id
    method = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    price = v1.prices.create({"currency": "usd", "unit_amount": 500, "product_data": {"name": "P"}})
    monthly = v1.prices.create(
        {"currency": "usd", "unit_amount": 900, "product": price.product, "recurring": {"interval": "month"}}
    )
    paid = v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "customer": customer, "payment_method": method, "confirm": True}
    )
    waiting = v1.payment_intents.create({"amount": 500, "currency": "usd"}).id
    refund = v1.refunds.create({"payment_intent": paid.id, "amount": 5}).id
    setup = v1.setup_intents.create({"customer": customer}).id
    ids = [customer, method, price.id, monthly.id, price.product, paid.id, waiting, paid.latest_charge, refund, setup]
    return {"any": ids}


@pytest.mark.parametrize("key", IMPLEMENTED)
def test_random_parameters_never_break_a_route(shop: Shop, key: str) -> None:
    chance, ids = random.Random(key), known_ids(shop)["any"]
    TEXTS.extend(ids)
    method, _, template = key.partition(" ")
    try:
        for _ in range(15):
            path = template
            for name in variables(key):
                path = path.replace("{" + name + "}", chance.choice([*ids, "nobody", "üñí"]))
            pairs = flat(tree(chance, catalogue().routes[key], 0, ROUTES[key].acts_on))
            if method == "POST":
                answer = shop.http.post(path, data=dict(pairs))
            else:
                answer = shop.http.request(method, path, params=httpx.QueryParams(tuple(pairs)))
            assert answer.status_code < 500, (path, pairs, answer.text)
            assert answer.status_code == 200 or answer.json()["error"]["type"]
    finally:
        del TEXTS[-len(ids) :]


BODIES = [
    b"\xff\xfe",
    b"a[b=1",
    b"a[[b]]=1",
    b"=1",
    b"[x]=1",
    b"a=1&a[b]=2",
    b"a[b]=2&a=1",
    b"%zz=1",
    b"&&&",
    b"a" * 100_000,
    b"a" + b"[x]" * 50 + b"=1",
    b"metadata[a][b]=c",
    b"metadata[]=c",
]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_that_are_no_forms(shop: Shop, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = shop.http.post("/v1/customers", content=body, headers=headers)
    assert answer.status_code in (200, 400)


def test_a_body_that_is_too_large(shop: Shop) -> None:
    answer = shop.http.post("/v1/customers", content=b"a" * (20 * 1024 * 1024 + 1))
    assert answer.status_code == 413


def test_many_at_once_with_one_key_make_one(shop: Shop) -> None:
    made: list[str] = []

    def create() -> None:
        client: Any = shop.client_with(shop.secret_key)
        made.append(client.v1.customers.create({"name": "Ann"}, {"idempotency_key": "together"}).id)

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(made))) == (12, 1)
    assert shop.events() == ["customer.created"]


def test_a_killed_process_has_lost_nothing_it_answered(tmp_path: Path) -> None:
    options = ("--data", str(tmp_path / "sandbox.db"))
    process, told, _ = started(*options)
    shop = Shop(told["url"], told["secret_key"])
    own: Any = shop.client_with(told["secret_key"])
    ids = [own.v1.customers.create({"name": f"c{n}"}).id for n in range(20)]
    process.kill()
    process.communicate()
    again, told_again, _ = started(*options)
    try:
        assert told_again["secret_key"] == told["secret_key"]
        client: Any = Shop(told_again["url"], told["secret_key"]).client_with(told["secret_key"])
        assert [found.id for found in client.v1.customers.list({"limit": 100}).data] == ids[::-1]
        assert len(client.v1.events.list({"limit": 100}).data) == 20
        assert client.v1.customers.create().id not in ids
    finally:
        again.terminate()
        again.communicate()


def test_the_package_starts_without_the_sdk_and_without_paywright() -> None:
    script = (
        "import sys, paywright_sandbox.app\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('paywright', 'stripe', 'sqlalchemy')]"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
