"""Each try at a setup intent, kept beside it as `latest_attempt`."""

from ..errors import Json
from ..objects.setup_intents import setup_attempt
from ..work import Work


def begin(work: Work, intent: Json, method: Json) -> None:
    """A new try; one that still waited for the bank is abandoned."""
    abandon(work, intent)
    made = setup_attempt(work.new_id("setup_attempt"), work.now, intent, method)
    intent["latest_attempt"] = work.save(made)["id"]


def conclude(work: Work, intent: Json, status: str) -> None:
    """`requires_action`, `succeeded` or `failed`, with the intent's error; 3DS that passed is told of."""
    made = work.require("setup_attempt", intent["latest_attempt"])
    was_asked = made["status"] == "requires_action"
    made.update(status=status, setup_error=intent["last_setup_error"])
    details = made["payment_method_details"].get("card")
    if was_asked and details is not None and status in ("succeeded", "failed"):
        passed = status == "succeeded" or intent["last_setup_error"]["code"] != "setup_intent_authentication_failure"
        details["three_d_secure"] = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05" if passed else None,
            "result": "authenticated" if passed else "failed",
            "result_reason": None if passed else "rejected",
            "transaction_id": None,
            "version": "2.2.0",
        }
    work.save(made)


def abandon(work: Work, intent: Json) -> None:
    last = work.get("setup_attempt", intent["latest_attempt"])
    if last and last["status"] == "requires_action":
        last["status"] = "abandoned"
        work.save(last)
