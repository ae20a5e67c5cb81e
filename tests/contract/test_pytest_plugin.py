"""The plugin as a stranger uses it: a small application that knows Stripe only, in a pytest run of its own."""

import subprocess
import sys
from pathlib import Path

CONFTEST = '''
import sys

pytest_plugins = ["paywright_sandbox.pytest_plugin"]


def no_network(event, arguments):
    """Whatever leaves this machine fails the test."""
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"{arguments[1]} was asked; the network is off")


sys.addaudithook(no_network)
'''

STORY = '''
import json
import os

import pytest
import stripe


class App:
    """Keeps who is a member, by webhooks; knows nothing of sandboxes."""

    def __init__(self):
        self.members, self.seen = set(), []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        event = stripe.Webhook.construct_event(body, headers["stripe-signature"], os.environ["STRIPE_WEBHOOK_SECRET"])
        self.seen.append(event.type)
        thing = event.data.object
        if event.type == "customer.subscription.created":
            self.members.add(thing.customer)
        if event.type == "customer.subscription.deleted":
            self.members.discard(thing.customer)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def app(stripe_sandbox_env):
    app = App()
    stripe_sandbox_env.webhook(app)
    return app


def subscribe(sandbox, buyer, **card):
    price = {"currency": "usd", "unit_amount": 900, "recurring": {"interval": "month"}, "product_data": {"name": "Pro"}}
    session = sandbox.client().v1.checkout.sessions.create(
        {"mode": "subscription", "success_url": "https://shop.test/done", "line_items": [{"price_data": price, "quantity": 1}]}
    )
    assert buyer.pay(session.url, **card).startswith("https://shop.test/done")
    sandbox.wait()
    return sandbox.client().v1.checkout.sessions.retrieve(session.id)


def test_sign_up_renew_and_lapse(app, stripe_sandbox, stripe_clock, stripe_buyer):
    session = subscribe(stripe_sandbox, stripe_buyer)
    assert app.members == {session.customer}
    stripe_clock.advance(months=1, hours=2)
    assert app.seen.count("invoice.paid") == 2
    stripe_buyer.change_card(session.customer, "4000000000000341")
    subscription = stripe_sandbox.client().v1.subscriptions.retrieve(session.subscription)
    stripe_sandbox.client().v1.subscriptions.update(
        subscription.id, {"default_payment_method": ""}
    )
    stripe_clock.advance(days=60)
    assert app.members == set()
    assert "invoice.payment_failed" in app.seen


def test_a_whole_life(app, stripe_sandbox, stripe_clock, stripe_buyer):
    """Sign-up, renewal, decline, dunning, recovery, downgrade, refund, dispute won, cancellation."""
    v1 = stripe_sandbox.client().v1
    session = subscribe(stripe_sandbox, stripe_buyer)
    product = v1.products.create({"name": "Basic"}).id
    basic = v1.prices.create({"product": product, "currency": "usd", "unit_amount": 500, "recurring": {"interval": "month"}})
    update = {"enabled": True, "default_allowed_updates": ["price"], "products": [{"product": product, "prices": [basic.id]}]}
    settings = v1.billing_portal.configurations.create(
        {"features": {
            "subscription_update": update,
            "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
            "payment_method_update": {"enabled": True},
        }}
    )

    def portal():
        wish = {"customer": session.customer, "configuration": settings.id, "return_url": "https://shop.test"}
        return v1.billing_portal.sessions.create(wish).url

    def status():
        return v1.subscriptions.retrieve(session.subscription).status

    stripe_clock.advance(months=1, hours=2)
    assert app.seen.count("invoice.paid") == 2
    stripe_buyer.change_card(portal(), "4000000000000341")
    stripe_clock.advance(months=1, hours=2)
    assert (status(), app.seen.count("invoice.payment_failed")) == ("past_due", 1)
    stripe_buyer.change_card(portal())
    stripe_sandbox.wait()
    assert (status(), app.seen.count("invoice.paid")) == ("active", 3)
    switched = stripe_buyer.switch(portal(), basic.id)
    assert switched["items"]["data"][0]["price"]["id"] == basic.id
    paid = v1.payment_intents.list({"customer": session.customer}).data
    v1.refunds.create({"payment_intent": paid[0].id, "amount": 100})
    dispute = stripe_sandbox.dispute(paid[1].id)
    assert stripe_sandbox.resolve(dispute["id"], "won")["status"] == "won"
    assert stripe_buyer.cancel(portal(), feedback="too_expensive")["cancel_at"]
    assert stripe_buyer.resume(portal())["cancel_at"] is None
    assert stripe_buyer.cancel(portal())["cancel_at"]
    assert app.members == {session.customer}
    stripe_clock.advance(months=1, hours=2)
    assert app.members == set()
    assert {"charge.refunded", "charge.dispute.funds_reinstated", "charge.dispute.closed"} <= set(app.seen)


def test_refund_dispute_and_3ds(app, stripe_sandbox, stripe_buyer):
    v1 = stripe_sandbox.client().v1
    wish = {"amount": 500, "currency": "usd", "payment_method": "pm_card_authenticationRequired", "confirm": True}
    intent = v1.payment_intents.create(wish)
    assert stripe_buyer.authenticate(intent.id)["status"] == "succeeded"
    dispute = stripe_sandbox.dispute(intent.id)
    assert stripe_sandbox.resolve(dispute["id"], "won")["status"] == "won"
    v1.refunds.create({"payment_intent": intent.id})
    stripe_sandbox.wait()
    assert app.seen[-2:] == ["refund.created", "charge.refunded"]
    assert [event["type"] for event in stripe_sandbox.events("charge.dispute.closed")] == ["charge.dispute.closed"]


def test_trouble(app, stripe_sandbox):
    stripe_sandbox.chaos(duplicate=1.0)
    stripe_sandbox.fail_next("drop_response", path="/v1/customers")
    made = stripe_sandbox.client(max_network_retries=2).v1.customers.create({"name": "Ann"})
    stripe_sandbox.wait()
    assert app.seen == ["customer.created"] * 2
    assert len(stripe_sandbox.deliveries()) == 1
    assert [request["path"] for request in stripe_sandbox.requests()][:2] == ["/v1/customers"] * 2
    assert os.environ["STRIPE_API_BASE"] == stripe_sandbox.url


def test_webhooks_are_recorded(stripe_sandbox, stripe_client, stripe_webhooks):
    stripe_webhooks.answer(500)
    made = stripe_client.v1.customers.create({"name": "Ann"})
    stripe_sandbox.wait()
    assert stripe_webhooks.types() == ["customer.created", "customer.created"]
    assert [each.status for each in stripe_webhooks.received] == [500, 200]
    assert stripe_webhooks.events("customer.created")[0]["data"]["object"]["id"] == made.id
    stripe_sandbox.chaos(wrong_secret=1.0)
    stripe_client.v1.customers.create()
    stripe_sandbox.wait()
    assert len(stripe_webhooks.received) == 2
    assert stripe_webhooks.refused
    stripe_sandbox.chaos(hold=True)
    stripe_client.v1.products.create({"name": "Pro"})
    stripe_sandbox.wait()
    assert len(stripe_sandbox.release()) == 1
    stripe_sandbox.fail_often([500, 429], 1.0, seed=3)
    with pytest.raises(stripe.StripeError):
        stripe_client.v1.customers.list()
    stripe_sandbox.fail_never()
    assert stripe_client.v1.customers.list().data


def test_ids_come_from_the_tests_name(stripe_sandbox):
    print("ID", stripe_sandbox.client().v1.customers.create().id)
'''


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_story.py").write_text(STORY)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=110, check=False)


def test_a_strangers_application_is_tested_through_its_life(tmp_path: Path) -> None:
    """In two processes at once, as pytest-xdist has it."""
    done = run(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_ids_are_the_same_in_every_run(tmp_path: Path) -> None:
    seen = [
        [line for line in run(tmp_path, "-s", "-k", "ids").stdout.splitlines() if line.startswith("ID")]
        for _ in range(2)
    ]
    assert seen[0] == seen[1] != []
