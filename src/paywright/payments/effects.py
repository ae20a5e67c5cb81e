"""
What each refund and dispute did to each purchase: once, for ever, and whether it was undone.

`source` is `refund:re_…` or `dispute:dp_…`. A purchase is kept ended by every return that ended it or would have, until that is undone.
"""

import sqlalchemy as sa

from paywright.ownership.model import OwnedProduct
from paywright.payments.tables import return_effects
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

EFFECTS_MAX = 1_000


def mark(work: Work, source: str, owned: OwnedProduct, what: str, *, payment_id: str) -> bool:
    """True the first time: then it is the caller's to do. `what` is `froze` or `took`."""
    assert what in ("froze", "took")
    row = {
        "environment_id": work.environment_id,
        "source": source,
        "owned_product_id": owned.id,
        "payment_id": payment_id,
        what: 1,
    }
    if insert_if_absent(work, return_effects, row):
        return True
    first = return_effects.update().where(_is(work, source, owned), return_effects.c[what] == 0)
    return work.execute(first.values({what: 1})).rowcount == 1


def note_ended(work: Work, source: str, owned: OwnedProduct) -> None:
    """It ended the purchase, or found it ended by another return whose undoing must not bring it back."""
    work.execute(return_effects.update().where(_is(work, source, owned)).values(ended=1))


def note_undone(work: Work, source: str, owned: OwnedProduct) -> None:
    work.execute(return_effects.update().where(_is(work, source, owned)).values(undone=1))


def standing(work: Work, source: str) -> dict[str, bool]:
    """By owned product what was taken under this name and is not undone: whether it ended the purchase too."""
    columns = (return_effects.c.owned_product_id, return_effects.c.ended)
    found = (
        sa.select(*columns)
        .where(
            return_effects.c.environment_id == work.environment_id,
            return_effects.c.source == source,
            return_effects.c.took == 1,
            return_effects.c.undone == 0,
        )
        .order_by(return_effects.c.owned_product_id)
        .limit(EFFECTS_MAX)
    )
    return {row.owned_product_id: bool(row.ended) for row in work.execute(found)}


def is_kept_ended(work: Work, owned: OwnedProduct) -> bool:
    """Money that bought it is still back with the customer."""
    ending = return_effects.c.ended == 1, return_effects.c.undone == 0
    found = sa.select(return_effects.c.source).where(_of(work, owned), *ending)
    return work.execute(found.order_by(return_effects.c.source).limit(1)).one_or_none() is not None


def undone(work: Work, owned: OwnedProduct) -> list[str]:
    """The returns that took of it and were undone since."""
    is_undone = return_effects.c.took == 1, return_effects.c.undone == 1
    found = sa.select(return_effects.c.source).where(_of(work, owned), *is_undone)
    return list(work.execute(found.order_by(return_effects.c.source).limit(EFFECTS_MAX)).scalars())


def _of(work: Work, owned: OwnedProduct) -> sa.ColumnElement[bool]:
    here = return_effects.c.environment_id == work.environment_id
    return here & (return_effects.c.owned_product_id == owned.id)


def _is(work: Work, source: str, owned: OwnedProduct) -> sa.ColumnElement[bool]:
    return _of(work, owned) & (return_effects.c.source == source)
