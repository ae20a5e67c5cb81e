"""
The algorithm of rules.md 2.2, on one balance in memory.

The promise is that all spending is always laid over the grants soonest-expiring first. Two numbers keep it, `balance` and `spent`: when a grant
dies it is by definition the soonest of those alive, so the spending that lies on it is `min(spent, what is left of it)`. Nothing before that
moment needs to know how spending is spread. With debt `spent >= live`, so everything that dies is covered.

Order at one instant: grants, then spending, then hold timeouts, then expiries and ends. An action at t therefore settles
grants due at or before t and the rest due before t; a read applies what is due exactly at t as well.

Functions change the account and answer the facts to be entered, in order; or a refusal, and then nothing has changed but settled time.
"""

from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.periods import boundaries_passed
from paywright.kernel.refusals import Refusal
from paywright.ledger.account import FOREVER, NEVER_KEY, Account, Fact, Included, ItemGrant, OpenHold, fact_of
from paywright.ledger.laying import expiring as expiring
from paywright.ledger.laying import remaining as remaining
from paywright.ledger.laying import unheld as unheld
from paywright.ledger.leaving import take_all as take_all
from paywright.ledger.leaving import take_unspent as take_unspent
from paywright.ledger.model import NEVER, EntryKind

SPENT_MAX = 2**62
"""`spent` and `live` grow with everything that never expires; far beyond any use, and within 64 bits."""

_CHANGES, _REPEATS, _TIMEOUTS, _EXPIRIES = -1, 0, 1, 2
"""What comes first at one instant: a repeat due when the quantity changes already gives the new one."""


def settle(account: Account, t: int, *, is_read: bool = False) -> list[Fact]:
    """Walks all that is due in time order. Late arrivals (due before `account.at`) happen now, in their own order."""
    facts: list[Fact] = []
    while True:
        point = _next_point(account, t, is_read)
        if point is None:
            break
        instant, rank, _, what = point
        if rank == _CHANGES:
            assert isinstance(what, Included)
            facts += _change_as_planned(account, what)
        elif rank == _REPEATS:
            assert isinstance(what, Included)
            facts += _repeat(account, what)
        elif rank == _TIMEOUTS:
            assert isinstance(what, OpenHold)
            facts += end_hold(account, what, "timed_out", effective_at=instant)
        else:
            assert isinstance(what, ItemGrant)
            facts += expire_key(account, what.key, _kind_of_expiry(account, what), effective_at=instant)
    account.at = max(account.at, t)
    for item in account.included:
        item.has_ended = item.has_ended or item.ends_at < account.at
    return facts


def _next_point(
    account: Account, t: int, is_read: bool
) -> tuple[int, int, str, Included | OpenHold | ItemGrant] | None:
    """The soonest thing due: its instant, its rank within the instant, a tie-break, and itself."""
    last = t if is_read else t - 1
    points: list[tuple[int, int, str, Included | OpenHold | ItemGrant]] = [
        (item.next_repeat_at, _REPEATS, item.owned_product_id, item)
        for item in account.included
        if item.is_repeating and item.next_repeat_at <= t
    ]
    points += [
        (item.later_at, _CHANGES, item.owned_product_id, item)
        for item in account.included
        if item.later_at <= t and not item.has_ended
    ]
    points += [
        (hold.due, _TIMEOUTS, hold.id, hold) for hold in account.holds if hold.status == "open" and hold.due <= last
    ]
    points += [(grant.due, _EXPIRIES, grant.key, grant) for grant in account.grants if grant.live and grant.due <= last]
    return min(points, key=lambda point: point[:3], default=None)


def _kind_of_expiry(account: Account, grant: ItemGrant) -> EntryKind:
    if grant.owned_product_id is None:
        return "expiry"
    ends = {item.ends_at for item in account.included if item.owned_product_id == grant.owned_product_id}
    return "end" if grant.due in ends or grant.key.startswith("end:") else "expiry"


def _repeat(account: Account, item: Included) -> list[Fact]:
    if item.next_repeat == 0:
        return _first_turn(account, item, None)
    n, instant = item.next_repeat, item.next_repeat_at
    key, due = item.key_of_turn(n)
    item.next_repeat, item.next_repeat_at = n + 1, item.boundary(n + 1)
    # Nobody is there to refuse to: a repeat gives what fits below the limit.
    quantity = min(item.quantity, QUANTITY_MAX - account.balance)
    if quantity <= 0:
        return []
    source = f"{source_of(item, account.item_id)}:repeat:{n}"
    return add_grant(account, ItemGrant(source, "repeat", key, due, instant, quantity, 0, 0, item.owned_product_id))


def source_of(item: Included, item_id: str) -> str:
    """`purchase:own_…:credits`, before `:start` or `:repeat:3`."""
    return f"purchase:{item.owned_product_id}:{item_id}"


def grant(account: Account, new: ItemGrant) -> list[Fact] | Refusal:
    """Never refused for debt. An expiry that is not after now has no effect and no entry."""
    if new.due <= account.at:
        return []
    if account.balance + new.quantity > QUANTITY_MAX or account.live + new.quantity > SPENT_MAX:
        return Refusal("balance_out_of_range")
    return add_grant(account, new)


def add_grant(account: Account, new: ItemGrant) -> list[Fact]:
    """Debt is paid first, and that part is gone for good."""
    new.paid = min(new.quantity, max(0, -account.balance))
    new.live = new.quantity - new.paid
    account.balance += new.quantity
    account.spent -= new.paid
    account.grants.append(new)
    expires_at = new.due if new.due < NEVER else None
    return [
        fact_of(
            account,
            new.kind,
            new.quantity,
            new.quantity,
            new.granted_at,
            new.source,
            new.key,
            expires_at=expires_at,
            grant=new,
        )
    ]


def decrease(
    account: Account, quantity: int, *, allow_negative: bool, source: str | None, effective_at: int
) -> list[Fact] | Refusal:
    if account.quantity < quantity and not allow_negative:
        return Refusal("insufficient_quantity", {"requested": quantity, "available": account.quantity})
    if (
        account.balance - quantity < -QUANTITY_MAX
        or account.quantity - quantity < -QUANTITY_MAX
        or account.spent + quantity > SPENT_MAX
    ):
        return Refusal("balance_out_of_range")
    account.balance -= quantity
    account.spent += quantity
    return [fact_of(account, "decrease", quantity, -quantity, effective_at, source)]


def expire_key(account: Account, key: str, kind: EntryKind, *, effective_at: int) -> list[Fact]:
    """What is spent is absorbed; of the rest the open holds, oldest first, carry what they still can; what nobody carries is lost."""
    dying = [grant for grant in account.grants if grant.key == key and grant.live]
    total = sum(grant.live for grant in dying)
    if total == 0:
        return []
    absorbed = min(account.spent, total)
    account.spent -= absorbed
    lost = total - absorbed - _carry(account, total - absorbed)
    account.balance -= lost
    for grant in sorted(dying, key=lambda grant: grant.age):
        grant.absorbed += (part := min(absorbed, grant.live))
        absorbed -= part
        grant.expired += grant.live - part
        grant.live = 0
    account.grants = [grant for grant in account.grants if grant.key != key] + dying
    # A purchase can end, come back and end again; units with a known instant are lost once.
    source = f"end:{key}:{effective_at}" if kind == "end" else f"{kind}:{key}"
    return [fact_of(account, kind, total, -lost, effective_at, source, key)]


def _carry(account: Account, quantity: int) -> int:
    """Units that open holds take over from a dying key."""
    carried = 0
    for hold in sorted(account.holds, key=lambda hold: (hold.opened_at, hold.sequence or NEVER, hold.id)):
        if hold.status == "open":
            part = min(quantity - carried, hold.quantity - hold.carried)
            hold.carried += part
            carried += part
    account.carried += carried
    return carried


def open_hold(account: Account, hold: OpenHold) -> list[Fact] | Refusal:
    if account.quantity < hold.quantity:
        return Refusal("insufficient_quantity", {"requested": hold.quantity, "available": account.quantity})
    account.holds.append(hold)
    account.held += hold.quantity
    return [fact_of(account, "hold", hold.quantity, 0, hold.opened_at, f"hold:{hold.id}", f"hold:{hold.id}", hold=hold)]


def capture(account: Account, hold: OpenHold, quantity: int, *, effective_at: int) -> list[Fact] | Refusal:
    """Spends `quantity` of the hold and releases the rest."""
    if hold.status != "open":
        return Refusal("hold_not_open", {"status": hold.status})
    if quantity > hold.quantity:
        return Refusal("capture_too_large", {"requested": quantity, "held": hold.quantity})
    if quantity == 0:
        return end_hold(account, hold, "released", effective_at=effective_at)
    carried = min(quantity, hold.carried)
    hold.carried -= carried
    account.carried -= carried
    account.balance -= quantity
    account.spent += quantity - carried
    account.held -= quantity
    hold.captured = quantity
    facts = [
        fact_of(
            account, "capture", quantity, -quantity, effective_at, f"capture:{hold.id}", f"hold:{hold.id}", hold=hold
        )
    ]
    return facts + end_hold(account, hold, "captured", effective_at=effective_at)


def end_hold(account: Account, hold: OpenHold, status: str, *, effective_at: int) -> list[Fact]:
    """What the hold still holds is free again, except units carried past their expiry: those are lost."""
    assert hold.status == "open"
    assert status in ("captured", "released", "timed_out")
    hold.status = status  # type: ignore[assignment]
    rest, lost = hold.quantity - hold.captured, hold.carried
    account.held -= rest
    account.carried -= lost
    account.balance -= lost
    hold.carried = 0
    if rest == 0:
        return []
    return [fact_of(account, "release", rest, -lost, effective_at, f"release:{hold.id}", f"hold:{hold.id}", hold=hold)]


def start(account: Account, item: Included, source: str | None) -> list[Fact]:
    """The first units, and all repeats and expiries due since when it is heard late. The account was settled before."""
    if item.ends_at <= account.at:
        return []
    account.included.append(item)
    return _first_turn(account, item, source) + settle(account, account.at)


def plan(account: Account, item: Included) -> None:
    """It will start at `starts_at`, on time whether or not anybody looks: a due point like a repeat."""
    item.next_repeat, item.next_repeat_at = 0, item.starts_at
    account.included.append(item)


def _first_turn(account: Account, item: Included, source: str | None) -> list[Fact]:
    item.next_repeat, item.next_repeat_at = 1, NEVER
    if item.repeat is not None:
        item.next_repeat = boundaries_passed(item.anchor, item.repeat, item.starts_at) + 1
        item.next_repeat_at = item.boundary(item.next_repeat)
    key, due = item.key_of_turn(item.next_repeat - 1)
    # It is paid for and can't be refused: beyond the limit of a balance, what fits is given, as in a repeat.
    quantity = max(0, min(item.quantity, QUANTITY_MAX - account.balance))
    first_source = source or f"{source_of(item, account.item_id)}:start"
    first = ItemGrant(first_source, "included", key, due, item.starts_at, quantity, 0, 0, item.owned_product_id)
    return add_grant(account, first)


def _change_as_planned(account: Account, item: Included) -> list[Fact]:
    source = f"{source_of(item, account.item_id)}:change:{item.later_at}"
    quantity, item.later_quantity, item.later_at = item.later_quantity, 0, NEVER
    return change(account, item, quantity, source)


def change(account: Account, item: Included, quantity: int, source: str) -> list[Fact]:
    """
    A turn gives `quantity` from now on. What was given once differs at once: more is given, less is taken, unspent units first.

    Taking needs the whole balance. What is not started yet only starts with another number.
    """
    difference, item.quantity = quantity - item.quantity, quantity
    if item.repeat is not None or item.next_repeat == 0 or difference == 0:
        return []
    if difference > 0:
        key, due = item.key_of_turn(0)
        units = max(0, min(difference, QUANTITY_MAX - account.balance))
        new = ItemGrant(source, "included", key, due, account.at, units, 0, 0, item.owned_product_id)
        return add_grant(account, new)
    mine = [grant for grant in account.grants if grant.owned_product_id == item.owned_product_id]
    facts: list[Fact] = []
    youngest_first = sorted(mine, key=lambda grant: grant.age, reverse=True)
    for grant in youngest_first:
        name, missing = f"{source}:{grant.id}", -difference - sum(fact.quantity for fact in facts)
        facts += take_unspent(account, grant, missing, source=name, effective_at=account.at, closes=False)
    for grant in youngest_first:
        name, missing = f"{source}:{grant.id}:spent", -difference - sum(fact.quantity for fact in facts)
        facts += take_all(account, grant, missing, source=name, effective_at=account.at)
    return facts


def set_end(account: Account, owned_product_id: str, ends_at: int) -> None:
    """The known end moves; NEVER takes it back. Grants that live until it move along."""
    for item in account.included:
        if item.owned_product_id != owned_product_id or item.has_ended:
            continue
        item.ends_at = ends_at
        for grant in account.grants:
            if grant.owned_product_id != owned_product_id or grant.due == FOREVER:
                continue
            if grant.key.startswith("end:"):
                grant.due = ends_at
            elif grant.key.startswith("repeat:") and item.has_turns:
                turn = int(grant.key.rpartition(":")[2])
                grant.due = min(item.runs_out(turn), ends_at)


def end(account: Account, owned_product_id: str, at: int) -> list[Fact]:
    """
    The purchase is over at `at`, now or earlier. The account was settled up to now before.

    Heard late: what repeats gave at or after that instant would not have been given, so what is unspent of it is taken back.
    """
    facts: list[Fact] = []
    for item in account.included:
        if item.owned_product_id == owned_product_id:
            item.ends_at, item.has_ended = min(item.ends_at, at), True
    mine = [grant for grant in account.grants if grant.owned_product_id == owned_product_id and grant.live]
    for key in sorted({grant.key for grant in mine if grant.key != NEVER_KEY}):
        facts += expire_key(account, key, "end", effective_at=at)
    is_late = at < account.at
    late = [grant for grant in mine if grant.key == NEVER_KEY and grant.kind == "repeat" and grant.granted_at >= at]
    for grant in late if is_late else []:
        facts += take_unspent(account, grant, grant.quantity, source=f"end:{grant.source}", effective_at=at)
    return facts


def resume(account: Account, owned_product_id: str) -> list[Fact]:
    """The latest repeat missed while paused is given now; earlier ones are not."""
    for item in account.included:
        if item.owned_product_id != owned_product_id:
            continue
        was_paused, item.is_paused = item.is_paused or item.pauses_at <= account.at, False
        item.pauses_at = NEVER
        if item.repeat is None or not item.next_repeat:
            continue
        while was_paused and item.boundary(item.next_repeat + 1) <= min(account.at, item.ends_at - 1):
            item.next_repeat += 1
        item.next_repeat_at = item.boundary(item.next_repeat)
    return settle(account, account.at)
