"""
One `MetaData` for every room's tables, and the column kinds they share.

Every table begins with `environment_id`; customer data continues with the customer, so the tables can be partitioned
by what they are asked for.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = BigInteger
"""UTC milliseconds."""

Quantity = BigInteger
"""Units or minor units: a 64-bit integer on both databases."""

Flag = Integer
"""0 or 1: the one spelling of a boolean that both databases share."""

JsonText = Text
"""A JSON document that is never queried; what we ask about has a column of its own."""

Ident: TypeEngine[Any] = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Ids and keys compare by bytes on both databases."""


def environment_column() -> Column[Any]:
    return Column("environment_id", Ident, primary_key=True, nullable=False)


def customer_column(*, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    """`user:u_1`, see `Customer.key`."""
    return Column("customer", Ident, primary_key=primary_key, nullable=nullable)


__all__ = [
    "Column",
    "Flag",
    "Ident",
    "Instant",
    "JsonText",
    "LargeBinary",
    "Quantity",
    "String",
    "customer_column",
    "environment_column",
    "metadata",
]
