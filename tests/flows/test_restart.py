"""A server that stops and starts again has forgotten nothing."""

from tests.flows.shop import Shop


def test_a_restart_keeps_everything(own_shop: Shop) -> None:
    own_shop.buy("u_1", "pack")
    own_shop.buy("u_1", "pro")
    open_session = own_shop.checkout("u_2", "pack", key="before")
    before = own_shop.client.user("u_1").get_state()
    own_shop.server.stop()
    own_shop.server.start()
    assert own_shop.client.user("u_1").get_state() == before
    assert own_shop.checkout("u_2", "pack", key="before").id == open_session.id


def test_what_was_paid_while_the_server_was_down_arrives_when_it_is_up(own_shop: Shop) -> None:
    session = own_shop.checkout("u_1", "pack")
    own_shop.server.stop()
    own_shop.pay(session)
    own_shop.server.start()
    own_shop.settle()
    assert own_shop.client.get_checkout_session(session.id).status == "completed"
    assert own_shop.credits("u_1") == 100
