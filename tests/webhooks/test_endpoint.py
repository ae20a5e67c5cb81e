"""Our endpoint at Stripe (stripe.md 12): made before the older ones are deleted, its secret kept, nobody else's touched. On both databases."""

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.environments.actions import ROLLED_SECRET_LIFE_MS, accepted_webhook_secrets
from paywright.environments.tables import webhook_secrets
from paywright.kernel.refusals import Refusal
from paywright.stripe.gateway import KEYS_KEPT_MS, StripeUnknown
from paywright.webhooks.endpoint import Endpoint, in_use, set_up
from paywright.webhooks.rules import ASKED_EVENTS
from paywright.webhooks.tables import stripe_endpoints
from tests.webhooks.deliveries import SECRET
from tests.webhooks.mill import Mill

URL = "http://127.0.0.1:1"


def made(mill: Mill, url: str | None = URL) -> Endpoint:
    outcome = set_up(mill.app, mill.environment, public_url=url)
    assert isinstance(outcome, Endpoint), outcome
    return outcome


def at_stripe(mill: Mill) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in mill.account.every("/v1/webhook_endpoints")}


def secrets(mill: Mill) -> list[str]:
    with mill.app.database.read() as connection:
        return accepted_webhook_secrets(connection, mill.app.settings, "test")


def test_it_is_made_for_this_environment_and_asks_for_what_we_act_on(mill: Mill) -> None:
    endpoint = made(mill)
    [found] = at_stripe(mill).values()
    assert (found["id"], found["url"]) == (endpoint.id, f"{URL}/webhooks/stripe/test")
    assert found["metadata"] == {"paywright_environment": "test"}
    assert set(found["enabled_events"]) == set(ASKED_EVENTS)
    assert found["api_version"] == endpoint.api_version == "2026-10-28.endive"
    assert endpoint.deleted == []
    with mill.app.database.read() as connection:
        row = in_use(connection, "test")
    assert row is not None
    assert row.stripe_endpoint_id == endpoint.id


def test_its_secret_is_tried_first_and_the_old_one_for_three_more_days(mill: Mill) -> None:
    made(mill)
    [new, old] = secrets(mill)
    assert new != SECRET
    assert old == SECRET
    with mill.app.database.read() as connection:
        ordered = sa.select(webhook_secrets.c.created_at, webhook_secrets.c.expires_at).order_by(webhook_secrets.c.id)
        [(_, expires_at), (made_at, never)] = connection.execute(ordered).all()
    assert never is None
    assert expires_at - made_at == pytest.approx(ROLLED_SECRET_LIFE_MS, abs=1_000)


def test_again_it_rolls_and_only_our_own_older_ones_go(mill: Mill) -> None:
    someone = mill.post("/v1/webhook_endpoints", url=f"{URL}/theirs", enabled_events=["*"])["id"]
    other = {"paywright_environment": "other"}
    neighbour = mill.post("/v1/webhook_endpoints", url=f"{URL}/other", enabled_events=["*"], metadata=other)["id"]
    ours = {"paywright_environment": "test"}
    lost = mill.post("/v1/webhook_endpoints", url=f"{URL}/lost", enabled_events=["*"], metadata=ours)["id"]
    first = made(mill)
    assert first.deleted == [lost]
    second = made(mill)
    assert second.deleted == [first.id]
    assert at_stripe(mill).keys() == {someone, neighbour, second.id}
    assert len(secrets(mill)) == 3


def test_a_lost_answer_is_had_again_with_its_secret(mill: Mill) -> None:
    mill.account.fail_next("drop_response", path="/v1/webhook_endpoints", times=3)
    with pytest.raises(StripeUnknown):
        set_up(mill.app, mill.environment, public_url=URL)
    [lost] = at_stripe(mill)
    endpoint = made(mill)
    assert (endpoint.id, endpoint.deleted) == (lost, [])
    assert len(secrets(mill)) == 2


def test_a_lost_answer_of_yesterday_has_lost_its_secret_too(mill: Mill) -> None:
    mill.account.fail_next("drop_response", path="/v1/webhook_endpoints", times=3)
    with pytest.raises(StripeUnknown):
        set_up(mill.app, mill.environment, public_url=URL)
    [lost] = at_stripe(mill)
    mill.wall.advance(KEYS_KEPT_MS / 1_000)
    endpoint = made(mill)
    assert endpoint.deleted == [lost]
    assert list(at_stripe(mill)) == [endpoint.id]


def test_an_answer_of_500_that_stripe_keeps_is_left_for_another_key(mill: Mill) -> None:
    mill.account.fail_next(500, path="/v1/webhook_endpoints", times=1)
    with pytest.raises(StripeUnknown):
        set_up(mill.app, mill.environment, public_url=URL)
    endpoint = made(mill)
    assert list(at_stripe(mill)) == [endpoint.id]


def test_two_calls_at_once_leave_one_that_works(mill: Mill) -> None:
    start, outcomes = threading.Barrier(2), []

    def call() -> None:
        start.wait()
        outcomes.append(set_up(mill.app, mill.environment, public_url=URL))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(each) for each in outcomes] == [Endpoint, Endpoint]
    with mill.app.database.read() as connection:
        row = in_use(connection, "test")
    assert row is not None
    assert list(at_stripe(mill)) == [row.stripe_endpoint_id]


def test_without_an_address_it_is_refused(mill: Mill) -> None:
    refused = set_up(mill.app, mill.environment)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.param) == ("invalid_request", "public_url")


def test_what_stripe_refuses_is_said_and_not_tried_again(mill: Mill) -> None:
    refused = set_up(mill.app, mill.environment, public_url="ftp://nowhere")
    assert isinstance(refused, Refusal)
    assert refused.code == "stripe_refused"
    with mill.app.database.read() as connection:
        assert connection.execute(sa.select(stripe_endpoints.c.id).limit(1)).all() == []
    assert secrets(mill) == [SECRET]
