"""
`Idempotency-Key` on a POST: the same caller and request get the first answer again.

What happens inside one work stores key and answer in that work. What calls Stripe commits the key first, runs, and then stores its answer; a repeat
meets the key and waits. If the process died in between, a repeat takes over once the key is `recovery_after_s` old: every action that calls Stripe
points the key at what it recorded, in the work that records it, and goes on from there; so it is done once, and answered as it would have been.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from paywright.api.call import Answer, Call
from paywright.api.errors import encoded, refused
from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.kernel.vault import decrypt, encrypt
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey, Kept
from paywright.storage.work import RolledBack, Work

WAIT_S = 10.0
_LOOK_EVERY_S = 0.1

Outcome = Answer | Refusal


def in_work(call: Call, act: Callable[[Call, Work], Outcome]) -> Answer:
    """One work around `act`. A refusal undoes it, and is then stored alone, because nothing may remain of a refused action but its answer."""
    outcome: Outcome | None = None
    with call.app.work(call.environment.id) as work:
        if call.key is not None:
            _wait_for_twin(work)
            kept = idempotency.claim(work, call.key)
            if kept is not None:
                return replayed(call, kept)
        outcome = act(call, work)
        if isinstance(outcome, Refusal):
            raise RolledBack
        if call.key is not None:
            idempotency.store(work, call.key, outcome.status, kept_body(call, outcome))
    assert outcome is not None
    return _stored_refusal(call, outcome) if isinstance(outcome, Refusal) else outcome


def in_phases(call: Call, act: Callable[[Call], Outcome]) -> Answer:
    """Around an endpoint that opens its own works and may call Stripe between them."""
    if call.key is None:
        return shown(call, act(call))
    kept = _claimed(call, call.key)
    if kept is not None:
        return replayed(call, kept)
    try:
        answer = shown(call, act(call))
    except Exception:
        # A repeat must not find its own key in use.
        with call.app.work(call.environment.id) as work:
            idempotency.let_go(work, call.key)
        raise
    with call.app.work(call.environment.id) as work:
        idempotency.store(work, call.key, answer.status, kept_body(call, answer))
    return answer


def keep(call: Call, work: Work, answer: Answer) -> None:
    """In the work of an effect that can't be had again: whoever asks again gets this, even if we die before we send it."""
    if call.key is not None:
        idempotency.store(work, call.key, answer.status, kept_body(call, answer))


def kept_body(call: Call, answer: Answer) -> str:
    text = encoded(answer.body).decode()
    return encrypt(call.app.settings.require_secret(), text) if answer.is_secret else text


def shown(call: Call, outcome: Outcome) -> Answer:
    return refused(outcome, call.request.request_id) if isinstance(outcome, Refusal) else outcome


def replayed(call: Call, kept: Kept | Refusal) -> Answer:
    if isinstance(kept, Refusal):
        return refused(kept, call.request.request_id)
    if kept.status is None or kept.body is None:
        return refused(Refusal("idempotency_key_in_use"), call.request.request_id)
    is_plain = kept.body.startswith(("{", "["))
    body = kept.body if is_plain else decrypt(call.app.settings.require_secret(), kept.body)
    return Answer(kept.status, body.encode(), {"Idempotent-Replayed": "true"}, is_secret=not is_plain)


def answered(call: Call, outcome: Outcome) -> Answer:
    """
    The end of an action that claims the key itself: what stands under it from now on.

    A refusal in the first phase undid the claim, so it is claimed anew; an answer that is no fact gives the key back.
    """
    answer = shown(call, outcome)
    if call.key is None:
        return answer
    with call.app.work(call.environment.id) as work:
        kept = idempotency.claim(work, call.key)
        if isinstance(kept, Refusal) or (kept is not None and kept.status is not None):
            return replayed(call, kept)  # The first answer wins: a twin that went the same way has stored it.
        idempotency.store(work, call.key, answer.status, kept_body(call, answer))
    return answer


def _stored_refusal(call: Call, refusal: Refusal) -> Answer:
    """The first answer wins: a twin that got in between has stored its own."""
    answer = refused(refusal, call.request.request_id)
    if call.key is None or answer.status not in idempotency.STORED_STATUSES:
        return answer
    with call.app.work(call.environment.id) as work:
        kept = idempotency.claim(work, call.key)
        if kept is not None:
            return replayed(call, kept)
        idempotency.store(work, call.key, answer.status, encoded(answer.body).decode())
    return answer


def _claimed(call: Call, key: IdempotencyKey) -> Kept | Refusal | None:
    """None: ours to run. Waits for a twin that runs elsewhere, at most ten seconds."""
    deadline = time.monotonic() + WAIT_S
    recovery_after_ms = int(call.app.settings.recovery_after_s * 1000)
    while True:
        with call.app.work(call.environment.id) as work:
            kept = idempotency.claim(work, key)
            if kept is None:
                return None
            is_open = isinstance(kept, Kept) and kept.status is None
            if is_open and idempotency.take_over(work, key, abandoned_before=wall_ms() - recovery_after_ms):
                return None
        if isinstance(kept, Refusal) or kept.status is not None or time.monotonic() >= deadline:
            return kept
        time.sleep(_LOOK_EVERY_S)


def _wait_for_twin(work: Work) -> None:
    """On PostgreSQL a twin is waited for by the unique index; other locks keep their own, shorter limit. SQLite has one writer."""
    if work.dialect == "postgresql":
        work.execute(sa.text(f"SET LOCAL lock_timeout = {int(WAIT_S * 1000)}"))
