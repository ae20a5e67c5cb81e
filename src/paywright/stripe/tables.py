"""
Fetch numbers: which fetch of an object at Stripe was applied last, so that a slow one never overwrites a newer one. And the pace of background calls.
"""

from sqlalchemy import BigInteger, Table

from paywright.storage.schema import Column, Ident, Instant, environment_column, metadata

stripe_objects = Table(
    "stripe_objects",
    metadata,
    environment_column(),
    Column("root", Ident, primary_key=True, comment="the kind and id of what is fetched, e.g. `subscription sub_…`"),
    Column("fetch_number", BigInteger, nullable=False, server_default="0"),
    Column("applied_number", BigInteger, nullable=False, server_default="0"),
)

stripe_paces = Table(
    "stripe_paces",
    metadata,
    environment_column(),
    Column("free_at", Instant, nullable=False, comment="wall clock: when the next background call to Stripe may begin"),
)
