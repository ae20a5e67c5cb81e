"""Moving business time: at the sandbox, which lives through the time in order, or in our own row under `instant`."""

import math

import httpx

from paywright.engine.app import App, NotConnected
from paywright.environments import clock
from paywright.environments.actions import stripe_credentials
from paywright.environments.model import Environment
from paywright.kernel.instants import rfc3339
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.stripe.gateway import StripeUnknown

ADVANCE_S_MAX = 300.0
"""A year of daily renewals takes a while: each step waits until its webhooks are answered and acted on."""


CLOCK_MAX = 32_503_680_000_000
"""The year 3000. Periods are counted from where the clock stands, and the calendar ends with the year 9999."""


def move(app: App, environment: Environment, to: int) -> int | Refusal:
    """The new business time, in milliseconds, or `clock_backwards`. Whole seconds under `sandbox`, rounded up."""
    now = app.now(environment.id)
    if to < now:
        return Refusal("clock_backwards", {"now": rfc3339(now)})
    if to >= CLOCK_MAX:
        return invalid_request("to", "A clock goes no further than the year 2999.")
    if environment.provider == "sandbox":
        return _move_sandbox(app, environment, to)
    if environment.provider != "instant":
        return invalid_request("to", "Time can be moved only where the provider is `sandbox` or `instant`.")
    with app.work(environment.id) as work:
        return clock.advance(work, to, wall=app.wall())


def _move_sandbox(app: App, environment: Environment, to: int) -> int | Refusal:
    with app.database.read() as connection:
        credentials = stripe_credentials(connection, app.settings, environment)
    if credentials is None or credentials.api_base is None:
        raise NotConnected(f"the environment `{environment.id}` knows no sandbox")
    try:
        answer = httpx.post(
            f"{credentials.api_base.rstrip('/')}/_sandbox/clock/advance",
            json={"to": math.ceil(to / 1000), "wait": True},
            headers={"Authorization": f"Bearer {credentials.secret_key}"},
            timeout=httpx.Timeout(ADVANCE_S_MAX, connect=3),
        )
    except httpx.HTTPError as error:
        raise StripeUnknown(f"sandbox: {type(error).__name__}") from error
    if answer.status_code != 200:
        message = answer.json().get("error", {}).get("message", "no message") if answer.content else "no message"
        return Refusal("stripe_refused", {"stripe_message": message})
    shown = int(answer.json()["now"]) * 1000
    with app.work(environment.id) as work:
        clock.observe(work, shown, runs=not answer.json().get("frozen", False), wall=app.wall())
        return work.now
